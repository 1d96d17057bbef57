"""Whatever happens to the process, what was answered 250 arrives."""

import random
import threading
from collections import Counter
from pathlib import Path

import pytest

from relay.demo.capture import Capture, Captured
from tests.support.eventually import eventually
from tests.support.raw_client import RawClient
from tests.support.running import BCC, RunningRelay, running_relay

pytestmark = pytest.mark.timeout(400)  # each starts many processes: on a starved machine that takes minutes
_LIMIT = 90.0
_SENDERS = 4


def _message(name: str, size: int) -> bytes:
    body = "".join(f"{name} {line:06d} {'x' * 60}\r\n" for line in range(size // 78 + 1))
    return (
        f"From: ana@example.com\r\nTo: kim@buyer.example\r\nSubject: {name}\r\n"
        f"Date: Mon, 09 Nov 2026 09:14:03 +0100\r\nMessage-ID: <{name}@example.com>\r\n\r\n{body}"
    ).encode()


class Flood:
    """Clients that submit for as long as they are let, and remember what was acknowledged."""

    def __init__(self, relay: RunningRelay, name: str) -> None:
        self._relay, self._name = relay, name
        self.acknowledged: dict[str, bytes] = {}
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._up = threading.Event()
        self._up.set()
        self._threads = [threading.Thread(target=self._send_all, args=(n,)) for n in range(_SENDERS)]

    def __enter__(self) -> "Flood":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._up.set()
        for thread in self._threads:
            thread.join(_LIMIT)

    def wait_for(self, count: int) -> None:
        """Wait until so many messages were acknowledged."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.acknowledged) >= count, _LIMIT)

    def pause(self) -> None:
        """Let nobody connect anew."""
        self._up.clear()

    def resume(self) -> None:
        """Let them connect again."""
        self._up.set()

    def _send_all(self, sender: int) -> None:
        number = 0
        while not self._stopped.is_set():
            self._up.wait(_LIMIT)
            try:
                with RawClient(self._relay.gateway) as client:
                    client.say("EHLO client.test")
                    while not self._stopped.is_set():
                        number += 1
                        self._send(
                            client, f"{self._name}-{sender}-{number}", 200_000 if number % 7 == 0 else 3000
                        )
            except (OSError, ConnectionError):
                continue

    def _send(self, client: RawClient, name: str, size: int) -> None:
        content = _message(name, size)
        answer = client.submit("ana@example.com", [f"{name}@buyer.example"], content)
        if answer.startswith(b"250"):
            with self._changed:
                self.acknowledged[f"{name}@buyer.example"] = content
                self._changed.notify_all()


def _all_in(flood: Flood, captured: list[Captured]) -> bool:
    return flood.acknowledged.keys() <= {address for message in captured for address in message.addresses}


def _check(flood: Flood, captured: list[Captured], crashes: int) -> None:
    """Nothing acknowledged is lost or changed; nothing comes more often than a crash can repeat it."""
    copies: Counter[str] = Counter()
    for message in captured:
        for address in message.addresses:
            copies[address] += 1
            if address in flood.acknowledged:
                assert message.content.endswith(flood.acknowledged[address])
                assert BCC in message.addresses
    del copies[BCC]
    assert not flood.acknowledged.keys() - copies.keys()
    assert max(copies.values()) <= 1 + crashes


@pytest.mark.parametrize("seed", [1, 2])
def test_kill_nine_loses_nothing(tmp_path: Path, seed: int) -> None:
    """Killed in the midst of a flood, three times at moments drawn by lot, it delivers all it acknowledged."""
    chance = random.Random(seed)
    with running_relay(tmp_path, {"limits": {"connections": {"per_network": 500}}}) as relay:
        with Flood(relay, "crash") as flood:
            for _ in range(3):
                flood.wait_for(len(flood.acknowledged) + chance.randint(1, 60))
                relay.service.kill()
                flood.pause()
                relay.service.start()
                flood.resume()
            flood.wait_for(len(flood.acknowledged) + 10)
        captured = relay.hop.wait_until(lambda all_: _all_in(flood, all_), _LIMIT)
        assert len(flood.acknowledged) > 12
        _check(flood, captured, crashes=3)


def test_a_graceful_stop_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    """Asked to stop in the midst of a flood it ends with 0; what it acknowledged arrives exactly once."""
    with running_relay(tmp_path) as relay:
        with Flood(relay, "stop") as flood:
            flood.wait_for(40)
            flood.pause()
            assert relay.service.stop() == 0
            relay.service.start()
            flood.resume()
            flood.wait_for(len(flood.acknowledged) + 10)
        captured = relay.hop.wait_until(lambda all_: _all_in(flood, all_), _LIMIT)
        _check(flood, captured, crashes=0)


def test_a_hop_that_was_away_gets_everything_later(tmp_path: Path) -> None:
    """Accepted while the next hop was down, sent when an operator says retry after it came back."""
    with running_relay(tmp_path) as relay:
        relay.hop.stop()
        with RawClient(relay.gateway) as client:
            client.say("EHLO client.test")
            content = _message("away", 3000)
            assert client.submit("ana@example.com", ["away@buyer.example"], content).startswith(b"250")
        eventually(lambda: relay.states("<away@example.com>").get("away@buyer.example") == "deferred")
        with Capture(port=relay.hop.port) as back:
            done = relay.service.run("queue", "retry", "--all")
            assert done.returncode == 0, done.stderr
            (message,) = back.wait_for(1)
        assert message.content.endswith(content)
