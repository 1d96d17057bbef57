"""What all tests share: peers (system programs) that may be missing, and a clean environment."""

import os
import shutil
import signal

import pytest
from hypothesis import HealthCheck, settings

from relay.demo import service

PROGRAMS = {
    "strace": ("strace",),
    "swaks": ("swaks",),
    "msmtp": ("msmtp",),
    "mutt": ("mutt",),
    "s-nail": ("s-nail",),
    "curl": ("curl",),
    "postfix": ("postfix", "smtp-source"),
    "nodejs": ("node", "npm"),
    "chromium": ("chromium",),
    "systemd": ("systemd-analyze",),
}
"""Debian's package name -> the programs that tests run from it."""

_SEARCH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))


def program(name: str) -> str:
    """Give the path of a program, /usr/sbin included. Raises LookupError when it is not installed."""
    found = shutil.which(name, path=_SEARCH)
    if found is None:
        raise LookupError(name)
    return found


def _missing(package: str) -> list[str]:
    return [name for name in PROGRAMS[package] if shutil.which(name, path=_SEARCH) is None]


# A starved machine is no fault of the code. CI (.ci/run) tries the same examples each time; a developer, others each time.
settings.register_profile(
    "relay",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=os.environ.get("RELAY_TEST_PEERS") == "required",
)
settings.load_profile("relay")


def pytest_configure() -> None:
    """Have the programs that tests start heed Ctrl-C, also where a shell has started the tests in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    _keep_to_own_ports()


def _keep_to_own_ports() -> None:
    """Give each worker ports of its own: what one has chosen for a relay that is about to start, no other takes."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    share = (service._HIGHEST_PORT - service._LOWEST_PORT) // int(
        os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")
    )
    lowest = service._LOWEST_PORT + number * share
    vars(service).update(_LOWEST_PORT=lowest, _HIGHEST_PORT=lowest + share)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose peer is missing, or fail it when RELAY_TEST_PEERS=required."""
    for marker in item.iter_markers("peer"):
        for package in marker.args:
            if missing := _missing(package):
                _do_without(package, ", ".join(missing))


def _do_without(package: str, missing: str) -> None:
    reason = f"{missing} not found: install Debian's package {package}"
    if os.environ.get("RELAY_TEST_PEERS") == "required":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that the developer has set for the relay or for mail programs reaches a test."""
    for name in ("RELAY_CONFIG", "MAILRC", "EMAIL", "NOTIFY_SOCKET", "SSLKEYLOGFILE"):
        monkeypatch.delenv(name, raising=False)
