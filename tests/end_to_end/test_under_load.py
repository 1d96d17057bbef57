"""Reloads and backups while mail pours in: nothing acknowledged is lost, nobody is cut off."""

from pathlib import Path

import yaml

from relay.demo.capture import Capture
from tests.end_to_end.test_crash import Flood
from tests.support.running import running_relay

_LIMIT = 60.0


def test_reloads_under_load_lose_and_repeat_nothing(tmp_path: Path) -> None:
    """Settings are swapped five times in the midst of a flood; what was acknowledged arrives exactly once."""
    with running_relay(tmp_path) as relay:
        settings = yaml.safe_load(relay.service.config.read_text("utf-8"))
        with Flood(relay, "reload") as flood:
            for size in (30, 31, 32, 33, 34):
                flood.wait_for(len(flood.acknowledged) + 10)
                settings["limits"]["message_size"] = f"{size}MiB"
                relay.service.config.write_text(yaml.safe_dump(settings, allow_unicode=True), "utf-8")
                done = relay.service.run("reload")
                assert done.returncode == 0, done.stderr
            flood.wait_for(len(flood.acknowledged) + 10)
        arrived = relay.hop.wait_until(
            lambda all_: flood.acknowledged.keys() <= {a for one in all_ for a in one.addresses}, _LIMIT
        )
        for address, content in flood.acknowledged.items():
            (message,) = [one for one in arrived if address in one.addresses]
            assert message.content.endswith(content)
        assert "Traceback" not in relay.service.logs()


def test_a_backup_under_load_holds_all_that_was_acknowledged_before(tmp_path: Path) -> None:
    """Made in a flood while the next hop is away; restored and released it delivers each of them once."""
    with running_relay(tmp_path) as relay:
        relay.hop.stop()
        backup, into = tmp_path / "backup", tmp_path / "new"
        with Flood(relay, "backup") as flood:
            flood.wait_for(40)
            before = dict(flood.acknowledged)
            done = relay.service.run("backup", str(backup))
            assert done.returncode == 0, done.stderr
            flood.wait_for(len(flood.acknowledged) + 5)
        relay.service.kill()
        done = relay.service.run("restore", str(backup), "--into", str(into))
        assert done.returncode == 0, done.stderr
        settings = yaml.safe_load(relay.service.config.read_text("utf-8"))
        settings["server"]["state_dir"] = str(into)
        relay.service.config.write_text(yaml.safe_dump(settings, allow_unicode=True), "utf-8")
        with Capture(port=relay.hop.port) as back:
            relay.service.start()
            assert relay.service.run("queue", "release", "--all").returncode == 0
            arrived = back.wait_until(
                lambda all_: before.keys() <= {a for one in all_ for a in one.addresses}, _LIMIT
            )
            for address, content in before.items():
                (message,) = [one for one in arrived if address in one.addresses]
                assert message.content.endswith(content)
            assert relay.service.stop() == 0
