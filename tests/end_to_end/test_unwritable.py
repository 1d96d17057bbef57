"""A spool that cannot be written, a database that was taken away: mail is refused for now, and taken again by itself."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.eventually import eventually
from tests.support.raw_client import RawClient
from tests.support.running import RunningRelay, running_relay

SMALL, LARGE = 2000, 200_000


def _frozen(folder: Path, *, yes: bool) -> None:
    """Have a folder take and lose no file; what is open in it can be written."""
    done = subprocess.run(["chattr", "+i" if yes else "-i", str(folder)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(
            "a folder cannot be made immutable here: that takes root, and a file system that knows it"
        )


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Path]:
    """Give where the spool will be; it can be written again at the end."""
    folder = tmp_path / "s" / "spool"
    yield folder
    if folder.exists():
        _frozen(folder, yes=False)


def _mail(name: str, octets: int) -> bytes:
    head = f"From: ana@example.com\r\nSubject: {name}\r\nMessage-ID: <{name}@example.com>\r\n"
    return (
        f"{head}Date: Mon, 9 Nov 2026 09:14:03 +0100\r\n\r\n".encode() + b"x" * 76 * (octets // 76) + b"\r\n"
    )


def _submit(relay: RunningRelay, name: str, octets: int) -> bytes:
    with RawClient(relay.gateway) as client:
        client.say("EHLO client.test")
        return client.submit("ana@example.com", [f"{name}@buyer.example"], _mail(name, octets))


def test_a_spool_that_takes_no_file(tmp_path: Path, spool: Path) -> None:
    """Large mail is 451 4.3.0, small mail goes; one whose file is stuck there costs neither its session nor the stop."""
    with running_relay(tmp_path, {"server": {"state_dir": str(spool.parent)}}) as relay:
        with RawClient(relay.gateway) as begun, RawClient(relay.gateway) as gone:
            for client in (begun, gone):
                client.say("EHLO client.test")
                client.say("MAIL FROM:<ana@example.com>")
                client.say("RCPT TO:<begun@buyer.example>")
                client.say("DATA")
                client.send(_mail("begun", LARGE))
            eventually(lambda: spool.exists() and len(list(spool.iterdir())) == 2)
            _frozen(spool, yes=True)
            assert _submit(relay, "large", LARGE).startswith(b"451 4.3.0 ")
            assert _submit(relay, "small", SMALL).startswith(b"250 ")
            relay.mail_for("small@buyer.example")
            gone.close()
            assert begun.say("bad\nline\r\n.").startswith(b"554 5.5.2 ")  # its file is to go, and does not
            assert begun.say("NOOP").startswith(b"250 ")
            _frozen(spool, yes=False)
            assert _submit(relay, "again", LARGE).startswith(b"250 ")
            relay.mail_for("again@buyer.example")
            begun.say("QUIT")
        assert relay.service.stop(limit=25.0) == 0
        assert "Traceback" not in relay.service.logs()


def test_a_database_that_was_taken_away(tmp_path: Path) -> None:
    """While its file is gone, or another one stands in its place, nothing is answered 250 that no start would find again."""
    database = tmp_path / "s" / "relay.db"
    changes = {"server": {"state_dir": str(database.parent)}, "limits": {"minimum_free_disk": "0B"}}
    with running_relay(tmp_path, changes) as relay:
        assert _submit(relay, "before", SMALL).startswith(b"250 ")
        relay.mail_for("before@buyer.example")
        aside = database.rename(database.with_name("aside.db"))
        assert eventually(lambda: _submit(relay, "gone", SMALL).startswith(b"452 4.3.1 "))
        database.write_bytes(b"another one")
        assert eventually(lambda: _submit(relay, "another", SMALL).startswith(b"452 4.3.1 "))
        aside.rename(database)
        assert eventually(lambda: _submit(relay, "after", SMALL).startswith(b"250 "))
        relay.mail_for("after@buyer.example")
        eventually(lambda: "takes no more mail" in relay.service.logs())
