"""Take in content as it arrives, by DATA or BDAT, in chunks of any size, and keep it in its wire form.

Wire form: CRLF line ends, dots stuffed, without the final dot line but with the last line's CRLF. DATA brings it
so; BDAT is stuffed here, and gets a final CRLF when it has none. Only CRLF . CRLF ends DATA (RFC 5321 §4.1.1.4):
a bare CR or LF, or a NUL, never ends a line and spoils the message. Octets are counted as RFC 1870 §5 says.
"""

from collections.abc import Callable
from typing import Protocol

from relay import status
from relay.errors import StorageError, StorageFull
from relay.status import Reply
from relay.storage.spool import INLINE_LIMIT
from relay.submission.limits import Limits

_END = b"\r\n.\r\n"
_DOT = b"\r\n."
_SLICE = 65536
"""Octets that are looked at in one go: what that needs is five times as large, and this fits into the processor's cache."""


class SpoolFile(Protocol):
    """A file in the spool that is being written."""

    name: str

    def write(self, chunk: bytes) -> None:
        """Append; raises StorageError."""
        ...

    async def sync(self) -> None:
        """Make it durable and close it; raises StorageError."""
        ...

    def abandon(self) -> None:
        """Take it away."""
        ...


class Content:
    """The content of one message on its way in: in memory while small, then in a spool file.

    What makes it unusable is noted, and from then on it is counted and not kept: the sender is only answered
    once all of it was read.
    """

    __slots__ = (
        "_file",
        "_head",
        "_head_whole",
        "_limits",
        "_pieces",
        "_spool",
        "bare",
        "has_8bit",
        "header_too_large",
        "octets",
        "stored",
        "trouble",
    )

    def __init__(self, limits: Limits, spool: Callable[[], SpoolFile]) -> None:
        self._limits = limits
        self._spool = spool
        self._pieces: list[bytes] = []
        self._file: SpoolFile | None = None
        self._head: bytearray | None = None
        self._head_whole = False
        self.octets = 0
        self.stored = 0
        """Octets of wire form kept, in memory or in the spool."""
        self.bare = False
        """Whether a bare CR, bare LF or NUL was in it."""
        self.has_8bit = False
        self.header_too_large = False
        self.trouble: StorageError | None = None

    @property
    def too_large(self) -> bool:
        """Tell whether it is over the size limit."""
        return self.octets > self._limits.message_size

    @property
    def far_too_large(self) -> bool:
        """Tell whether it is so far over the limit that listening on is a waste."""
        return self.octets > 2 * self._limits.message_size

    def add(self, piece: bytes, octets: int) -> None:
        """Take a piece of wire form that splits no CRLF; `octets` is its size without stuffing dots."""
        self.octets += octets
        if b"\0" in piece or has_bare_ends(piece):
            self.bare = True
        if not self.has_8bit and not piece.isascii():
            self.has_8bit = True
        if self.bare or self.header_too_large or self.trouble or self.octets > self._limits.message_size:
            self.abandon()
            return
        self.stored += len(piece)
        if self._file is None and self.stored <= INLINE_LIMIT:
            self._pieces.append(piece)
        else:
            self._spill(piece)

    def _spill(self, piece: bytes) -> None:
        try:
            if self._file is None:
                self._file = self._spool()
                piece = b"".join([*self._pieces, piece])
                self._pieces.clear()
                self._head = bytearray()
            self._file.write(piece)
        except StorageError as error:
            self.trouble = error
            self.abandon()
            return
        self._keep_head(piece)

    def _keep_head(self, piece: bytes) -> None:
        head = self._head
        if head is None or self._head_whole:
            return
        searched = max(0, len(head) - 3)
        head += piece
        end = _blank_line(head, searched)
        if end >= 0:
            self._head_whole = True
            del head[end:]
        if len(head) > self._limits.header_size:
            self.header_too_large = True
            self.abandon()

    def abandon(self) -> None:
        """Let go of what was kept, in memory and in the spool."""
        self._pieces.clear()
        self._head = None
        if self._file is not None:
            self._file.abandon()
            self._file = None

    @property
    def inline(self) -> bytes | None:
        """Give the whole of it when it is in memory."""
        if self._file is not None:
            return None
        if len(self._pieces) > 1:
            self._pieces[:] = [b"".join(self._pieces)]
        return self._pieces[0] if self._pieces else b""

    @property
    def head(self) -> bytes:
        """Give octets that hold at least the header section."""
        inline = self.inline
        return inline if inline is not None else bytes(self._head or b"")

    @property
    def spool_name(self) -> str | None:
        """Give the name of its spool file, when it is in one."""
        return None if self._file is None else self._file.name

    async def sync(self) -> None:
        """Make what is in the spool durable. Raises StorageError."""
        if self._file is not None:
            await self._file.sync()

    def hand_over(self) -> None:
        """Forget the spool file without taking it away: from now on the queue owns it."""
        self._file = None
        self._pieces.clear()


def has_bare_ends(piece: bytes) -> bool:
    """Tell whether a CR or LF in it is not part of a CRLF; a quarter of the time that counting them takes.

    Each line end that splitlines takes away is two octets when it is CRLF and one when it is not.
    """
    lines = piece.splitlines()
    ends = len(lines) if piece.endswith((b"\n", b"\r")) else len(lines) - 1
    return bool(lines) and len(piece) - len(b"".join(lines)) != 2 * ends


def _blank_line(head: bytearray, searched: int) -> int:
    """Find the offset behind the blank line that ends a header section; -1 while it is not in."""
    if head.startswith(b"\r\n"):
        return 2
    at = head.find(b"\r\n\r\n", searched)
    return at + 4 if at >= 0 else -1


def fault(content: Content, limits: Limits) -> Reply | None:
    """Give the reply to content that cannot be used; None when it can."""
    if content.too_large:
        return status.TOO_LARGE.fill(limit=limits.message_size_text)
    if content.bare:
        return status.BARE_LINE_ENDS
    if content.header_too_large:
        return status.HEADER_TOO_LARGE.fill(limit=limits.header_size_text)
    return None if content.trouble is None else storage_reply(content.trouble)


def storage_reply(error: StorageError) -> Reply:
    """Give the reply to a message that the store could not keep."""
    return status.NO_ROOM if isinstance(error, StorageFull) else status.STORE_TROUBLE


class DataReader:
    """Reads content that DATA announced, up to the line with the single dot.

    What might be the beginning of the end is held back until more is in, so that an end that comes in pieces is
    found, and no CRLF is ever split. The reading starts as if after a CRLF: a first line of one dot ends it.
    """

    __slots__ = ("_held", "_virtual", "content")

    def __init__(self, content: Content) -> None:
        self.content = content
        self._held = b"\r\n"
        self._virtual = 2
        """Octets at the start of what is held that were never received."""

    def feed(self, data: bytes) -> bytes | None:
        """Take what arrived. Gives what stood behind the end of the content, or None while it goes on."""
        for start in range(0, len(data), _SLICE):
            rest = self._feed(data[start : start + _SLICE])
            if rest is not None:
                return rest + data[start + _SLICE :]
        return None

    def _feed(self, data: bytes) -> bytes | None:
        data = self._held + data
        # In most mail no line begins with a dot but the last: it is looked through once, not three times.
        dot = data.find(_DOT)
        at = dot if dot < 0 or data.startswith(_END, dot) else data.find(_END, dot)
        if at >= 0:
            self._emit(data[: at + 2], stuffed=dot != at)
            return data[at + 5 :]
        keep = _held_back(data)
        self._held = data[len(data) - keep :]
        self._emit(data[: len(data) - keep], stuffed=dot >= 0)
        return None

    def _emit(self, piece: bytes, *, stuffed: bool) -> None:
        virtual = min(self._virtual, len(piece))
        self._virtual -= virtual
        if len(piece) > virtual:
            dots = piece.count(_DOT) if stuffed else 0
            self.content.add(piece[virtual:] if virtual else piece, len(piece) - virtual - dots)


def _held_back(data: bytes) -> int:
    """Give how many octets at the end might belong to the end of the content."""
    for length in (4, 3, 2, 1):
        if data.endswith(_END[:length]):
            return length
    return 0


class ChunkReader:
    """Reads content that BDAT announced (RFC 3030): counted octets, stuffed here."""

    __slots__ = ("_held", "_virtual", "content", "last", "left")

    def __init__(self, content: Content) -> None:
        self.content = content
        self._held = b"\r\n"
        self._virtual = 2
        self.left = 0
        """Octets of the present chunk that are still to come."""
        self.last = False

    def begin(self, octets: int, *, last: bool) -> None:
        """Begin a chunk."""
        self.left = octets
        self.last = last

    def feed(self, data: bytes) -> bytes | None:
        """Take what arrived. Gives what stood behind the chunk, or None while it goes on."""
        rest = None
        if len(data) >= self.left:
            data, rest = data[: self.left], data[self.left :]
        self.left -= len(data)
        for start in range(0, len(data), _SLICE):
            self._take(data[start : start + _SLICE])
        if rest is not None and self.last:
            self._finish()
        return rest

    def _take(self, data: bytes) -> None:
        data = self._held + data
        # A CRLF is held back, since a dot behind it needs a second one.
        keep = 2 if data.endswith(b"\r\n") else 1 if data.endswith(b"\r") else 0
        self._held = data[len(data) - keep :]
        self._emit(data[: len(data) - keep])

    def _emit(self, piece: bytes) -> None:
        virtual = min(self._virtual, len(piece))
        self._virtual -= virtual
        if len(piece) > virtual:
            octets = len(piece) - virtual
            piece = piece.replace(b"\r\n.", b"\r\n..")
            self.content.add(piece[virtual:] if virtual else piece, octets)

    def _finish(self) -> None:
        """Close the content; a last line without CRLF gets one, since the wire form cannot do without."""
        if self._virtual:
            return  # nothing was ever received
        end = self._held if self._held == b"\r\n" else self._held + b"\r\n"
        self.content.add(end, len(end))


class WasteReader:
    """Reads a chunk that was refused, and keeps nothing of it."""

    __slots__ = ("left",)

    content = None

    def begin(self, octets: int, *, last: bool) -> None:
        """Begin a chunk."""
        self.left = octets

    def feed(self, data: bytes) -> bytes | None:
        """Take what arrived. Gives what stood behind the chunk, or None while it goes on."""
        rest = data[self.left :] if len(data) >= self.left else None
        self.left -= min(self.left, len(data))
        return rest
