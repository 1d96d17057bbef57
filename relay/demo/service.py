"""A `relay serve` process on this machine: started, waited for, asked, stopped or killed."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_PAUSE = 0.05
_TRIES = 100
_LOWEST_PORT, _HIGHEST_PORT = 10_000, 32_000
_START_LIMIT = 120.0
_STOP_LIMIT = 60.0


class ServiceFailed(Exception):
    """The service did not start or stop in time; the text holds the end of its log."""


def free_ports(count: int, base: int = 0) -> list[int]:
    """Give so many free ports of loopback: base, base+1, … when all are free, else any.

    Any: below those that the system gives to outgoing connections, so that a service that is started again finds
    its ports free. Raises OSError when none are found.
    """
    for _ in range(_TRIES):
        wanted = [base + n for n in range(count)] if base else [some_port() for _ in range(count)]
        base = 0
        if len(set(wanted)) == count and all(_is_free(port) for port in wanted):
            return wanted
    raise OSError("no free ports")


def some_port() -> int:
    """Give a port below those that the system gives to outgoing connections; it may be taken."""
    return _LOWEST_PORT + secrets.randbelow(_HIGHEST_PORT - _LOWEST_PORT)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class Service:
    """One `relay serve` over one settings file; its standard error goes to `log`."""

    def __init__(
        self, config: Path, ports: Sequence[int], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.config, self.ports, self.log = config, tuple(ports), log
        self._environment = dict(os.environ) | dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "relay", "-c", str(self.config), *arguments]

    def start(self, limit: float = _START_LIMIT) -> None:
        """Start it and wait until every port greets or accepts. Raises ServiceFailed."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                self._command("serve"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
            )
        ends = time.monotonic() + limit
        for port in self.ports:
            self._wait_for(port, ends)

    def _wait_for(self, port: int, ends: float) -> None:
        assert self._process is not None
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 5).close()
            except OSError:
                if self._process.poll() is not None or time.monotonic() > ends:
                    self.kill()
                    raise ServiceFailed(f"relay serve did not open port {port}:\n{self.tail()}") from None
                time.sleep(_PAUSE)
            else:
                return

    @property
    def running(self) -> bool:
        """Tell whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self, limit: float = _STOP_LIMIT) -> int:
        """Wait for its end, and give its exit code. Raises ServiceFailed when it goes on."""
        assert self._process is not None
        try:
            return self._process.wait(limit)
        except subprocess.TimeoutExpired:
            raise ServiceFailed(f"relay serve goes on after {limit:.0f} s:\n{self.tail()}") from None

    def stop(self, limit: float = _STOP_LIMIT) -> int:
        """Ask it to stop, wait, and give its exit code. Raises ServiceFailed when it has to be killed."""
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(limit)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServiceFailed(f"relay serve did not stop in {limit:.0f} s:\n{self.tail()}") from None
        finally:
            self._process = None

    def kill(self) -> None:
        """Kill it as `kill -9` does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def run(self, *arguments: str, limit: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run another command of the relay over the same settings, and give what it printed."""
        return subprocess.run(  # noqa: S603 - our own command
            self._command(*arguments),
            capture_output=True,
            encoding="utf-8",
            env=self._environment,
            timeout=limit,
            check=False,
        )

    def peak_memory(self) -> int:
        """Give the most octets of memory that the running process has had so far (VmHWM of proc(5))."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return 1024 * int(status.partition("VmHWM:")[2].split()[0])

    def logs(self) -> str:
        """Give everything it has written."""
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""

    def tail(self, lines: int = 30) -> str:
        """Give the end of what it has written."""
        return "\n".join(self.logs().splitlines()[-lines:])
