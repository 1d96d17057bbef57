"""New settings are taken while mail flows: whole, or not at all, and what changed is told."""

import re
import signal
import socket
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from relay.demo.capture import Capture
from tests.support.eventually import eventually
from tests.support.raw_client import RawClient
from tests.support.running import BCC, RunningRelay, running_relay, trusting, with_changes

_MAIL = (
    b"From: ana@example.com\r\nSubject: reload\r\nDate: Mon, 9 Nov 2026 09:14:03 +0100\r\n"
    b"Message-ID: <reload@example.com>\r\n\r\nHello\r\n"
)


def _settings(relay: RunningRelay) -> dict[str, Any]:
    settings: dict[str, Any] = yaml.safe_load(relay.service.config.read_text("utf-8"))
    return settings


def _write(relay: RunningRelay, changes: dict[str, Any]) -> None:
    changed = with_changes(_settings(relay), changes)
    relay.service.config.write_text(yaml.safe_dump(changed, allow_unicode=True, sort_keys=False), "utf-8")


def _size(relay: RunningRelay) -> bytes:
    with RawClient(relay.gateway) as client:
        lines = client.say("EHLO client.test").split(b"\r\n")
        return next(line[4:] for line in lines if line[4:].startswith(b"SIZE"))


def test_a_reload_prints_the_difference_and_takes_it(tmp_path: Path) -> None:
    """New connections meet the new settings, a session keeps its own; nothing secret is printed."""
    with running_relay(tmp_path) as relay, RawClient(relay.gateway) as before:
        before.say("EHLO client.test")
        users = _settings(relay)["users"]
        users[0]["email_to_salesforce"] = BCC.replace("1-a2n8", "9-z9z9")
        cecilia = {"login": "cecilia", "addresses": ["cecilia@example.com"], "mode": "off"}
        cecilia["tokens"] = [{"name": "Laptop", "sha256": "0" * 64}]
        _write(relay, {"limits": {"message_size": "3MiB"}, "users": [*users, cecilia]})
        done = relay.service.run("reload")
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == [
            "~ limits.message_size 25MiB -> 3MiB",
            "~ user ana: email_to_salesforce *** -> ***",
            "+ user cecilia",
        ]
        assert _size(relay) == b"SIZE 3145728"
        assert b"SIZE 26214400" in before.say("EHLO client.test")
        assert before.submit("ana@example.com", ["kim@buyer.example"], _MAIL).startswith(b"250")
        assert BCC.replace("1-a2n8", "9-z9z9") in relay.mail_for("kim@buyer.example").addresses
        eventually(lambda: "config.loaded: ~ limits.message_size" in relay.service.logs())
        assert "9-z9z9" not in relay.service.logs() + done.stdout + done.stderr
        again = relay.service.run("reload")
        assert (again.returncode, again.stdout) == (0, "")


def test_what_cannot_be_used_changes_nothing(tmp_path: Path) -> None:
    """A mistake that only building finds is told with its line, exit 78, and the earlier settings stay."""
    with running_relay(tmp_path) as relay:
        _write(relay, {"limits": {"message_size": "3MiB"}, "tls": {"certificate": "nowhere.pem"}})
        done = relay.service.run("reload")
        assert done.returncode == 78
        assert "tls.certificate: " in done.stderr
        assert "config.yaml:" in done.stderr
        assert _size(relay) == b"SIZE 26214400"
        eventually(lambda: "config.reload.failed" in relay.service.logs())
        _write(relay, {"limits": {"mesage_size": "3MiB"}})
        unknown = relay.service.run("reload")
        assert unknown.returncode == 78
        assert 'did you mean "message_size"?' in unknown.stderr


def test_sighup_reloads_and_a_bad_file_does_no_harm(tmp_path: Path) -> None:
    """The signal is as good as the command; what is wrong is in the program's log."""
    with running_relay(tmp_path) as relay:
        _write(relay, {"limits": {"message_size": "2MiB"}})
        relay.service.signal(signal.SIGHUP)
        assert eventually(lambda: _size(relay) == b"SIZE 2097152")
        good = relay.service.config.read_text("utf-8")
        relay.service.config.write_text("version: 1\nlisteners: nonsense\n")
        relay.service.signal(signal.SIGHUP)
        assert eventually(lambda: "config.reload.failed" in relay.service.logs())
        assert _size(relay) == b"SIZE 2097152"
        relay.service.config.write_text(good, "utf-8")


def test_a_new_route_and_a_new_certificate_are_used(tmp_path: Path) -> None:
    """Mail that waits for a hop that is away goes by the new route at once; a listener shows its new certificate."""
    with running_relay(tmp_path) as relay, Capture() as other:
        relay.hop.stop()
        with RawClient(relay.gateway) as client:
            client.say("EHLO client.test")
            assert client.submit("ana@example.com", ["kim@buyer.example"], _MAIL).startswith(b"250")
        assert eventually(lambda: "deferred" in relay.states("<reload@example.com>").values())
        leaf = relay.ca.issue_cert("localhost", "new.example.com")
        (relay.folder / "cert.pem").write_bytes(b"".join(pem.bytes() for pem in leaf.cert_chain_pems))
        (relay.folder / "key.pem").write_bytes(leaf.private_key_pem.bytes())
        _write(relay, {"upstream": {"routes": {"main": {"port": other.port}}}})
        done = relay.service.run("reload")
        assert done.returncode == 0, done.stderr
        assert f"~ upstream.routes.main.port {relay.hop.port} -> {other.port}" in done.stdout
        assert relay.service.run("queue", "retry", "--all").returncode == 0
        (message,) = other.wait_for(1)
        assert message.content.endswith(_MAIL)
        with relay.client() as starttls:
            assert _names(starttls.socket) == {"localhost", "new.example.com"}
        with (
            socket.create_connection(("127.0.0.1", relay.submissions), 10) as plain,
            trusting(relay.ca).wrap_socket(plain, server_hostname="localhost") as implicit,
        ):
            assert _names(implicit) == {"localhost", "new.example.com"}


def _names(secured: Any) -> set[str]:
    return {name for _, name in secured.getpeercert()["subjectAltName"]}


def test_without_a_service_reload_says_so(tmp_path: Path) -> None:
    """Exit 69, in one line."""
    with running_relay(tmp_path) as relay:
        assert relay.service.stop() == 0
        done = relay.service.run("reload")
        assert done.returncode == 69
        assert done.stderr.count("\n") == 1


def test_a_rep_who_is_there_already_stops_the_reload(tmp_path: Path) -> None:
    """New settings are held against the reps entered by command, too."""
    with running_relay(tmp_path) as relay:
        added = relay.service.run("user", "add", "cecilia", "--address", "c@example.com", "--mode", "off")
        assert added.returncode == 0, added.stderr
        cecilia = {"login": "Cecilia", "addresses": ["cecilia@example.com"], "mode": "off"}
        _write(relay, {"users": [*_settings(relay)["users"], cecilia]})
        done = relay.service.run("reload")
        assert done.returncode == 78
        assert "ecilia" in done.stderr
        assert "the earlier ones stay" in done.stderr


def test_changed_reps_are_taken_into_use_once(tmp_path: Path) -> None:
    """Whoever asks for them at the same time - the watch, reminders, the page -: one line tells of one change."""
    with running_relay(tmp_path) as relay:

        def told() -> int:
            return relay.service.logs().count("the reps were changed")

        relay.service.run("user", "add", "cecilia", "--address", "c@example.com", "--mode", "off")
        eventually(lambda: told() > 0)
        relay.service.run("user", "set", "cecilia", "--name", "Cecilia")
        eventually(lambda: told() > 1)
        assert relay.service.stop() == 0
        assert told() == 2


def test_systemd_hears_of_start_reload_and_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """READY=1, then RELOADING=1 with the monotonic time and READY=1 again, then STOPPING=1 (sd_notify(3))."""
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(f"{short}/notify")
        notify.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", f"{short}/notify")
        with running_relay(tmp_path) as relay:
            assert notify.recv(100) == b"READY=1"
            relay.service.signal(signal.SIGHUP)
            assert re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=\d+", notify.recv(100))
            assert notify.recv(100) == b"READY=1"
            assert relay.service.stop() == 0
            assert notify.recv(100) == b"STOPPING=1"
