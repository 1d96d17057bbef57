"""The restore drill: a backup of a working relay, put back elsewhere, released by hand, delivers what it holds."""

import json
from pathlib import Path

import yaml

from relay.demo.capture import Capture
from tests.support.eventually import eventually
from tests.support.raw_client import RawClient
from tests.support.running import running_relay


def _mail(name: str, octets: int) -> bytes:
    head = f"From: ana@example.com\r\nSubject: {name}\r\nMessage-ID: <{name}@example.com>\r\n"
    return f"{head}Date: Mon, 9 Nov 2026 09:14:03 +0100\r\n\r\n".encode() + (b"x" * 76 + b"\r\n") * (
        octets // 78
    )


def test_a_backup_of_a_working_relay_is_put_back_and_released(tmp_path: Path) -> None:
    """Restored mail is held until it is released; then it arrives byte for byte, large content too."""
    sent = {
        f"{name}@buyer.example": _mail(name, octets) for name, octets in (("small", 2000), ("large", 300_000))
    }
    with running_relay(tmp_path) as relay:
        relay.hop.stop()
        with RawClient(relay.gateway) as client:
            client.say("EHLO client.test")
            for recipient, content in sent.items():
                assert client.submit("ana@example.com", [recipient], content).startswith(b"250")
        backup, into = tmp_path / "backup.tar", tmp_path / "restored"
        done = relay.service.run("backup", str(backup), "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["items"][0]["spool_files"] == 1
        checked = relay.service.run("restore", str(backup), "--check")
        assert (checked.returncode, checked.stdout.splitlines()[-1]) == (0, "the backup is sound")
        state_dir = yaml.safe_load(relay.service.config.read_text("utf-8"))["server"]["state_dir"]
        refused = relay.service.run("restore", str(backup), "--into", state_dir)
        assert refused.returncode == 75, refused.stderr
        assert relay.service.stop() == 0

        restored = relay.service.run("restore", str(backup), "--into", str(into))
        assert restored.returncode == 0, restored.stderr
        again = relay.service.run("restore", str(backup), "--into", str(into))
        assert again.returncode == 1
        settings = yaml.safe_load(relay.service.config.read_text("utf-8"))
        settings["server"]["state_dir"] = str(into)
        relay.service.config.write_text(yaml.safe_dump(settings, allow_unicode=True), "utf-8")
        with Capture(port=relay.hop.port) as back:
            relay.service.start()
            assert relay.service.run("queue", "retry", "--all").returncode == 0
            listed = json.loads(relay.service.run("queue", "list", "--json").stdout)["items"]
            assert {item["state"] for item in listed} == {"held"}
            assert all(item["reason"].startswith("restored from a backup of ") for item in listed)
            assert back.messages == []
            assert relay.service.run("queue", "release", "--all").returncode == 0
            taken = back.wait_for(2)
            for recipient, content in sent.items():
                (message,) = [one for one in taken if recipient in one.addresses]
                assert message.content.endswith(content)
            assert eventually(lambda: set(relay.states("<large@example.com>").values()) == {"sent"})
            relay.service.stop()
