"""A disk that is low or full: 452 4.3.1 at the door, nothing half accepted, and mail again by itself."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.eventually import eventually
from tests.support.raw_client import RawClient
from tests.support.running import RunningRelay, running_relay

_DISK = 24 << 20
_LARGE = 3 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a folder with a file system of 24 MiB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_DISK},mode=0700", "relay-test", str(place)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("a small tmpfs cannot be mounted here: that takes root")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def _mail(name: str, octets: int = 100) -> bytes:
    head = f"From: ana@example.com\r\nSubject: {name}\r\nMessage-ID: <{name}@example.com>\r\n"
    return f"{head}Date: Mon, 9 Nov 2026 09:14:03 +0100\r\n\r\n".encode() + (
        (b"x" * 76 + b"\r\n") * (octets // 78 + 1)
    )


def _submit(relay: RunningRelay, name: str, octets: int = 100) -> bytes:
    with RawClient(relay.gateway) as client:
        client.say("EHLO client.test")
        return client.submit("ana@example.com", [f"{name}@buyer.example"], _mail(name, octets))


def _fill(place: Path, leave: int = 0) -> Path:
    """Fill the disk up to so many octets."""
    filler = place / "filler"
    with filler.open("ab", buffering=0) as file:
        for size in (1 << 20, 4096):
            try:
                while _free(place) - size >= leave:
                    file.write(b"\0" * size)
            except OSError:
                continue
    return filler


def _free(place: Path) -> int:
    return shutil.disk_usage(place).free


def test_below_the_reserve_the_door_says_452(tmp_path: Path) -> None:
    """While less is free than limits.minimum_free_disk no mail is begun; with enough it is taken again."""
    with running_relay(tmp_path, {"limits": {"minimum_free_disk": "999999GiB"}}) as relay:
        assert _submit(relay, "low").startswith(b"452 4.3.1 ")
        settings = yaml.safe_load(relay.service.config.read_text("utf-8"))
        settings["limits"]["minimum_free_disk"] = "0B"
        relay.service.config.write_text(yaml.safe_dump(settings, allow_unicode=True), "utf-8")
        assert relay.service.run("reload").returncode == 0
        assert _submit(relay, "low").startswith(b"250 ")
        relay.mail_for("low@buyer.example")


def test_a_disk_that_runs_low_is_seen_and_recovers(tmp_path: Path, small_disk: Path) -> None:
    """The reserve is looked at all the time: 452 when it is touched, 250 when there is room again."""
    changes = {
        "server": {"state_dir": str(small_disk / "state")},
        "limits": {"minimum_free_disk": "8MiB"},
    }
    with running_relay(tmp_path, changes) as relay:
        assert _submit(relay, "before").startswith(b"250 ")
        filler = _fill(small_disk, leave=4 << 20)
        assert eventually(lambda: _submit(relay, "low").startswith(b"452 4.3.1 "))
        filler.unlink()
        assert eventually(lambda: _submit(relay, "after").startswith(b"250 "))
        relay.mail_for("after@buyer.example")


def test_a_full_disk_accepts_nothing_by_halves(tmp_path: Path, small_disk: Path) -> None:
    """With every write failing, small and large mail get 452 4.3.1; what got 250 is delivered, nothing else is."""
    changes = {"server": {"state_dir": str(small_disk / "state")}, "limits": {"minimum_free_disk": "0B"}}
    with running_relay(tmp_path, changes) as relay:
        assert _submit(relay, "first").startswith(b"250 ")
        relay.mail_for("first@buyer.example")
        filler = _fill(small_disk)
        taken, refused = {"first@buyer.example"}, 0
        for number in range(40):
            name = f"full-{number}"
            answer = _submit(relay, name, _LARGE if number % 4 == 0 else 2000)
            if answer.startswith(b"250 "):
                taken.add(f"{name}@buyer.example")
            else:
                assert answer.startswith(b"452 4.3.1 "), answer
                refused += 1
        assert refused >= 10
        filler.unlink()
        assert eventually(lambda: _submit(relay, "after").startswith(b"250 "))
        assert _submit(relay, "after-large", _LARGE).startswith(b"250 ")
        taken |= {"after@buyer.example", "after-large@buyer.example"}
        relay.hop.wait_until(lambda all_: taken <= {a for one in all_ for a in one.addresses})
        assert eventually(lambda: not list((small_disk / "state" / "spool").iterdir()))
        assert eventually(lambda: relay.service.run("queue", "list", "--json").stdout.count('"id"') == 0)
        seen = {a for one in relay.hop.messages for a in one.addresses if a.endswith("@buyer.example")}
        assert seen == taken
        assert "Traceback" not in relay.service.logs()
        assert relay.service.stop() == 0
