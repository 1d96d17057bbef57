"""CPU time and memory of a process with all its descendants, read from /proc."""

import os
import threading
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process tree has used so far."""

    cpu_seconds: float
    pss_octets: int


def _stat(pid: int) -> list[str]:
    text = Path(f"/proc/{pid}/stat").read_text()
    return text[text.rindex(")") + 2 :].split()


def tree(root: int) -> list[int]:
    """Give the pids of a process and its descendants that are alive."""
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                parents.setdefault(int(_stat(int(entry))[1]), []).append(int(entry))
            except (FileNotFoundError, ProcessLookupError):
                continue
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo.extend(parents.get(pid, ()))
    return found


def usage(root: int, *, memory: bool = True) -> Usage:
    """Give what the tree below `root` has used: CPU of the living and of those they have waited for, and PSS now.

    Reading the memory of a hundred processes takes a while; without `memory` it is 0.
    """
    ticks, pss = 0, 0
    for pid in tree(root):
        try:
            ticks += sum(int(field) for field in _stat(pid)[11:15])
            pss += _pss(pid) if memory else 0
        except (FileNotFoundError, ProcessLookupError):
            continue
    return Usage(ticks / _TICKS, pss)


class PssWatch(threading.Thread):
    """Samples the memory of a process tree until stopped."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.root, self.peak = root, 0
        self._end = threading.Event()

    def run(self) -> None:
        """Sample five times a second."""
        while not self._end.wait(0.2):
            self.peak = max(self.peak, usage(self.root).pss_octets)

    def stop(self) -> int:
        """Stop and give the peak."""
        self._end.set()
        self.join()
        return max(self.peak, usage(self.root).pss_octets)


def _pss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0
