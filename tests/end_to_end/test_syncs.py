"""Before each 250 the disk has been told: strace shows the syncs of the write-ahead log, the spool file and its folder.

SIGKILL alone proves no sync, since what the system holds in its cache outlives the process.
"""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.eventually import eventually
from tests.support.raw_client import RawClient
from tests.support.running import RunningRelay, running_relay

_CALLS = "fsync,fdatasync,write,writev,sendto,sendmsg,pwrite64,pwritev"
_CALL = re.compile(r"^(\d+) +(\w+)\(\d+<([^>]*)>(.*)$")
_RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>.*= 0$")
_LARGE = 300_000


@dataclass(frozen=True, slots=True)
class Call:
    """One system call: its name, the file or socket it is about, and what strace shows of its data."""

    name: str
    about: str
    rest: str


def _calls(lines: list[str]) -> Iterator[Call]:
    """Give the calls in order; a sync stands where it has come to its end."""
    begun: dict[str, Call] = {}
    for line in lines:
        if found := _CALL.match(line):
            call = Call(found[2], found[3], found[4])
            if "sync" in call.name and not call.rest.endswith("= 0"):
                begun[found[1]] = call
            else:
                yield call
        elif (resumed := _RESUMED.match(line)) and resumed[1] in begun:
            yield begun.pop(resumed[1])


@contextmanager
def _traced(process: int, trace: Path) -> Iterator[None]:
    """Have strace look at a process and all its threads for the length of a `with` block."""
    command = [
        "strace",
        "-f",
        "-y",
        "-s",
        "60",
        "-e",
        f"trace={_CALLS}",
        "-o",
        str(trace),
        "-p",
        str(process),
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr is not None
        told = tracer.stderr.readline()
        if "attached" not in told:
            tracer.wait()
            pytest.skip(f"strace may not look at processes here: {told}")
        yield
        tracer.terminate()


def _submit(relay: RunningRelay, name: str, octets: int) -> bytes:
    head = f"From: ana@example.com\r\nSubject: {name}\r\nMessage-ID: <{name}@example.com>\r\n"
    mail = f"{head}Date: Mon, 9 Nov 2026 09:14:03 +0100\r\n\r\n".encode() + (b"x" * 76 + b"\r\n") * (
        octets // 78
    )
    with RawClient(relay.gateway) as client:
        client.say("EHLO client.test")
        return client.submit("ana@example.com", [f"{name}@buyer.example"], mail)


def _before(calls: list[Call], answer: int, name: str, about: str) -> int:
    """Give the place of the last such call before the answer; -1 when there is none."""
    places = [
        at for at, call in enumerate(calls[:answer]) if name in call.name and call.about.endswith(about)
    ]
    return places[-1] if places else -1


@pytest.mark.peer("strace")
@pytest.mark.parametrize("octets", [500, _LARGE], ids=["inline", "spooled"])
def test_syncs_precede_each_250(tmp_path: Path, octets: int) -> None:
    """What was written to the log is synced before the answer; spool file and folder before what names them."""
    with running_relay(tmp_path) as relay:
        _submit(relay, "first", 500)
        eventually(lambda: set(relay.states("<first@example.com>").values()) == {"sent"})
        trace, process = tmp_path / "trace", relay.service._process
        assert process is not None
        with _traced(process.pid, trace):
            answer = _submit(relay, "mail", octets)
        assert answer.startswith(b"250")
        calls = list(_calls(trace.read_text().splitlines()))
    token = answer.split()[-1].decode()
    told = next(at for at, call in enumerate(calls) if token in call.rest and "socket:" in call.about)
    logged, written = (
        _before(calls, told, "sync", "relay.db-wal"),
        _before(calls, told, "pwrite", "relay.db-wal"),
    )
    assert 0 <= written < logged
    if octets == _LARGE:
        files = [
            at for at, call in enumerate(calls[:written]) if "fsync" in call.name and "/spool/" in call.about
        ]
        assert len(files) == 1
        content = [
            at
            for at, call in enumerate(calls)
            if call.name == "write" and call.about == calls[files[0]].about
        ]
        folder = _before(calls, written, "fsync", "/spool")
        assert max(content) < files[0] < folder < written
