"""The programs that are measured, each as a thing that starts, listens and stops; here the relay.

All peers get the same job: take mail of 1,000 senders on a plain listener that trusts loopback and on one with
STARTTLS and AUTH, add the sender's BCC address, and send everything to one next hop.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

import trustme

from bench.processes import Usage, usage
from relay.directory.passwords import digest_of

SENDERS = 1000
LOGINS = 50
"""So many senders have an app password; the load client signs in as each in turn."""


def password(number: int) -> str:
    """Give the app password of a sender."""
    return f"abcdef-ghijkm-npqrst-uvwxyz-{number:06}"


def free_port() -> int:
    """Give a port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, limit: float = 60.0) -> None:
    """Return when something greets on the port; raises TimeoutError after `limit` seconds."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as connection:
                connection.settimeout(end - time.monotonic())
                if connection.recv(3) == b"220":
                    return
        except OSError:
            time.sleep(0.01)
    raise TimeoutError(f"nobody greets on port {port}")


@cache
def as_installed() -> dict[str, str]:
    """Give the environment of a relay that was installed: whose modules were compiled then, not at this start."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([sys.executable, "-c", "import relay.server, uvloop"], check=True, env=environment)
    return environment


@dataclass(frozen=True, slots=True)
class Certificate:
    """A P-256 certificate of 127.0.0.1 and the CA that signed it."""

    chain: Path
    key: Path
    ca: Path

    @classmethod
    def make(cls, folder: Path) -> "Certificate":
        """Make one in a folder."""
        authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        issued = authority.issue_cert("127.0.0.1", "localhost", key_type=trustme.KeyType.ECDSA)
        made = cls(folder / "chain.pem", folder / "key.pem", folder / "ca.pem")
        made.chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        made.key.write_bytes(issued.private_key_pem.bytes())
        made.key.chmod(0o600)
        authority.cert_pem.write_to_path(made.ca)
        return made


class Peer:
    """A mail system under measurement."""

    name = ""

    def __init__(
        self,
        folder: Path,
        sink_port: int,
        *,
        certificate: Certificate | None = None,
        preload: Path | None = None,
    ) -> None:
        self.folder = folder
        self.sink_port = sink_port
        self.certificate = certificate
        self.preload = preload
        self.port = free_port()
        self.tls_port = free_port()
        self.root_pid = 0

    def start(self) -> None:
        """Start it and return when it accepts connections."""
        raise NotImplementedError

    def stop(self) -> None:
        """Stop it."""
        raise NotImplementedError

    def cpu(self) -> float:
        """Give the CPU seconds that its whole process tree has used so far."""
        return self.usage(memory=False).cpu_seconds

    def usage(self, *, memory: bool = True) -> Usage:
        """Give what its whole process tree has used so far."""
        return usage(self.root_pid, memory=memory)

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Run it for the length of a `with` block."""
        try:
            self.start()
            yield self
        finally:
            self.stop()


class Relay(Peer):
    """The relay as shipped: bcc mode, full mail log, durable."""

    name = "relay"
    users = SENDERS
    connections = 500

    def start(self) -> None:
        """Write the settings and run `relay serve`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "config.yaml"
        config.write_text(self._settings())
        environment = dict(as_installed())
        if self.preload is not None:
            environment["LD_PRELOAD"] = str(self.preload)
        command = [sys.executable, "-m", "relay", "serve", "-c", str(config)]
        with (self.folder / "relay.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stderr=log, stdout=log, env=environment
            )
        self.root_pid = self._process.pid
        try:
            wait_for_port(self.port)
        except TimeoutError:
            print((self.folder / "relay.log").read_text()[-2000:], file=sys.stderr)
            raise

    def stop(self) -> None:
        """Stop it in an orderly way."""
        if self.root_pid:
            self._process.terminate()
            self._process.wait(60)

    def _settings(self) -> str:
        listeners = f'  - {{name: gateway, address: "127.0.0.1:{self.port}", tls: none, auth: none, trust: {{networks: [127.0.0.0/8]}}}}\n'
        tls = ""
        if self.certificate is not None:
            listeners += f'  - {{name: submission, address: "127.0.0.1:{self.tls_port}"}}\n'
            tls = f"tls: {{certificate: {self.certificate.chain}, private_key: {{file: {self.certificate.key}}}}}\n"
        return f"""version: 1
server: {{hostname: relay.example.com, state_dir: state}}
listeners:
{listeners}{tls}upstream:
  default: main
  routes:
    main: {{kind: smarthost, host: 127.0.0.1, port: {self.sink_port}, tls: none}}
logging: {{mode: bcc}}
limits:
  messages_per_user: 0/h
  messages_per_session: 1000000
  connections: {{total: {self.connections}, per_network: {self.connections}}}
  junk_commands: 1000000
metrics: {{address: null}}
web: null
users:
{"".join(map(_user, range(self.users)))}"""


def _user(number: int) -> str:
    tokens = (
        f", tokens: [{{name: bench, sha256: {digest_of(password(number).encode()).hex()}}}]"
        if number < LOGINS
        else ""
    )
    return (
        f"  - {{login: rep{number}, addresses: [rep{number}@example.com],"
        f" email_to_salesforce: emailtosalesforce@x{number}.le.salesforce.example{tokens}}}\n"
    )
