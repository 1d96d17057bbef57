"""What a reload would change is told line by line, and nothing secret with it."""

from pathlib import Path

import pytest

from relay.config.difference import differences, in_force
from tests.support.settings import GOOD, loaded

CECILIA = """\
  - login: cecilia
    addresses: [cecilia@example.com]
    email_to_salesforce: emailtosalesforce@c5c6.le.salesforce.com
    tokens: [{name: Laptop, sha256: 7f0c2b1d5e3a4f798091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f7}]
"""
ROUTE = "    main: {host: 127.0.0.1, port: 2526, tls: none}\n"
SECOND = '  - {name: second, address: "127.0.0.1:2588", tls: none, auth: optional}\n'


def _told(folder: Path, before: str, after: str) -> list[str]:
    old, new = loaded(folder, before).settings, loaded(folder, after).settings
    return [str(one) for one in differences(old, new)]


def test_nothing_changed_is_no_difference(tmp_path: Path) -> None:
    """The same settings differ in nothing, also when another default is written out."""
    assert _told(tmp_path, GOOD, GOOD + "limits: {recipients: 100}\n") == []


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (GOOD + CECILIA, ["+ user cecilia"]),
        (GOOD + "logging: {delay: 60s}\n", ["~ logging.delay 0s -> 1m"]),
        (GOOD + "limits: {message_size: 3MiB}\n", ["~ limits.message_size 25MiB -> 3MiB"]),
        (GOOD.replace("2587", "2589"), ["! listeners.0.address needs a restart"]),
        (GOOD.replace("hostname: relay", "hostname: mail"), ["! server.hostname needs a restart"]),
        (GOOD + 'metrics: {address: "127.0.0.1:1"}\n', ["! metrics.address needs a restart"]),
        (
            GOOD.replace("auth: optional", "auth: required"),
            ["~ listeners.0.auth optional -> required"],
        ),
        (
            GOOD.replace("[ana@example.com]", "[ana@example.com, a.lee@example.com]"),
            ["~ user ana: addresses [ana@example.com] -> [ana@example.com, a.lee@example.com]"],
        ),
        (
            GOOD.replace(ROUTE, ROUTE + "    spare: {host: 192.0.2.1}\n"),
            ["+ upstream.routes.spare"],
        ),
        (GOOD.replace("port: 2526", "port: 2527"), ["~ upstream.routes.main.port 2526 -> 2527"]),
    ],
)
def test_each_change_is_a_line(tmp_path: Path, change: str, lines: list[str]) -> None:
    """`+` is new, `~` another value, `!` needs a restart; a rep is named by login."""
    assert _told(tmp_path, GOOD, change) == lines


def test_what_is_gone_is_told(tmp_path: Path) -> None:
    """A rep and a route that are there no more begin with `-`."""
    assert _told(tmp_path, GOOD + CECILIA, GOOD) == ["- user cecilia"]


def test_a_listener_needs_a_restart(tmp_path: Path) -> None:
    """A port is opened and closed at the start only."""
    two = _two_listeners()
    assert _told(tmp_path, GOOD, two) == ["! listeners.1 (second, which is new) needs a restart"]
    assert _told(tmp_path, two, GOOD) == ["! closing listener second needs a restart"]


def _two_listeners() -> str:
    return GOOD.replace("auth: {require_tls", f"{SECOND}auth: {{require_tls", 1)


def test_secrets_are_masked(tmp_path: Path) -> None:
    """A new Email to Salesforce address or app password is told, and not shown."""
    after = GOOD.replace("@a1b2.", "@x9y8.").replace("6f0c2b1d", "7f0c2b1d")
    lines = _told(tmp_path, GOOD, after)
    assert lines == [
        "~ user ana: tokens.Laptop.sha256 *** -> ***",
        "~ user ana: email_to_salesforce *** -> ***",
    ]


def test_long_lists_are_counted(tmp_path: Path) -> None:
    """A line stays readable whatever a list holds."""
    many = ", ".join(f'"*@customer{number}.example"' for number in range(100))
    (line,) = _told(tmp_path, GOOD, GOOD + f"logging: {{exclude: {{recipients: [{many}]}}}}\n")
    assert line == "~ logging.exclude.recipients [] -> (100 values)"


def test_what_needs_a_restart_stays_in_force(tmp_path: Path) -> None:
    """The settings that are used keep the old address and state_dir, and take all else."""
    before = loaded(tmp_path)
    after = loaded(
        tmp_path,
        _two_listeners().replace("2587", "2589").replace("state_dir: state", "state_dir: other")
        + "limits: {message_size: 3MiB}\n",
    )
    used = in_force(before, after)
    assert [str(one.address) for one in used.settings.listeners] == ["127.0.0.1:2587"]
    assert used.state_dir == before.state_dir
    assert used.settings.limits.message_size == 3 << 20


def test_differences_of_what_is_in_force_are_the_restart_ones(tmp_path: Path) -> None:
    """A second reload of the same file tells only what still waits for a restart."""
    before = loaded(tmp_path)
    after = loaded(tmp_path, GOOD.replace("2587", "2589") + "limits: {message_size: 3MiB}\n")
    used = in_force(before, after)
    again = [str(one) for one in differences(used.settings, after.settings)]
    assert again == ["! listeners.0.address needs a restart"]


def test_a_listener_with_implicit_tls_keeps_how_its_tls_began(tmp_path: Path) -> None:
    """A port that was opened with TLS first goes on so; the oldest TLS version with it."""
    (tmp_path / "cert.pem").touch()
    (tmp_path / "key.pem").touch(mode=0o600)
    tls = "tls: {certificate: cert.pem, private_key: {file: key.pem}}\n"
    implicit = GOOD.replace("tls: none, auth: optional", "tls: implicit, auth: optional") + tls
    before = loaded(tmp_path, implicit)
    newer = implicit.replace("private_key:", 'minimum_version: "1.3", private_key:')
    assert _told(tmp_path, implicit, newer) == ["! tls.minimum_version needs a restart"]
    after = loaded(tmp_path, newer)
    kept = in_force(before, after).settings.tls
    assert kept is not None
    assert kept.minimum_version == "1.2"
    assert _told(tmp_path, implicit, GOOD + tls) == ["! listeners.0.tls needs a restart"]
