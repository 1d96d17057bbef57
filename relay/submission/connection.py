"""One connection as a transport: it comes, is greeted, secured by TLS, written to, watched over, and hung up on.

Subclass of aiosmtpd's SMTP (1.4.6, pinned). Kept: that it is one. Replaced, for what smtp.md §1.3 measured (A1 to
A22): `__init__`, which looks through all members of the class for every connection and makes a StreamReader; its
`_handle_client` loop, which reads line by line in a task, writes each reply alone, cancels the handler when the client
goes, and answers with exception texts; its timers. There is no timer per connection here: the listener's sweep calls
`check` every second. What comes in is the subclass's (relay.submission.protocol).
"""

import asyncio
import logging
from collections.abc import Coroutine
from enum import Enum, auto
from typing import cast

from aiosmtpd.smtp import SMTP

from relay import status
from relay.directory.throttle import network_of
from relay.policy.decision import masked_text
from relay.status import Reply
from relay.submission.door import Door
from relay.submission.house import House
from relay.submission.limits import Pace, plain_address
from relay.submission.session import Session
from relay.tls import certificate_names, describe

_logger = logging.getLogger("relay.submission")

LINGER = 3.0
"""Seconds that a connection is read on after its last reply."""
HANDSHAKE = 30.0
"""Seconds that a TLS handshake may take."""
_LINGER_OCTETS = 1 << 20


class Phase(Enum):
    """What the next octets are."""

    TALK = auto()
    """Command lines, or responses of an AUTH exchange."""
    CONTENT = auto()
    """Content of DATA or of a chunk."""
    WORK = auto()
    """Waiting for their turn: AUTH, TLS or the end of data is being worked on."""
    CLOSING = auto()
    """Of no interest any more."""


class Connection(SMTP):
    """One connection of a mail client, all but what comes in."""

    def __init__(self, house: House, door: Door, counted: str = "") -> None:
        """Begin for a connection to come; `counted` is the network that the gate has counted it for already."""
        # Not super().__init__(): see the head of this file.
        self._house = house
        self._door = door
        self._seconds = door.clock.monotonic
        self._phase = Phase.WORK
        self._pending = bytearray()
        """What came in and must wait."""
        self._out: list[bytes] = []
        self._pace: Pace | None = None
        self._held_up = False
        """Whether the client does not read our replies."""
        self._securing = False
        self._turn: asyncio.Handle | None = None
        self._ended = False
        """Whether the client will send nothing more."""
        self._wasted = 0
        self._network = counted
        self.begun = False
        """Whether the connection has come: from then on it is left by `connection_lost`."""
        self._debug = _logger.isEnabledFor(logging.DEBUG)
        self._started = self._since = self._heard = self._seconds()

    def _go_on(self) -> None:
        """Carry on with what waited, and read again."""
        raise NotImplementedError

    # --- the connection comes and goes

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the client in, or tell it that there is no room; greet it."""
        self.begun = True
        # A stream transport: that is what a listening socket makes.
        self._wire = cast(asyncio.Transport, transport)
        door = self._door
        peer = transport.get_extra_info("peername")
        if not isinstance(peer, tuple):
            # uvloop cannot name a client that has reset the connection already: there is nobody to talk to.
            self._leave_gate()
            self._phase = Phase.CLOSING
            self._wire.abort()
            return
        client = plain_address(peer[0])
        self.talk = Session(door, client)
        network = self._network or network_of(client)
        if not self._network and not door.gate.enter(network):
            self._phase = Phase.CLOSING
            self._wire.write((status.BUSY if door.gate.full else status.TOO_MANY_CONNECTIONS).wire())
            self._wire.close()
            return
        self._network = network
        self._house.connections.add(self)
        door.meter.connected(door.name)
        if door.tls == "implicit":
            self._secured()
        self._phase = Phase.TALK
        self._say(status.GREETING.fill(hostname=door.hostname))
        self._flush()

    def _secured(self) -> None:
        layer = self._wire.get_extra_info("ssl_object")
        self.talk.secured(describe(layer), certificate_names(layer))

    def connection_lost(self, error: Exception | None) -> None:
        """Drop what was not handed over; a message that was is kept all the same."""
        self._phase = Phase.CLOSING
        self._pending.clear()
        if self._turn is not None:
            self._turn.cancel()
        if self in self._house.connections:
            self._door.meter.disconnected(self._door.name)
            self.talk.reset()
        self._leave_gate()
        self._house.leave(self)

    def _leave_gate(self) -> None:
        if self._network:
            self._door.gate.leave(self._network)
            self._network = ""

    def eof_received(self) -> bool | None:
        """The client sends no more; what it sent is still answered where the connection can stay half open."""
        self._ended = True
        # TLS cannot stay half open (and asyncio warns when it is asked to).
        can_stay = not self.talk.tls and not self._securing and not self._wire.is_closing()
        return can_stay and (self._phase is Phase.WORK or self._turn is not None or self._held_up)

    def pause_writing(self) -> None:
        """The client does not read: carry out nothing more until it does."""
        self._held_up = True
        self._since = self._seconds()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._held_up = False
        self._go_on()

    def _start(self, work: Coroutine[None, None, None]) -> None:
        self._phase = Phase.WORK
        self._since = self._seconds()
        self._house.start(work)

    def _begin_tls(self) -> None:
        # From now on octets belong to TLS: what comes in the clear after STARTTLS breaks the handshake (RFC 3207 §6).
        self._wire.pause_reading()
        self._securing = True
        self._start(self._secure())

    async def _secure(self) -> None:
        context = self._door.context()
        wire: asyncio.Transport | None = None
        try:
            # Nobody would ever end the handshake with a client that has reset the connection.
            if context is not None and not self._wire.is_closing():
                async with asyncio.timeout(HANDSHAKE + LINGER):
                    wire = await asyncio.get_running_loop().start_tls(
                        self._wire,
                        self,
                        context,
                        server_side=True,
                        ssl_handshake_timeout=HANDSHAKE,
                        ssl_shutdown_timeout=LINGER,
                    )
        except OSError as error:  # TimeoutError is one
            _logger.debug("%s %s: no TLS: %s", self._door.name, self.talk.client, error)
        if wire is None or self._phase is Phase.CLOSING:
            self._wire.abort()
            self.connection_lost(None)
            return
        self._wire = wire
        self._securing = False
        self._secured()
        self._phase = Phase.TALK
        self._since = self._seconds()
        self._go_on()

    # --- what goes out

    def _say(self, reply: Reply, *, utf8: bool = False) -> None:
        if self._debug:
            text = masked_text(str(reply), self._door.rules())
            _logger.debug("%s %s < %s", self._door.name, self.talk.client, text)
        self._out.append(reply.wire(utf8=utf8))

    def _flush(self) -> None:
        if self._out:
            self._since = self._seconds()
            self._wire.write(b"".join(self._out))
            self._out.clear()

    def _hang_up(self, reply: Reply, *, linger: bool = True) -> None:
        """Send the reply, then close: TLS with its close_notify, plain connections after reading on for a moment."""
        self._say(reply)
        self._flush()
        self._phase = Phase.CLOSING
        self._pending.clear()
        self.talk.reset()
        try:
            if linger and self._wire.can_write_eof():
                self._wire.write_eof()
                self._wire.resume_reading()
            else:
                self._wire.close()
        except OSError:  # the client has reset the connection, and nobody told us yet
            self._wire.abort()

    def _waste(self, data: bytes) -> bytes:
        """Read what nobody wants any more, so that a client that is still sending gets to see why; bounded."""
        self._wasted += len(data)
        if self._wasted > _LINGER_OCTETS:
            self._wire.abort()
        return b""

    # --- what the listener asks for

    def check(self, now: float) -> None:
        """Hang up when the client was waited for too long. `now` is in monotonic seconds."""
        limits = self._door.limits
        waited = now - self._since
        if self._phase is Phase.CLOSING:
            if waited > LINGER:
                self._wire.abort()
        elif self._held_up:
            if waited > limits.idle:
                self._wire.abort()
        elif self._phase is Phase.WORK:
            if waited > limits.answer and not self._securing:
                self._hang_up(status.STORE_TROUBLE)
        elif self._phase is Phase.CONTENT:
            if now - self._heard > limits.idle or (self._pace is not None and self._pace.too_slow(now)):
                self._hang_up(status.TOO_SLOW)
        elif waited > limits.idle:
            self._hang_up(status.IDLE)
        elif self.talk.mail is None and now - self._started > limits.session_age:
            self._hang_up(status.TOO_OLD)

    @property
    def busy(self) -> bool:
        """Tell whether what came in still waits for its turn."""
        return self._phase is Phase.WORK or self._turn is not None

    def drain(self) -> None:
        """Take no further transaction; hang up at once when none is open."""
        self.talk.draining = True
        if self._phase is Phase.TALK and self.talk.mail is None:
            self._hang_up(status.STOPPING, linger=False)

    def abort(self) -> None:
        """Cut the connection."""
        self._wire.abort()
