"""A whole relay for tests: `relay serve` as a process, with a capturing next hop in front of the test."""

import hashlib
import json
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme
import yaml

from relay.demo.capture import Capture, Captured, Manners
from relay.demo.service import Service, free_ports
from tests.support.raw_client import RawClient

BCC = "emailtosalesforce@1-a2n8a4s6e3c9r1et.a1.le.salesforce.example"
"""Ana's secret address."""
BO_BCC = "emailtosalesforce@2-b7o5s3e1c4r8et.b2.le.salesforce.example"
PASSWORD = "ana-app-password-0001"
BO_PASSWORD = "bo-app-password-0002"

Settings = dict[str, Any]  # what YAML holds; PyYAML ships no narrower type


def with_changes(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """Give settings with some replaced; mappings are merged, all else is taken whole."""
    merged = dict(settings)
    for key, value in changes.items():
        old = merged.get(key)
        merged[key] = (
            with_changes(old, value) if isinstance(old, dict) and isinstance(value, Mapping) else value
        )
    return merged


def _user(login: str, password: str, addresses: list[str], bcc: str) -> Settings:
    digest = hashlib.sha256(password.encode()).hexdigest()
    return {
        "login": login,
        "addresses": addresses,
        "email_to_salesforce": bcc,
        "tokens": [{"name": "Laptop", "sha256": digest}],
    }


def _base(submission: int, submissions: int, gateway: int, upstream: int) -> Settings:
    """Give the settings of a relay that logs everything and limits little."""
    return {
        "version": 1,
        "server": {"hostname": "relay.example.com", "state_dir": "state"},
        "listeners": [
            {
                "name": "submission",
                "address": f"127.0.0.1:{submission}",
                "tls": "starttls",
                "auth": "required",
            },
            {
                "name": "submissions",
                "address": f"127.0.0.1:{submissions}",
                "tls": "implicit",
                "auth": "required",
            },
            {
                "name": "gateway",
                "address": f"127.0.0.1:{gateway}",
                "tls": "none",
                "auth": "none",
                "trust": {"networks": ["127.0.0.0/8"]},
                "unknown_sender": "forward",
            },
        ],
        "tls": {"certificate": "cert.pem", "private_key": {"file": "key.pem"}},
        "upstream": {
            "default": "main",
            "routes": {"main": {"kind": "smarthost", "host": "127.0.0.1", "port": upstream, "tls": "none"}},
        },
        "notices": {"from": "postmaster@example.com", "route": "main"},
        "logging": {"mode": "bcc", "exclude": {"internal": "off", "automated": False}},
        "metrics": {"address": None},
        "web": None,
        "limits": {"messages_per_user": "0/h", "messages_per_session": 100000},
        "users": [
            _user("ana", PASSWORD, ["ana@example.com"], BCC),
            _user("bo", BO_PASSWORD, ["bo@example.com", "björn@bücher.example"], BO_BCC),
        ],
    }


@dataclass(slots=True)
class RunningRelay:
    """A relay that is running, and what a test needs to talk to it and to see what it sent on."""

    service: Service
    hop: Capture
    folder: Path
    ca: trustme.CA
    submission: int
    submissions: int
    gateway: int

    @property
    def ca_file(self) -> Path:
        """Give the PEM file of the CA that clients must trust."""
        return self.folder / "ca.pem"

    @contextmanager
    def client(self, login: str = "ana", password: str = PASSWORD) -> Iterator[RawClient]:
        """Give a raw client that has said STARTTLS and signed in."""
        with RawClient(self.submission) as client:
            client.say("EHLO client.test")
            client.start_tls(trusting(self.ca))
            client.say("EHLO client.test")
            answer = client.sign_in(login, password)
            assert answer.startswith(b"235"), answer
            yield client

    def states(self, query: str) -> dict[str, str]:
        """Give the state of every delivery that `relay trace QUERY` shows, by its target as shown."""
        shown = self.service.run("trace", query, "--json")
        items = json.loads(shown.stdout)["items"] if shown.returncode == 0 else []
        return {each["target"]: each["state"] for item in items for each in item["deliveries"]}

    def mail_for(self, recipient: str, limit: float = 30.0) -> Captured:
        """Wait for the message that has this recipient."""
        messages = self.hop.wait_until(lambda all_: any(recipient in m.addresses for m in all_), limit)
        return next(message for message in messages if recipient in message.addresses)


def trusting(ca: trustme.CA) -> ssl.SSLContext:
    """Give a client context that trusts the CA."""
    context = ssl.create_default_context()
    ca.configure_trust(context)
    return context


def write_stage(folder: Path, upstream: int, changes: Mapping[str, Any]) -> tuple[Settings, trustme.CA]:
    """Write certificate and settings into the folder; give the settings as written.

    `more_listeners` among the changes stand beside the usual three.
    """
    ca = trustme.CA()
    leaf = ca.issue_cert("localhost", "127.0.0.1", "relay.example.com")
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    (folder / "cert.pem").write_bytes(b"".join(pem.bytes() for pem in leaf.cert_chain_pems))
    key = folder / "key.pem"
    key.touch(mode=0o600)
    key.write_bytes(leaf.private_key_pem.bytes())
    submission, submissions, gateway = free_ports(3)
    settings = with_changes(_base(submission, submissions, gateway, upstream), changes)
    settings["listeners"] += settings.pop("more_listeners", [])
    (folder / "config.yaml").write_text(
        yaml.safe_dump(settings, allow_unicode=True, sort_keys=False), "utf-8"
    )
    return settings, ca


def listening_port(settings: Settings, name: str) -> int:
    """Give the port of a listener."""
    address: str = next(each["address"] for each in settings["listeners"] if each["name"] == name)
    return int(address.rpartition(":")[2])


def prepare(folder: Path, hop: Capture, changes: Mapping[str, Any] | None = None) -> RunningRelay:
    """Set a relay up in an empty folder, ready to be started."""
    settings, ca = write_stage(folder, hop.port, changes or {})
    ports = [listening_port(settings, each["name"]) for each in settings["listeners"]]
    service = Service(folder / "config.yaml", ports, folder / "relay.log", {"NO_COLOR": "1"})
    three = [listening_port(settings, name) for name in ("submission", "submissions", "gateway")]
    return RunningRelay(service, hop, folder, ca, *three)


@contextmanager
def running_relay(
    folder: Path, changes: Mapping[str, Any] | None = None, manners: Manners | None = None
) -> Iterator[RunningRelay]:
    """Run a relay and its next hop in an empty folder; both are stopped at the end.

    The state is in a folder with a short path, since a Unix socket in it may have no more than 107 octets.
    """
    with Capture(manners) as hop, tempfile.TemporaryDirectory(prefix="relay-") as short:
        state = {"server": {"state_dir": f"{short}/state"}}
        relay = prepare(folder, hop, with_changes(state, changes or {}))
        relay.service.start()
        try:
            yield relay
        finally:
            relay.service.stop()
