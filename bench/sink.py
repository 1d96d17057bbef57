"""A next hop that takes everything and notes how long each message was on its way, by a stamp in its header.

It writes its port on a line of standard output. XREPORT is answered with what arrived since the last time:
microseconds from stamp to final dot, as JSON, and what the sink itself used.

    python -m bench.sink
"""

import asyncio
import json
import re
import time
from typing import cast

STAMP = b"X-Bench-Stamp: "
_STAMP = re.compile(rb"^X-Bench-Stamp: (\d+)\r$", re.MULTILINE)
_EHLO = b"250-sink.example\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250 8BITMIME\r\n"
_REPLIES = {b"EHLO": _EHLO, b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}
_END = b"\r\n.\r\n"


class Arrivals:
    """What has arrived since the last report."""

    def __init__(self) -> None:
        self.delays: list[int] = []

    def note(self, content: bytes) -> None:
        """Note a message that is complete now."""
        stamp = _STAMP.search(content, 0, 4096)
        if stamp is not None:
            self.delays.append((time.monotonic_ns() - int(stamp[1])) // 1000)

    def report(self) -> bytes:
        """Give what arrived and begin anew."""
        told, self.delays = self.delays, []
        return json.dumps({"delays": told, "cpu": time.process_time()}).encode() + b"\r\n"


class Hop(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._buffer = b""
        self._content: list[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        # uvloop's transports are of no class of asyncio.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(b"220 sink.example ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        """Take commands and content; the replies to one packet go out in one."""
        self._buffer += data
        replies: list[bytes] = []
        while self._take_content(replies) if self._content is not None else self._take_command(replies):
            pass
        if replies:
            self._transport.write(b"".join(replies))

    def _take_command(self, replies: list[bytes]) -> bool:
        line, end, rest = self._buffer.partition(b"\r\n")
        if not end:
            return False
        self._buffer = rest
        verb = line[:4].upper()
        replies.append(self._arrivals.report() if verb == b"XREP" else _REPLIES.get(verb, b"250 ok\r\n"))
        if verb == b"DATA":
            self._content = []
        if verb == b"QUIT":
            self._transport.write(b"".join(replies))
            replies.clear()
            self._transport.close()
        return True

    def _take_content(self, replies: list[bytes]) -> bool:
        assert self._content is not None
        at = self._buffer.find(_END)
        if at < 0:
            keep = max(len(self._buffer) - len(_END), 0)
            self._content.append(self._buffer[:keep])
            self._buffer = self._buffer[keep:]
            return False
        self._arrivals.note(b"".join([*self._content, self._buffer[: at + 2]]))
        self._buffer, self._content = self._buffer[at + len(_END) :], None
        replies.append(b"250 taken\r\n")
        return True


async def _serve() -> None:
    arrivals = Arrivals()
    server = await asyncio.get_running_loop().create_server(
        lambda: Hop(arrivals), "127.0.0.1", 0, backlog=512
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    from relay.process import loop_factory

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve())
