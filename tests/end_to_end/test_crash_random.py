"""Killed at random moments, with a hop of bad temper, and on a disk that does not answer: nobody is left without word.

RELAY_TEST_CRASHES says how often each of the two loops is killed; by default so often that it takes half a minute.
"""

import os
import random
import re
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import pytest

from relay.demo.captured import Captured
from tests.support.crash_load import Account, Load, settle_accounts
from tests.support.crash_stage import KILLED, Stage, crash_stage
from tests.support.moody_hop import MoodyHop
from tests.support.raw_client import RawClient

CRASHES = int(os.environ.get("RELAY_TEST_CRASHES", "6"))
_MOMENT = 1.0
"""Seconds after the start within which it is killed."""


def _three(name: str, number: int) -> Sequence[str]:
    return [f"{name}-{each}@buyer.example" for each in range(1 + number % 3)]


def _reported(captured: Sequence[Captured]) -> dict[str, Counter[str]]:
    """Give the failed recipients that reports name, each with the reports (by Message-ID) and how often they came."""
    told: dict[str, Counter[str]] = defaultdict(Counter)
    for one in captured:
        if one.sender == "":
            (identity,) = re.findall(
                rb"^Message-ID: *\s*(<[^>]+>)", one.content, re.MULTILINE | re.IGNORECASE
            )[:1]
            for address in re.findall(rb"Final-Recipient: rfc822; *(\S+)", one.content):
                told[address.decode()][identity.decode()] += 1
    return told


@pytest.mark.timeout(240 + CRASHES * 30)
@pytest.mark.parametrize(
    ("loop", "power"),
    [("", ""), ("asyncio", ""), ("", "power")],
    ids=["installed", "asyncio", "unsynced writes are lost"],
)
def test_killed_at_random(tmp_path: Path, loop: str, power: str) -> None:
    """Whatever was acknowledged has arrived or was reported to its sender, once, but for what a crash may repeat."""
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")  # noqa: T201 - pytest shows it when the test fails
    dice = random.Random(seed)
    with MoodyHop(seed) as hop, crash_stage(tmp_path, loop=loop, hop=hop) as stage:
        stage.start(power)
        with Load(stage.relay.gateway, recipients=_three, pause=0.01) as load:
            for _ in range(CRASHES):
                load.wait_for(load.acknowledged + dice.randrange(20))
                time.sleep(dice.random() * _MOMENT)
                if power:
                    stage.service.signal(signal.SIGUSR1)
                    assert stage.service.wait() == KILLED
                else:
                    stage.service.kill()
                stage.age_spool()
                stage.start(power)
            load.wait_for(load.acknowledged + 10)
        hop.calm = True
        stage.service.run("queue", "retry", "--all")
        stage.wait_until_empty()
        stage.service.kill()
        _all_accounted_for(stage, load, hop)
        assert "Traceback" not in stage.service.logs()


def _all_accounted_for(stage: Stage, load: Load, hop: MoodyHop) -> None:
    account, told = Account(stage.arrived), _reported(stage.arrived)
    stored = {one.name: one for one in stage.snapshot().messages if not one.report}
    assert load.acknowledged > 5 * CRASHES
    assert account.contents.keys() <= stored.keys()
    for name, one in load.sent.items():
        assert name in stored or not one.acknowledged, name
        if name not in stored:
            assert not any(account.copies[address] or told[address] for address in one.recipients)
            continue
        states = {target: state for _, target, state in stored[name].deliveries}
        for address in one.recipients:
            if states[address] == "sent":
                assert account.copies[address] >= 1, address
                assert not told[address], address
            else:
                assert states[address] == "bounced", (address, states)
                assert len(told[address]) == 1, (address, told[address])
            assert account.copies[address] <= 1 + CRASHES + hop.unanswered[address]
        if "sent" in (states[address] for address in one.recipients):
            assert account.log_copies[name] >= 1, name
        if name in account.contents:
            assert account.contents[name].endswith(one.content)
    twice = sum(
        account.copies[each] > 1 + hop.unanswered[each]
        for one in load.sent.values()
        for each in one.recipients
    )
    # Only what is between its final dot and its settlement when the crash comes: far less than all that is under way.
    print(f"{load.acknowledged} acknowledged, {twice} recipients got mail twice for {CRASHES} crashes")  # noqa: T201 - the same


def test_a_commit_that_is_slow_is_answered_in_time(tmp_path: Path) -> None:
    """Whose commit takes longer than the limit is told 451 within it; what was told 250 arrives, nothing twice."""
    with crash_stage(tmp_path) as stage:
        stage.service.stuck = "16"
        stage.start("slow commit")
        with Load(stage.relay.gateway) as load:
            load.wait_for(12)
            began = time.monotonic()
            answer = load.submit("victim", ["victim@buyer.example"], 2000)
            assert answer.startswith(b"451 4.3.0")
            assert time.monotonic() - began < 14
            load.wait_for(load.acknowledged + 12)
        stage.wait_until_empty()
        assert stage.service.stop() == 0
        account = settle_accounts(load.sent, stage.arrived, stage.snapshot())
        assert account.copies["victim@buyer.example"] == 1
        assert "Traceback" not in stage.service.logs()


def test_a_commit_that_never_ends_answers_everybody_and_loses_nothing(tmp_path: Path) -> None:
    """Everybody is told 451 in time, connections still are served, and after a kill what was told 250 arrives."""
    with crash_stage(tmp_path) as stage:
        stage.start("slow commit")
        with Load(stage.relay.gateway) as load:
            load.wait_for(12)
            assert load.submit("victim", ["victim@buyer.example"], 200_000).startswith(b"451 4.3.0")
            for number in range(3):
                began = time.monotonic()
                answer = load.submit(f"late-{number}", [f"late-{number}@buyer.example"], 2000)
                assert answer.startswith(b"451 4.3.0")
                assert time.monotonic() - began < 30
            with RawClient(stage.relay.gateway) as client:
                assert client.say("NOOP").startswith(b"250")
            stage.service.kill()
        left = stage.snapshot()
        stage.age_spool()
        stage.start()
        stage.wait_until_empty()
        settle_accounts(load.sent, stage.arrived, left)
        assert "Traceback" not in stage.service.logs()
