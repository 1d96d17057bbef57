"""A service that is told to stop finishes what it has begun; told twice, it does not wait."""

import signal
import socket
import threading
from pathlib import Path

from relay.demo.captured import Manners
from tests.support.eventually import eventually
from tests.support.raw_client import RawClient
from tests.support.running import RunningRelay, running_relay

_LONG = 60.0
_MAIL = (
    b"From: ana@example.com\r\nSubject: stop\r\nDate: Mon, 9 Nov 2026 09:14:03 +0100\r\n"
    b"Message-ID: <stop@example.com>\r\n\r\nthe first half\r\n"
)


def _begin_data(client: RawClient) -> None:
    """Get a client to the middle of its data."""
    client.say("EHLO client.test")
    client.say("MAIL FROM:<ana@example.com>")
    client.say("RCPT TO:<kim@buyer.example>")
    assert client.say("DATA").startswith(b"354")
    client.send(_MAIL)


def _closed(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return True
    return False


def _deliveries(relay: RunningRelay) -> dict[str, str]:
    return relay.states("<stop@example.com>")


def test_data_under_way_gets_its_250_and_idle_sessions_421(tmp_path: Path) -> None:
    """Ports close at once; a message that has begun is taken, kept and delivered once; then it ends with 0."""
    with running_relay(tmp_path) as relay:
        with RawClient(relay.gateway) as busy, RawClient(relay.gateway) as idle:
            _begin_data(busy)
            idle.say("EHLO idle.test")
            relay.service.signal(signal.SIGTERM)
            assert idle.reply().startswith(b"421 ")
            assert eventually(lambda: _closed(relay.gateway))
            busy.send(b"the second half\r\n.\r\n")
            assert busy.reply().startswith(b"250 ")
            assert busy.reply().startswith(b"421 ")
        assert relay.service.wait() == 0
        relay.service.start()
        taken = relay.mail_for("kim@buyer.example")
        assert taken.content.endswith(b"the first half\r\nthe second half\r\n")
        assert eventually(lambda: set(_deliveries(relay).values()) == {"sent"})
        assert len(relay.hop.messages) == 1


def test_a_second_signal_does_not_wait(tmp_path: Path) -> None:
    """A client that never ends its data keeps nobody: with the second signal the service ends within seconds."""
    with running_relay(tmp_path) as relay, RawClient(relay.gateway) as busy:
        _begin_data(busy)
        relay.service.signal(signal.SIGTERM)
        assert eventually(lambda: _closed(relay.gateway))
        assert relay.service.running
        relay.service.signal(signal.SIGTERM)
        assert relay.service.wait(15) == 0
        assert relay.hop.messages == []


def test_attempts_that_do_not_end_give_their_leases_back(tmp_path: Path) -> None:
    """What a stalled hop has not answered is queued again by the stop itself, and sent by the next start."""
    answers = threading.Event()

    def stall(_: str) -> None:
        answers.wait(_LONG)

    try:
        with running_relay(tmp_path, manners=Manners(verdict=stall)) as relay:
            with RawClient(relay.gateway) as client:
                client.say("EHLO client.test")
                assert client.submit("ana@example.com", ["kim@buyer.example"], _MAIL).startswith(b"250")
            assert eventually(lambda: set(_deliveries(relay).values()) == {"active"})
            relay.service.signal(signal.SIGTERM)
            assert eventually(lambda: _closed(relay.gateway))
            relay.service.signal(signal.SIGTERM)
            assert relay.service.wait(15) == 0
            assert set(_deliveries(relay).values()) == {"queued"}
            assert "2 deliveries were queued again" in relay.service.logs()
            answers.set()
            relay.service.start()
            assert eventually(lambda: set(_deliveries(relay).values()) == {"sent"})
    finally:
        answers.set()


def test_relay_stop_waits_for_the_end(tmp_path: Path) -> None:
    """It answers 0 when the service has ended, 75 when it has not in time, and 69 when there is none."""
    with running_relay(tmp_path) as relay:
        with RawClient(relay.gateway) as busy:
            _begin_data(busy)
            late = relay.service.run("stop", "--wait", "500ms")
            assert late.returncode == 75, late.stderr
            assert "still finishes" in late.stderr
            at_once = relay.service.run("stop", "--wait", "20s")
            assert at_once.returncode == 0, at_once.stderr
        assert relay.service.wait() == 0
        none = relay.service.run("stop")
        assert none.returncode == 69
        assert none.stderr.startswith("relay: no service runs in ")


def test_relay_stop_waits_for_a_service_that_is_idle(tmp_path: Path) -> None:
    """Once, without anything under way: it is over when the command is."""
    with running_relay(tmp_path) as relay:
        done = relay.service.run("stop")
        assert done.returncode == 0, done.stderr
        assert relay.service.wait(20) == 0
