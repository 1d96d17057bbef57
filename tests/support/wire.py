"""A connection without a network: the protocol on one side, the test on the other, octet by octet."""

import asyncio
from collections.abc import Iterable, Sequence

from relay.submission.door import Door
from relay.submission.house import House
from relay.submission.protocol import SubmissionProtocol
from tests.support.submission import Front
from tests.support.talk import until


class Wire(asyncio.Transport):
    """A transport that keeps what is written to it."""

    def __init__(self, client: str | None = "127.0.0.1") -> None:
        super().__init__({"peername": (client, 40000) if client else None})
        self.written = bytearray()
        self.writes = 0
        self.reading = True
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep the octets."""
        self.writes += 1
        self.written += data

    def close(self) -> None:
        """Be closed."""
        self.closed = True

    def abort(self) -> None:
        """Be closed."""
        self.closed = True

    def is_closing(self) -> bool:
        """Tell whether it is closed."""
        return self.closed

    def can_write_eof(self) -> bool:
        """Say that it cannot stay half open, so that hanging up is closing."""
        return False

    def pause_reading(self) -> None:
        """Note that nothing more is wanted."""
        self.reading = False

    def resume_reading(self) -> None:
        """Note that more is wanted."""
        self.reading = True


class Line:
    """One connection to a door, fed by hand."""

    def __init__(self, door: Door, client: str | None = "127.0.0.1") -> None:
        self.house = House()
        self.wire = Wire(client)
        self.protocol = SubmissionProtocol(self.house, door)
        self.protocol.connection_made(self.wire)

    async def feed(self, pieces: Iterable[bytes]) -> None:
        """Give the protocol the pieces as they would be read: none while reading is paused or after the end."""
        for piece in pieces:
            await until(lambda: self.wire.reading or self.wire.closed)
            if self.wire.closed:
                return
            self.protocol.data_received(piece)
            # Let work that is done in turns, or on a task, get on.
            await asyncio.sleep(0)

    async def settle(self) -> None:
        """Wait until nothing is being worked on."""
        await until(lambda: self.house.idle and not self.protocol.busy)

    def end(self) -> None:
        """Lose the connection."""
        self.protocol.connection_lost(None)


def door_named(front: Front, name: str) -> Door:
    """Give the door of a listener of the service."""
    return next(door for door in front.submission.doors if door.name == name)


def cut(octets: bytes, sizes: Sequence[int]) -> list[bytes]:
    """Cut octets into pieces of these sizes, in turn; the sizes begin anew when they are used up."""
    pieces, at, turn = [], 0, 0
    while at < len(octets):
        size = max(1, sizes[turn % len(sizes)])
        pieces.append(octets[at : at + size])
        at, turn = at + size, turn + 1
    return pieces
