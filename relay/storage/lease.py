"""Who may work with a state folder: one running service, and which boot of the machine its leases belong to."""

import fcntl
import os
from pathlib import Path
from types import TracebackType

from relay.errors import CommandError
from relay.storage.connection import check_owner

LOCK_NAME = "relay.lock"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Name this boot of the machine; a lease by the monotonic clock of another boot is void.

    Empty where the system gives no name: then only the lock tells who lives.
    """
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return ""


def holder(state_dir: Path) -> int | None:
    """Give the process id of the service that works in a state folder; None when there is none.

    0 when one does and its id cannot be read. Raises CommandError 77 when the lock may not be looked at.
    """
    try:
        descriptor = os.open(state_dir / LOCK_NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise CommandError(f"{state_dir / LOCK_NAME} cannot be opened: {exc.strerror}", 77) from exc
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(descriptor, 20, 0).strip()
        return int(text) if text.isdigit() else 0
    finally:
        os.close(descriptor)
    return None


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise CommandError(f"{folder} is no folder: something else is in its place", 77) from None
    except OSError as exc:
        text = f"{folder} cannot be made ({exc.strerror}); make it for the user that the relay runs as"
        raise CommandError(text, 77) from exc


class StateLock:
    """`relay.lock` in state_dir, held by the one `relay serve` that works there; a context manager.

    The system lets go of it with the process, however that ends, so a lock is never left behind by a crash.
    """

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / LOCK_NAME
        self._descriptor = -1

    def __enter__(self) -> "StateLock":
        """Take the lock. Raises CommandError: 75 when another service holds it, 77 when that is not permitted."""
        _make_folder(self._path.parent)
        try:
            check_owner(self._path.parent, self._path.parent.stat())
            flags = os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
            self._descriptor = os.open(self._path, flags, 0o600)
        except OSError as exc:
            raise CommandError(f"{self._path} cannot be opened: {exc.strerror}", 77) from exc
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._descriptor, 20, 0).decode("ascii", "replace").strip()
            self._close()
            raise CommandError(
                f"another relay (process {holder or 'unknown'}) works in {self._path.parent} already", 75
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, b"%d\n" % os.getpid(), 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the lock; the file stays, since removing it would race with the next holder."""
        os.ftruncate(self._descriptor, 0)
        self._close()

    def _close(self) -> None:
        os.close(self._descriptor)
        self._descriptor = -1
