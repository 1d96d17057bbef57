"""Who stays signed in at the page of a real relay, over TLS, when its settings change under it."""

import re
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from relay.demo.service import free_ports
from relay.directory.passwords import hash_password
from relay.web.admin import ask
from tests.support.eventually import eventually
from tests.support.running import RunningRelay, running_relay

_PASSWORD = "correct horse battery staple"
_REPS = ("ana", "bo", "cecilia")
_OUT, _IN = 303, 200


def _user(login: str) -> dict[str, Any]:
    password = hash_password(_PASSWORD.encode())
    return {"login": login, "addresses": [f"{login}@example.com"], "mode": "off", "password": password}


def _write(relay: RunningRelay, changes: Mapping[str, Mapping[str, object]]) -> None:
    """Write settings with changes to some reps, named by their login."""
    config = relay.service.config
    settings = yaml.safe_load(config.read_text("utf-8"))
    for user in settings["users"]:
        user.update(changes.get(user["login"], {}))
    config.write_text(yaml.safe_dump(settings, sort_keys=False), "utf-8")


def _reload(relay: RunningRelay) -> None:
    done = relay.service.run("reload")
    assert done.returncode == 0, done.stderr


def _hang_up(relay: RunningRelay) -> None:
    loaded = relay.service.logs().count("config.loaded")
    relay.service.signal(signal.SIGHUP)
    eventually(lambda: relay.service.logs().count("config.loaded") > loaded)


def _restart(relay: RunningRelay) -> None:
    relay.service.stop()
    relay.service.start()


def _token(page: str) -> str:
    found = re.search(r'name="form_token" value="([^"]+)"', page)
    assert found is not None
    return found[1]


@contextmanager
def _signed_in(relay: RunningRelay, base: str, login: str) -> Iterator[requests.Session]:
    """Give a browser without a screen in which this rep is signed in."""
    with requests.Session() as browser:
        browser.trust_env, browser.verify = False, str(relay.ca_file)
        form = browser.get(f"{base}/sign-in", timeout=60).text
        fields = {"form_token": _token(form), "login": login, "password": _PASSWORD}
        answer = browser.post(
            f"{base}/sign-in", fields, headers={"origin": base}, allow_redirects=False, timeout=60
        )
        assert answer.status_code == 303, answer.text
        yield browser


@pytest.mark.parametrize("take", [_reload, _hang_up, _restart])
def test_who_is_kept_out_is_signed_out_and_others_are_not(
    tmp_path: Path, take: Callable[[RunningRelay], None]
) -> None:
    """Another password or `disabled` ends a session for good, whichever way the settings are taken; others' go on."""
    (port,) = free_ports(1)
    base = f"https://localhost:{port}"
    users = [_user(login) for login in _REPS]
    web = {"address": f"127.0.0.1:{port}", "tls": "implicit"}
    with (
        running_relay(tmp_path, {"web": web, "users": users}) as relay,
        _signed_in(relay, base, "ana") as ana,
        _signed_in(relay, base, "bo") as bo,
        _signed_in(relay, base, "cecilia") as cecilia,
    ):

        def seen() -> list[int]:
            return [
                one.get(f"{base}/settings/account", allow_redirects=False, timeout=60).status_code
                for one in (ana, bo, cecilia)
            ]

        assert seen() == [_IN, _IN, _IN]
        take(relay)
        assert seen() == [_IN, _IN, _IN]
        _write(
            relay, {"ana": {"password": hash_password(b"quite another passphrase")}, "bo": {"disabled": True}}
        )
        take(relay)
        assert seen() == [_OUT, _OUT, _IN]
        _write(relay, {"ana": {"password": users[0]["password"]}, "bo": {"disabled": False}})
        take(relay)
        assert seen() == [_OUT, _OUT, _IN]
        with _signed_in(relay, base, "bo") as again:
            assert again.get(f"{base}/settings/account", timeout=60).url == f"{base}/settings/account"


@contextmanager
def _ana_signed_in(folder: Path) -> Iterator[tuple[RunningRelay, str, requests.Session]]:
    """Give a relay with ana alone, where its page is, and her browser."""
    (port,) = free_ports(1)
    base = f"https://localhost:{port}"
    web = {"address": f"127.0.0.1:{port}", "tls": "implicit"}
    with (
        running_relay(folder, {"web": web, "users": [_user("ana")]}) as relay,
        _signed_in(relay, base, "ana") as ana,
    ):
        yield relay, base, ana


def _chosen(browser: requests.Session, base: str, present: str, chosen: str) -> str:
    """Choose another password on the page; give it."""
    page = browser.get(f"{base}/settings/account", allow_redirects=False, timeout=60)
    assert page.status_code == _IN, f"signed out before {chosen}"
    fields = {"form_token": _token(page.text), "present": present, "password": chosen, "repeated": chosen}
    answer = browser.post(
        f"{base}/settings/password", fields, headers={"origin": base}, allow_redirects=False, timeout=60
    )
    assert "said=password_changed" in answer.headers["location"], answer.text
    return chosen


def test_who_changes_the_password_during_a_reload_stays_signed_in(tmp_path: Path) -> None:
    """A reload that has read the reps before, and ends sessions after, does not take the new password for another."""
    done = threading.Event()
    with (
        _ana_signed_in(tmp_path) as (relay, base, ana),
        ThreadPoolExecutor(1) as other,
    ):
        state_dir = Path(yaml.safe_load(relay.service.config.read_text("utf-8"))["server"]["state_dir"])

        def go_on_reloading() -> None:
            while not done.is_set():
                ask(state_dir, "POST", "/reload", 60)

        reloading = other.submit(go_on_reloading)
        try:
            present = _PASSWORD
            for number in range(12):
                present = _chosen(ana, base, present, f"a passphrase of its own, number {number}")
            assert ana.get(f"{base}/settings/account", allow_redirects=False, timeout=60).status_code == _IN
        finally:
            done.set()
        reloading.result()


def test_another_tab_stays_signed_in_while_the_password_changes(tmp_path: Path) -> None:
    """Between the new password in the store and the directory that knows it, no question of the session is turned away."""
    done = threading.Event()
    with (
        _ana_signed_in(tmp_path) as (relay, base, ana),
        requests.Session() as tab,
        ThreadPoolExecutor(1) as other,
    ):
        tab.trust_env, tab.verify = False, str(relay.ca_file)
        tab.cookies.update(ana.cookies)

        def go_on_asking() -> set[int]:
            seen = set()
            while not done.is_set():
                answer = tab.get(f"{base}/attention/list", headers={"hx-request": "true"}, timeout=60)
                seen.add(answer.status_code)
            return seen

        asking = other.submit(go_on_asking)
        try:
            present = _PASSWORD
            for number in range(6):
                present = _chosen(ana, base, present, f"a passphrase of its own, number {number}")
        finally:
            done.set()
        assert asking.result() == {200}
