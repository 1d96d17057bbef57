"""The programs that are measured - the relay and Postfix - each as a thing that starts, listens and stops.

Both get the same job: take mail of 1,000 senders on a plain listener that trusts loopback, add the sender's BCC address,
and send everything to one next hop.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.processes import Usage, usage

SENDERS = 1000


def free_port() -> int:
    """Give a port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, limit: float = 20.0) -> None:
    """Return when something accepts connections on the port; raises TimeoutError after `limit` seconds."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise TimeoutError(f"nothing listens on port {port}")


class Peer:
    """A mail system under measurement."""

    name = ""

    def __init__(self, folder: Path, sink_port: int) -> None:
        self.folder = folder
        self.sink_port = sink_port
        self.port = free_port()
        self.root_pid = 0

    def start(self) -> None:
        """Start it and return when it accepts connections."""
        raise NotImplementedError

    def stop(self) -> None:
        """Stop it."""
        raise NotImplementedError

    def usage(self) -> Usage:
        """Give what its whole process tree has used so far."""
        return usage(self.root_pid)

    @contextmanager
    def running(self) -> Iterator["Peer"]:
        """Run it for the length of a `with` block."""
        self.start()
        try:
            yield self
        finally:
            self.stop()


class Relay(Peer):
    """The relay as shipped: bcc mode, full mail log, durable."""

    name = "relay"

    def start(self) -> None:
        """Write the settings and run `relay serve`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "config.yaml"
        config.write_text(self._settings())
        self._log = (self.folder / "relay.log").open("wb")
        command = [sys.executable, "-m", "relay", "serve", "-c", str(config)]
        self._process = subprocess.Popen(command, stderr=self._log, stdout=self._log)
        self.root_pid = self._process.pid
        wait_for_port(self.port)

    def stop(self) -> None:
        """Stop it in an orderly way."""
        self._process.terminate()
        self._process.wait(60)
        self._log.close()

    def _settings(self) -> str:
        users = "\n".join(
            f"  - {{login: rep{number}, addresses: [rep{number}@example.com],"
            f" email_to_salesforce: emailtosalesforce@x{number}.le.salesforce.example}}"
            for number in range(SENDERS)
        )
        return f"""version: 1
server: {{hostname: relay.example.com, state_dir: state}}
listeners:
  - {{name: gateway, address: "127.0.0.1:{self.port}", tls: none, auth: none, trust: {{networks: [127.0.0.0/8]}}}}
upstream:
  default: main
  routes:
    main: {{kind: smarthost, host: 127.0.0.1, port: {self.sink_port}, tls: none}}
logging: {{mode: bcc}}
limits: {{messages_per_user: 0/h, messages_per_session: 1000000, connections: {{total: 500, per_network: 500}}}}
metrics: {{address: null}}
users:
{users}
"""


class Postfix(Peer):
    """Debian's Postfix as it comes, with a private configuration and queue, `sender_bcc_maps` and a relayhost."""

    name = "postfix"
    extra = ""

    def start(self) -> None:
        """Write main.cf and master.cf and start its master process."""
        config, queue, data = (self.folder / name for name in ("etc", "queue", "data"))
        for path in (config, queue, data):
            path.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        subprocess.run(["chown", "postfix", str(data)], check=True)
        (config / "main.cf").write_text(self._main(queue, data))
        (config / "master.cf").write_text(self._master())
        (config / "bcc").write_text(
            "".join(
                f"rep{n}@example.com emailtosalesforce@x{n}.le.salesforce.example\n" for n in range(SENDERS)
            )
        )
        subprocess.run(["postmap", "-c", str(config), f"hash:{config}/bcc"], check=True)
        subprocess.run(["postfix", "-c", str(config), "start"], check=True, capture_output=True)
        wait_for_port(self.port)
        self.root_pid = int((queue / "pid" / "master.pid").read_text())

    def stop(self) -> None:
        """Stop it at once."""
        subprocess.run(["postfix", "-c", str(self.folder / "etc"), "stop"], check=False, capture_output=True)
        end = time.monotonic() + 20
        while time.monotonic() < end and os.path.exists(f"/proc/{self.root_pid}"):
            time.sleep(0.05)

    def _main(self, queue: Path, data: Path) -> str:
        return f"""compatibility_level = 3.6
queue_directory = {queue}
data_directory = {data}
maillog_file = {self.folder}/postfix.log
maillog_file_prefixes = {self.folder}
myhostname = postfix.example.com
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
relayhost = [127.0.0.1]:{self.sink_port}
sender_bcc_maps = hash:{self.folder}/etc/bcc
smtpd_relay_restrictions = permit_mynetworks, reject
alias_maps =
alias_database =
smtp_dns_support_level = disabled
message_size_limit = 52428800
{self.extra}"""

    def _master(self) -> str:
        services = [f"127.0.0.1:{self.port} inet n - n - - smtpd"]
        for line in (
            "pickup unix n - n 60 1 pickup",
            "cleanup unix n - n - 0 cleanup",
            "qmgr unix n - n 300 1 qmgr",
            "tlsmgr unix - - n 1000? 1 tlsmgr",
            "rewrite unix - - n - - trivial-rewrite",
            "bounce unix - - n - 0 bounce",
            "defer unix - - n - 0 bounce",
            "trace unix - - n - 0 bounce",
            "verify unix - - n - 1 verify",
            "flush unix n - n 1000? 0 flush",
            "proxymap unix - - n - - proxymap",
            "proxywrite unix - - n - 1 proxymap",
            "smtp unix - - n - - smtp",
            "relay unix - - n - - smtp",
            "error unix - - n - - error",
            "retry unix - - n - - error",
            "discard unix - - n - - discard",
            "anvil unix - - n - 1 anvil",
            "scache unix - - n - 1 scache",
            "postlog unix-dgram n - n - 1 postlogd",
        ):
            services.append(line)
        return "\n".join(services) + "\n"


class TunedPostfix(Postfix):
    """Postfix tuned for this job (docs/performance.md says how)."""

    name = "postfix-tuned"
    extra = """in_flow_delay = 0s
max_use = 10000
default_process_limit = 200
initial_destination_concurrency = 20
default_destination_concurrency_limit = 50
smtputf8_enable = no
"""
