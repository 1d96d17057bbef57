"""A Postfix of our own: private configuration, queue and ports, relaying everything to one host."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from relay.demo.service import free_ports
from tests.conftest import program
from tests.support.raw_client import RawClient

_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/postfix.log
maillog_file_prefixes = {folder}
myhostname = mail.example.com
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtpd_relay_restrictions = permit_mynetworks, reject
alias_maps =
alias_database =
smtp_dns_support_level = disabled
"""

_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

_LIMIT = 90.0


@contextmanager
def running_postfix(settings: str) -> Iterator[int]:
    """Run a Postfix with these settings on top; gives the port it takes mail at. Needs root.

    Its folder is not under pytest's: those are for root alone, and Postfix works as a user of its own.
    """
    with tempfile.TemporaryDirectory(prefix="postfix-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for each in ("etc", "queue", "data"):
            (folder / each).mkdir()
        shutil.chown(folder / "data", "postfix")
        (folder / "etc" / "main.cf").write_text(_MAIN.format(folder=folder) + settings)
        port = _start(folder)
        try:
            _wait_for(port)
            yield port
        finally:
            _postfix(folder, "stop")


def _postfix(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    arguments = [program("postfix"), "-c", str(folder / "etc"), command]
    return subprocess.run(arguments, check=False, capture_output=True, encoding="utf-8", timeout=_LIMIT)


def _start(folder: Path) -> int:
    """Start it, again with another port when somebody was quicker to take ours."""
    told = ""
    for _ in range(3):
        (port,) = free_ports(1)
        (folder / "etc" / "master.cf").write_text(_MASTER.format(port=port))
        started = _postfix(folder, "start")
        if started.returncode == 0:
            return port
        log = folder / "postfix.log"
        told += started.stderr + (log.read_text() if log.exists() else "no log")
    raise AssertionError(told)


def _wait_for(port: int) -> None:
    ends = time.monotonic() + _LIMIT
    while True:
        try:
            RawClient(port).close()
        except OSError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.05)
        else:
            return
