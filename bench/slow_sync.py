"""A shim that makes every sync of a program take longer, as on a disk without power-loss protection."""

import shutil
import subprocess
from pathlib import Path

DELAY = 0.005
"""Seconds added to each sync."""

_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>

static void wait_a_little(void) {
    struct timespec span = {0, DELAY_NS};
    nanosleep(&span, 0);
}

int fsync(int fd) {
    static int (*real)(int);
    if (!real) real = (int (*)(int)) dlsym(RTLD_NEXT, "fsync");
    wait_a_little();
    return real(fd);
}

int fdatasync(int fd) {
    static int (*real)(int);
    if (!real) real = (int (*)(int)) dlsym(RTLD_NEXT, "fdatasync");
    wait_a_little();
    return real(fd);
}

int sync_file_range(int fd, long offset, long count, unsigned int flags) {
    static int (*real)(int, long, long, unsigned int);
    if (!real) real = (int (*)(int, long, long, unsigned int)) dlsym(RTLD_NEXT, "sync_file_range");
    wait_a_little();
    return real(fd, offset, count, flags);
}
"""


def build(folder: Path) -> Path | None:
    """Compile the shim for LD_PRELOAD; None when there is no gcc."""
    if shutil.which("gcc") is None:
        return None
    source, library = folder / "slow_sync.c", folder / "slow_sync.so"
    source.write_text(_SOURCE)
    flags = ["-O2", "-fPIC", "-shared", f"-DDELAY_NS={int(DELAY * 1e9)}L"]
    subprocess.run(["gcc", *flags, "-o", str(library), str(source), "-ldl"], check=True)
    library.chmod(0o755)
    return library
