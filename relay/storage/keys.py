"""A random key in state_dir that stays the same from one start of the service to the next."""

import os
import secrets
from pathlib import Path

from relay.errors import CommandError
from relay.storage.connection import check_owner, sync_folder

_OCTETS = 32


def lasting_key(path: Path) -> bytes:
    """Give the key that is kept in the file, made (0600) when there is none. Raises CommandError 75 or 77."""
    try:
        try:
            check_owner(path, os.lstat(path))
            key = path.read_bytes()
        except FileNotFoundError:
            key = _made(path)
    except OSError as exc:
        raise CommandError(f"{path} cannot be used: {exc.strerror}", 75) from exc
    if len(key) != _OCTETS:
        raise CommandError(f"{path} is not a key of {_OCTETS} octets; remove it, and a new one is made", 75)
    return key


def _made(path: Path) -> bytes:
    """Make the file whole or not at all: it is written beside and moved. Only the holder of the state lock comes here."""
    key = secrets.token_bytes(_OCTETS)
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)  # what a killed process has left must not keep us from starting
    descriptor = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, key)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    beside.replace(path)
    sync_folder(path.parent)
    return key
