"""Describes the machine that a run was made on."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import apsw

import relay


def describe(folder: Path, arguments: str) -> str:
    """Give a few lines on the machine, what was measured and how busy it was with other work."""
    lines = {
        "Command": f"`make bench{f' ARGS={arguments!r}' if arguments else ''}`",
        "Time": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),  # noqa: TID251 - a report has a date
        "Machine": f"{len(os.sched_getaffinity(0))} cores ({_cpu()}), {_memory()} GiB of memory",
        "Load average before the run": load_average(),
        "Kernel": f"{platform.system()} {platform.release()}",
        "Disk": f"{_filesystem(folder)}, in {folder.parent}",
        "Versions": f"Python {platform.python_version()}, {_uvloop()}, SQLite {apsw.sqlite_lib_version()}, "
        f"Postfix {_run('postconf', '-h', 'mail_version')}",
        "Modules that mail passes through": relay.FORM.value,
        "Commit": _run("git", "rev-parse", "--short", "HEAD"),
    }
    return "".join(f"- {name}: {value}\n" for name, value in lines.items())


def load_average() -> str:
    """Give how many programs wanted the processors in the last 1, 5 and 15 minutes."""
    return ", ".join(f"{load:.1f}" for load in os.getloadavg())


def _run(*command: str) -> str:
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)


def _filesystem(folder: Path) -> str:
    return _run("findmnt", "-n", "-o", "FSTYPE", "-T", str(folder))


def _uvloop() -> str:
    try:
        return f"uvloop {metadata.version('uvloop')}"
    except metadata.PackageNotFoundError:
        return "asyncio's own loop"
