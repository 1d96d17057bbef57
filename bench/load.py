"""A load client that stamps each message and notes how long its 250 took; plain, or with STARTTLS and AUTH.

It prints one line of JSON: seconds, the CPU it used itself, and microseconds to each 250. A message's time starts
with its MAIL on a reused connection, else with the connection.

    python -m bench.load --port 25 --sessions 10 --messages 1000 --octets 5000 [--reused] [--rate 200] [--ca ca.pem]
"""

import argparse
import asyncio
import base64
import json
import ssl
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import cast

from bench.peers import LOGINS, password
from bench.sink import STAMP

Step = bytes | float | None
"""What a dialogue asks for: octets to send, an instant to wait for, or (None) TLS."""


@dataclass(slots=True)
class Load:
    """What is to be sent, and what came of it."""

    port: int
    messages: int
    octets: int
    reused: bool
    rate: float
    context: ssl.SSLContext | None
    taken: int = 0
    started: float = 0.0
    waits: list[int] = field(default_factory=list)
    content: bytes = b""

    def __post_init__(self) -> None:
        line = b"x" * 76 + b"\r\n"
        body = (line * (self.octets // len(line) + 1))[: self.octets - 2] + b"\r\n.\r\n"
        self.content = (
            b"To: buyer@customer.example\r\nSubject: offer\r\nMessage-ID: <%d@example.com>\r\n\r\n" + body
        )

    def take(self) -> int | None:
        """Give the number of the next message; None when all are taken."""
        if self.taken >= self.messages:
            return None
        self.taken += 1
        return self.taken - 1

    def due(self, number: int) -> float:
        """Give the instant (loop time) at which a message may start."""
        return self.started + number / self.rate if self.rate else 0.0

    def compose(self, number: int, sender: int, stamp: int) -> bytes:
        """Write a message up to its final dot."""
        head = b"%s%d\r\nFrom: rep%d@example.com\r\n" % (STAMP, stamp, sender)
        return head + self.content.replace(b"%d", b"%d" % number, 1)


class Session(asyncio.Protocol):
    """One connection, driven by a dialogue: a generator that gives what to send and gets the replies."""

    def __init__(self, load: Load, first: int, ended: "asyncio.Future[None]") -> None:
        self._load, self._first, self._ended = load, first, ended
        self._buffer = b""
        self._born = time.monotonic_ns()
        self._dialogue = self._speak()
        next(self._dialogue)
        self._upgrade: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the greeting."""
        # uvloop's transports are of no class of asyncio.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Go on when a reply is complete."""
        self._buffer += data
        if not self._buffer.endswith(b"\r\n"):
            return
        last = self._buffer[
            self._buffer.rfind(b"\r\n", 0, -2) + 2 if self._buffer.count(b"\r\n") > 1 else 0 :
        ]
        if last[3:4] == b"-":
            return
        self._buffer = b""
        self._go_on(last)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the one who waits; an end in the middle of a dialogue is an error."""
        if not self._ended.done():
            self._ended.set_exception(exc or ConnectionError("the peer hung up"))

    def _go_on(self, reply: bytes) -> None:
        try:
            step = self._dialogue.send(reply)
        except StopIteration:
            self._ended.set_result(None)
            self._transport.close()
            return
        except RuntimeError as exc:
            self._ended.set_exception(exc)
            self._transport.close()
            return
        if isinstance(step, bytes):
            self._transport.write(step)
        elif step is None:
            self._upgrade = asyncio.create_task(self._start_tls())
        else:
            asyncio.get_running_loop().call_at(step, self._go_on, b"")

    async def _start_tls(self) -> None:
        assert self._load.context is not None
        loop = asyncio.get_running_loop()
        secured = await loop.start_tls(self._transport, self, self._load.context, server_hostname="127.0.0.1")
        assert secured is not None
        self._transport = secured
        self._go_on(b"")

    def _speak(self) -> Generator[Step, bytes, None]:
        load, sender = self._load, self._first % LOGINS
        _expect((yield b""), b"220")
        _expect((yield b"EHLO client.example\r\n"), b"250")
        if load.context is not None:
            _expect((yield b"STARTTLS\r\n"), b"220")
            yield None
            _expect((yield b"EHLO client.example\r\n"), b"250")
            proof = base64.b64encode(b"\0rep%d\0%s" % (sender, password(sender).encode()))
            _expect((yield b"AUTH PLAIN %s\r\n" % proof), b"235")
        number: int | None = self._first
        stamp = self._born
        while number is not None:
            if load.reused:
                if (due := load.due(number)) > asyncio.get_running_loop().time():
                    yield due
                stamp = time.monotonic_ns()
            _expect((yield b"MAIL FROM:<rep%d@example.com>\r\n" % sender), b"250")
            _expect((yield b"RCPT TO:<buyer@customer.example>\r\n"), b"250")
            _expect((yield b"DATA\r\n"), b"354")
            _expect((yield load.compose(number, sender, stamp)), b"250")
            load.waits.append((time.monotonic_ns() - stamp) // 1000)
            number = load.take() if load.reused else None
        _expect((yield b"QUIT\r\n"), b"221")


def _expect(reply: bytes, code: bytes) -> None:
    if not reply.startswith(code):
        raise RuntimeError(f"expected {code.decode()}, got {reply!r}")


async def _work(load: Load) -> None:
    """Send messages as long as there are any, one connection after the other."""
    loop = asyncio.get_running_loop()
    while (number := load.take()) is not None:
        if not load.reused:
            await asyncio.sleep(load.due(number) - loop.time())
        ended: asyncio.Future[None] = loop.create_future()
        await loop.create_connection(lambda n=number, e=ended: Session(load, n, e), "127.0.0.1", load.port)  # type: ignore[misc]
        await ended


async def run(load: Load, sessions: int) -> dict[str, object]:
    """Send everything and give what came of it."""
    load.started = asyncio.get_running_loop().time()
    start, used = time.monotonic(), time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(sessions):
            group.create_task(_work(load))
    return {"seconds": time.monotonic() - start, "cpu": time.process_time() - used, "waits": load.waits}


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("port", "sessions", "messages", "octets"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--reused", action="store_true")
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--ca")
    given = parser.parse_args()
    context = ssl.create_default_context(cafile=given.ca) if given.ca else None
    load = Load(given.port, given.messages, given.octets, given.reused, given.rate, context)
    from relay.process import loop_factory

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        print(json.dumps(runner.run(run(load, given.sessions))))


if __name__ == "__main__":
    main()
