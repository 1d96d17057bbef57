"""Destinations do not stand in each other's way."""

import socket
from pathlib import Path

from tests.support.raw_client import RawClient
from tests.support.running import running_relay

_BACKLOG = 450
"""More than is attempted at once."""


def test_a_destination_that_is_silent_holds_up_no_other(tmp_path: Path) -> None:
    """With more mail for it than fits under way, mail to others arrives long before it is given up."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as silent:
        route = {"kind": "smarthost", "host": "127.0.0.1", "port": silent.getsockname()[1], "tls": "none"}
        upstream = {
            "routes": {"silent": route},
            "select": [{"recipient_domain": "silent.example", "route": "silent"}],
        }
        with running_relay(tmp_path, {"upstream": upstream, "logging": {"mode": "off"}}) as relay:
            with RawClient(relay.gateway) as client:
                client.say("EHLO client.test")
                for number in range(_BACKLOG):
                    content = f"From: ana@example.com\r\nSubject: {number}\r\n\r\nhello\r\n".encode()
                    answer = client.submit("ana@example.com", [f"kim-{number}@silent.example"], content)
                    assert answer.startswith(b"250 ")
                client.submit("ana@example.com", ["kim@buyer.example"], content)
            relay.mail_for("kim@buyer.example", 100.0)  # a greeting is waited for five minutes
            relay.service.kill()
