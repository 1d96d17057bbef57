"""What a running service shows of itself: metrics of the queue, the store and reloads, and hashed addresses."""

import json
import re
import urllib.request
from pathlib import Path

from relay.demo.service import free_ports
from tests.support.eventually import eventually
from tests.support.raw_client import RawClient
from tests.support.running import RunningRelay, running_relay

_MAIL = b"From: ana@example.com\r\nSubject: x\r\nMessage-ID: <observed@example.com>\r\n\r\nHello\r\n"


def _submit(relay: RunningRelay, recipient: str) -> None:
    with RawClient(relay.gateway) as client:
        client.say("EHLO client.test")
        assert client.submit("ana@example.com", [recipient], _MAIL).startswith(b"250")


def _metric(port: int, name: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else -1.0


def test_metrics_tell_of_queue_store_and_reloads(tmp_path: Path) -> None:
    """The age of the oldest by state, how long commits take, and whether the last reload was taken."""
    (port,) = free_ports(1)
    with running_relay(tmp_path, {"metrics": {"address": f"127.0.0.1:{port}"}}) as relay:
        assert _metric(port, 'relay_queue_oldest_seconds{state="deferred"}') == 0
        _submit(relay, "defer@buyer.example")
        deferred = 'relay_queue_deliveries{state="deferred"}'
        assert eventually(lambda: _metric(port, deferred) == 2)  # the recipient, and the log copy with it
        assert eventually(lambda: _metric(port, 'relay_queue_oldest_seconds{state="deferred"}') > 0)
        assert _metric(port, "relay_store_commit_duration_seconds_count") >= 2
        assert _metric(port, "relay_config_last_reload_successful") == 1
        before = _metric(port, "relay_config_last_reload_success_timestamp_seconds")
        good = relay.service.config.read_text("utf-8")
        relay.service.config.write_text(good.replace("cert.pem", "nowhere.pem"), "utf-8")
        assert relay.service.run("reload").returncode == 78
        assert _metric(port, "relay_config_last_reload_successful") == 0
        assert _metric(port, "relay_config_last_reload_success_timestamp_seconds") == before
        relay.service.config.write_text(good, "utf-8")
        assert relay.service.run("reload").returncode == 0
        assert _metric(port, "relay_config_last_reload_successful") == 1
        assert _metric(port, "relay_config_last_reload_success_timestamp_seconds") > before


def test_hashed_addresses_stay_the_same_over_a_restart(tmp_path: Path) -> None:
    """With logs.addresses: hash one address is one hash, also tomorrow; and it stands nowhere in full."""
    with running_relay(tmp_path, {"logs": {"addresses": "hash"}}) as relay:
        for _ in range(2):
            _submit(relay, "kim@buyer.example")
            relay.mail_for("kim@buyer.example")
            assert relay.service.stop() == 0
            relay.service.start()
        lines = [json.loads(line) for line in relay.service.logs().splitlines()]
    accepted = [line["smtp.to"] for line in lines if line.get("event.action") == "message.accepted"]
    assert len(accepted) == 2
    assert accepted[0] == accepted[1]
    assert "kim@buyer.example" not in relay.service.logs()
