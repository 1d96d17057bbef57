"""Postfix as a peer: Debian's, with a private configuration and queue; as it comes, and tuned for the job."""

import os
import subprocess
import sys
import time
from pathlib import Path

from bench.peers import SENDERS, Peer, wait_for_port

_SERVICES = (
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
)


class Postfix(Peer):
    """Debian's Postfix as it comes, with `sender_bcc_maps` and a relayhost."""

    name = "Postfix"
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
        self._auth = self._start_auth()
        subprocess.run(["postfix", "-c", str(config), "start"], check=True, capture_output=True)
        wait_for_port(self.port)
        self.root_pid = int((queue / "pid" / "master.pid").read_text())

    def stop(self) -> None:
        """Stop it at once."""
        subprocess.run(["postfix", "-c", str(self.folder / "etc"), "stop"], check=False, capture_output=True)
        end = time.monotonic() + 20
        while self.root_pid and time.monotonic() < end and os.path.exists(f"/proc/{self.root_pid}"):
            time.sleep(0.05)
        if self._auth is not None:
            self._auth.kill()
            self._auth.wait()

    @property
    def _auth_socket(self) -> Path:
        return self.folder / "auth"

    def _start_auth(self) -> "subprocess.Popen[bytes] | None":
        if self.certificate is None:
            return None
        self._auth_socket.unlink(missing_ok=True)
        command = [sys.executable, "-m", "bench.auth", str(self._auth_socket)]
        server = subprocess.Popen(command)
        while server.poll() is None and not self._auth_socket.exists():
            time.sleep(0.02)
        return server

    def _main(self, queue: Path, data: Path) -> str:
        preload = (
            f"import_environment = MAIL_CONFIG TZ LANG=C LD_PRELOAD={self.preload}\n" if self.preload else ""
        )
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
{preload}{self._tls()}{self.extra}"""

    def _tls(self) -> str:
        if self.certificate is None:
            return ""
        return f"""smtpd_tls_chain_files = {self.certificate.key}, {self.certificate.chain}
smtpd_tls_auth_only = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {self._auth_socket}
"""

    def _master(self) -> str:
        services = [f"127.0.0.1:{self.port} inet n - n - - smtpd", *_SERVICES]
        if self.certificate is not None:
            services.append(
                f"127.0.0.1:{self.tls_port} inet n - n - - smtpd -o smtpd_tls_security_level=encrypt"
                " -o smtpd_sasl_auth_enable=yes -o smtpd_relay_restrictions=permit_sasl_authenticated,reject"
            )
        return "\n".join(services) + "\n"


class TunedPostfix(Postfix):
    """Postfix tuned for this job (docs/performance.md says how)."""

    name = "Postfix, tuned"
    extra = """in_flow_delay = 0s
max_use = 10000
default_process_limit = 200
initial_destination_concurrency = 20
default_destination_concurrency_limit = 50
smtputf8_enable = no
"""
