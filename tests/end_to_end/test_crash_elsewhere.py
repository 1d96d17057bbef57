"""Killed outside the way of a message: in a claim, in commands, in clearing away, at the start, in reload and stop."""

import signal
import time
from pathlib import Path

import pytest
import yaml

from relay.demo.capture import Manners
from relay.storage.migrate import migrations
from tests.support.crash_left import Snapshot
from tests.support.crash_load import Load, settle_accounts
from tests.support.crash_stage import KILLED, Stage, crash_stage
from tests.support.eventually import eventually
from tests.support.raw_client import RawClient

pytestmark = pytest.mark.timeout(400)  # each starts many processes: on a starved machine that takes minutes
SMALL, LARGE = 2000, 200_000
MAIN, REFUSED = "victim@buyer.example", "refuse-victim@buyer.example"


class Once:
    """A hop's verdict that defers a recipient later… the first time, and refuses refuse…"""

    def __init__(self) -> None:
        self._deferred: set[str] = set()

    def __call__(self, address: str) -> str | None:
        """Give the answer to RCPT."""
        if address.startswith("refuse"):
            return "550 5.1.1 No such mailbox here"
        if address.startswith("victim") and address not in self._deferred:
            self._deferred.add(address)
            return "451 4.2.0 Come again"
        return None


def _drained(stage: Stage, load: Load, left: Snapshot) -> None:
    """Start it again, unarmed: all ends, once, and it stops in good order."""
    stage.age_spool()
    stage.start()
    stage.wait_until_empty()
    settle_accounts(load.sent, stage.arrived, left)
    assert stage.service.stop() == 0
    assert "Traceback" not in stage.service.logs()


def test_killed_between_claim_and_attempt(tmp_path: Path) -> None:
    """Point 11: a claim is committed and nothing begun; what was claimed is active, and is sent once."""
    with crash_stage(tmp_path, manners=Manners(verdict=Once())) as stage:
        stage.start("11")
        with Load(stage.relay.gateway) as load:
            load.wait_for(12)
            assert load.submit("victim", [MAIN], LARGE).startswith(b"250")
            assert stage.service.wait() == KILLED
        left = stage.snapshot()
        victim = left.of("victim")
        assert victim is not None
        assert victim.states == {"active"}
        assert victim.content == "spool"
        assert "delivery.deferred" in victim.events
        _drained(stage, load, left)


def _fill(stage: Stage, load: Load, messages: int, recipients: int, octets: int = SMALL) -> None:
    """Submit mail for so many recipients each, to a hop that is away."""
    stage.hop.stop()
    stage.start()
    for number in range(messages):
        name = f"full-{number}"
        addresses = [f"{name}-{each}@buyer.example" for each in range(recipients)]
        assert load.submit(name, addresses, octets).startswith(b"250")


def test_killed_between_two_slices_of_a_verb(tmp_path: Path) -> None:
    """Point 19: what was committed is held, the rest is not; the same command once more holds the rest."""
    with crash_stage(tmp_path) as stage, Load(stage.relay.gateway, senders=0) as load:
        _fill(stage, load, 15, 100)
        eventually(lambda: stage.states().get("active", 0) == 0)
        stage.service.dies_at("19", "queue", "hold", "--all")
        assert stage.states()["held"] == 1000

        def held() -> bool:
            # A delivery that was attempted just then is not held, and deferred again; the next time it is.
            again = stage.service.run("queue", "hold", "--all")
            assert again.returncode == 0, again.stderr
            return stage.states() == {"held": 15 * 101}

        eventually(held, limit=120.0)
        assert stage.service.stop() == 0
        left = stage.snapshot()
        stage.hop_back()
        stage.start()
        assert stage.service.run("queue", "release", "--all").returncode == 0
        stage.wait_until_empty()
        settle_accounts(load.sent, stage.arrived, left)


def test_killed_in_the_sweep(tmp_path: Path) -> None:
    """Point 20: of two orphans one is gone; the next start removes the other, and no file of a living message."""
    with crash_stage(tmp_path) as stage, Load(stage.relay.gateway, senders=0) as load:
        _fill(stage, load, 2, 1, LARGE)
        stage.service.kill()
        living = stage.spool_files()
        assert len(living) == 2
        for name in ("0" * 32, "f" * 32):
            (stage.state / "spool" / name).write_bytes(b"left behind")
        stage.age_spool()
        stage.service.dies_at("20a", "serve")
        left = stage.snapshot()
        assert stage.spool_files() >= living
        stage.hop_back()
        _drained(stage, load, left)


def test_killed_in_the_deletion_of_old_events(tmp_path: Path) -> None:
    """Point 20: what was deleted in a transaction that did not end is there; the next start deletes it."""
    with crash_stage(tmp_path, {"retention": {"events": "1s"}}) as stage:
        stage.start()
        with Load(stage.relay.gateway, senders=0) as load:
            assert load.submit("old", ["old@buyer.example"], SMALL).startswith(b"250")
            stage.wait_until_empty()
        stage.service.kill()
        time.sleep(1.1)  # the span of retention.events
        stage.service.dies_at("20b", "serve")
        assert stage.events() > 0
        stage.start()
        eventually(lambda: stage.events() == 0)
        stage.wait_until_empty()


def test_killed_while_the_schema_is_brought_up_to_date(tmp_path: Path) -> None:
    """Point 21: the earlier schema is left, and the earlier program goes on with it."""
    with crash_stage(tmp_path) as stage, Load(stage.relay.gateway, senders=0) as load:
        _fill(stage, load, 3, 2)
        stage.service.kill()
        before = stage.snapshot()
        stage.service.dies_at("21", "serve")
        left = stage.snapshot()
        assert left.version == before.version == migrations()[-1].version
        stage.hop_back()
        _drained(stage, load, left)


def test_killed_while_the_first_schema_is_made(tmp_path: Path) -> None:
    """Point 21: at the very first start there is a file without a schema; the next start makes it."""
    with crash_stage(tmp_path) as stage, Load(stage.relay.gateway, senders=0) as load:
        stage.service.dies_at("21", "serve")
        left = stage.snapshot()
        assert left.version == 0
        stage.start()
        assert load.submit("first", ["first@buyer.example"], SMALL).startswith(b"250")
        stage.wait_until_empty()
        assert len(stage.arrived) == 1


def test_killed_in_a_backup(tmp_path: Path) -> None:
    """Point 22: the earlier backup is as it was, the service does not notice, and the next backup clears its links."""
    file = tmp_path / "backup.tar"
    with crash_stage(tmp_path) as stage, Load(stage.relay.gateway, senders=0) as load:
        _fill(stage, load, 2, 1, LARGE)
        assert stage.service.run("backup", str(file)).returncode == 0
        earlier = file.read_bytes()
        stage.service.dies_at("22", "backup", str(file), "--replace")
        assert file.read_bytes() == earlier
        (links,) = stage.state.glob(".backup-*")
        assert len(list(links.iterdir())) == 2
        assert list(tmp_path.glob(".backup.tar.*"))
        stage.hop_back()
        stage.service.run("queue", "retry", "--all")
        stage.wait_until_empty()
        stage.make_old(links)
        again = stage.service.run("backup", str(file), "--replace")
        assert again.returncode == 0, again.stderr
        assert not list(stage.state.glob(".backup-*"))
        settle_accounts(load.sent, stage.arrived, _closed_once(stage))


def _closed_once(stage: Stage) -> Snapshot:
    stage.service.kill()
    return stage.snapshot()


@pytest.mark.parametrize("point", ["23a", "23b"])
def test_killed_in_a_restore(tmp_path: Path, point: str) -> None:
    """Point 23: a folder without a database is left, into which nothing is restored until it is removed."""
    file, into = tmp_path / "backup.tar", tmp_path / "restored"
    with crash_stage(tmp_path) as stage, Load(stage.relay.gateway, senders=0) as load:
        _fill(stage, load, 2, 1, LARGE)
        assert stage.service.run("backup", str(file)).returncode == 0
        stage.service.kill()
        stage.service.dies_at(point, "restore", str(file), "--into", str(into))
        assert not (into / "relay.db").exists()
        assert [each for each in into.iterdir() if each.name != "relay.lock"]
        refused = stage.service.run("restore", str(file), "--into", str(into))
        assert refused.returncode == 1
        assert "is not empty" in refused.stderr
        stage.replace_state(into, lambda: stage.service.run("restore", str(file), "--into", str(into)))
        left = stage.snapshot()
        assert {state for one in left.messages for state in one.states} == {"held"}
        stage.hop_back()
        stage.start()
        assert stage.service.run("queue", "release", "--all").returncode == 0
        stage.wait_until_empty()
        settle_accounts(load.sent, stage.arrived, left)


def test_killed_in_a_reload(tmp_path: Path) -> None:
    """Point 24: nothing is left of it but the file, by which the next start goes."""
    with crash_stage(tmp_path) as stage:
        stage.start("24")
        with Load(stage.relay.gateway) as load:
            load.wait_for(12)
            settings = yaml.safe_load(stage.service.config.read_text("utf-8"))
            settings["limits"]["message_size"] = "7MiB"
            stage.service.config.write_text(yaml.safe_dump(settings, allow_unicode=True), "utf-8")
            assert stage.service.run("reload").returncode != 0
            assert stage.service.wait() == KILLED
        left = stage.snapshot()
        stage.age_spool()
        stage.start()
        with RawClient(stage.relay.gateway) as client:
            assert f"SIZE {7 << 20}".encode() in client.say("EHLO client.test")
        stage.wait_until_empty()
        settle_accounts(load.sent, stage.arrived, left)


def test_killed_in_an_orderly_stop(tmp_path: Path) -> None:
    """Point 25: an attempt under way is active still, and the next start makes it again."""
    with crash_stage(tmp_path) as stage:
        stage.start("25")
        with Load(stage.relay.gateway) as load:
            load.wait_for(12)
            assert load.submit("victim", [MAIN, REFUSED], LARGE).startswith(b"250")
            stage.service.signal(signal.SIGTERM)
            assert stage.service.wait() == KILLED
        left = stage.snapshot()
        victim = left.of("victim")
        assert victim is not None
        assert victim.states == {"active"}
        _drained(stage, load, left)


def test_killed_while_its_log_key_is_made(tmp_path: Path) -> None:
    """Point 26: a key that was begun and not finished does not keep the next start from making one."""
    with crash_stage(tmp_path, {"logs": {"addresses": "hash"}}) as stage:
        stage.service.dies_at("26", "serve")
        stage.start()
        assert len((stage.state / "logs.key").read_bytes()) == 32
        assert [each.name for each in stage.state.glob("logs.key*")] == ["logs.key"]
