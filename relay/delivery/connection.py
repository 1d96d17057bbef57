"""One connection to a hop that is ready for mail: transactions, pipelined where the hop allows it (RFC 2920).

With PIPELINING, MAIL, the RCPTs and DATA leave in one write, and the next waiting transaction's commands in the same
write as the final dot: one round trip a message. Without it, every command waits for its answer. Whenever it is
in doubt what an answer belongs to, the connection is closed and never used again.
"""

import asyncio
import logging
from collections import deque
from typing import Protocol

from relay.delivery.deadline import Deadline
from relay.delivery.happening import Answered, Happening, Kind, Stage, Trouble
from relay.delivery.hop import Timeouts
from relay.delivery.offer import Offer
from relay.delivery.replies import ReplyReader
from relay.delivery.streaming import Unsendable, read_inline, send_chunks
from relay.delivery.transaction import Transaction
from relay.status import Reply

logger = logging.getLogger(__name__)

_SERVICE_CLOSING = 421


class Owner(Protocol):
    """Who gives a connection its work."""

    def next(self) -> Transaction | None:
        """Give the transaction that waits longest."""
        ...

    def idle(self, connection: "Connection") -> None:
        """Hear that the connection has nothing to do."""
        ...

    def lost(
        self, connection: "Connection", happening: Happening | None, unanswered: list[Transaction]
    ) -> None:
        """Hear that the connection is over, and which transactions the hop has not answered at all.

        `happening` is None when the relay ended it.
        """
        ...


class Connection(asyncio.Protocol):
    """Carries transactions, one after the other, over a transport that has been greeted, secured and signed in."""

    def __init__(
        self, owner: Owner, transport: asyncio.Transport, offer: Offer, timeouts: Timeouts, maximum: int
    ) -> None:
        self.offer = offer
        self.served = 0
        self.proven = False
        """Whether the hop has answered something of a transaction: trouble from now on may be mere staleness."""
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._owner = owner
        self._transport = transport
        self._timeouts = timeouts
        self._room_for = min(maximum, offer.messages or maximum)
        self._reader = ReplyReader()
        self._due: deque[tuple[Stage, int]] = deque()
        self._current: Transaction | None = None
        self._following: Transaction | None = None
        self._closed = False
        self._needs_reset = False
        self._wrote = False
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._streamer: asyncio.Task[None] | None = None
        self._deadline = Deadline(timeouts.idle, timeouts.shortest, self._expired)
        transport.set_protocol(self)

    @property
    def busy(self) -> bool:
        """Tell whether a transaction is on it."""
        return self._current is not None

    # What its owner asks for

    def poke(self) -> None:
        """Take a waiting transaction unless there is one already."""
        if self._current is None and not self._closed:
            self._pull()

    def abandon(self, transaction: Transaction) -> None:
        """Stop carrying a transaction that nobody waits for; the connection is closed when it has begun."""
        transaction.abandoned = True
        if transaction is self._current:
            self._end(Trouble(self._stage(), Kind.LOCAL, "the attempt was cancelled"), by_hop=False)

    def quit(self) -> None:
        """Say QUIT and close, without waiting for the answer; only when it is not busy."""
        if not self._closed and self._current is None:
            self._shut()
            if not self._transport.is_closing():
                self._transport.write(b"QUIT\r\n")
                self._transport.close()
            self._owner.lost(self, None, [])

    def abort(self, why: str) -> None:
        """Close at once, whatever is on it."""
        self._end(Trouble(self._stage(), Kind.LOCAL, why), by_hop=False)

    def kill(self) -> None:
        """Drop the transport, where closing takes too long."""
        self._transport.abort()

    # Taking and beginning transactions

    def _pull(self) -> None:
        transaction = self._take()
        if transaction is None:
            self._current = None
            self._deadline.within(self._timeouts.idle)
            if self.served >= self._room_for:
                self.quit()
            else:
                self._owner.idle(self)
            return
        self._current = transaction
        self._write(self._opening(transaction))

    def _take(self) -> Transaction | None:
        """Get the next transaction that has anything to send; those the hop cannot take are answered here."""
        underway = self.served + (self._current is not None)
        if underway >= self._room_for:
            return None
        while (transaction := self._owner.next()) is not None:
            try:
                if transaction.prepare(self.offer):
                    return transaction
                transaction.finish()
            except Exception:
                logger.exception("%s: the commands cannot be written", transaction.message.id)
                transaction.end(Trouble(Stage.MAIL, Kind.UNKNOWN))
        return None

    def _opening(self, transaction: Transaction) -> bytes:
        """Give what begins a transaction, and note the answers that are due for it."""
        prepared, due = transaction.prepared, self._due
        if not self.offer.pipelining:
            due.append((Stage.RSET if self._needs_reset else Stage.MAIL, 0))
            return b"RSET\r\n" if self._needs_reset else prepared.mail
        reset = b""
        if self._needs_reset:
            reset = b"RSET\r\n"
            due.append((Stage.RSET, 0))
            self._needs_reset = False
        due.append((Stage.MAIL, 0))
        for index in range(len(prepared.rcpts)):
            due.append((Stage.RCPT, index))
        due.append((Stage.DATA, 0))
        return b"".join((reset, prepared.mail, *prepared.rcpts, b"DATA\r\n"))

    def _write(self, data: bytes) -> None:
        self._wrote = True
        if self._transport.is_closing():
            self._end(Trouble(self._stage(), Kind.DROPPED))
            return
        self._transport.write(data)
        if self._due:
            self._deadline.within(self._timeouts.of(self._due[0][0]))

    # Answers

    def data_received(self, data: bytes) -> None:
        """Take what the hop sent: answers, in the order of what was asked."""
        if self._closed:
            return
        self._wrote = False
        replies = self._reader.feed(data)
        for reply in replies:
            if self._closed:
                return
            if not self._due or self._wrote:
                self._untimely(reply)
                return
            self._answer(reply)
        if self._closed:
            return
        if self._reader.malformed:
            self._end(Trouble(self._stage(), Kind.PROTOCOL, self._reader.malformed))
        elif self._reader.pending and (self._wrote or not self._due):
            self._end(Trouble(self._stage(), Kind.PROTOCOL, "an answer began before it was due"))
        elif self._due and replies:
            # A part of an answer gives no more time: a hop that drips would never be done.
            self._deadline.within(self._timeouts.of(self._due[0][0]))

    def _untimely(self, reply: Reply) -> None:
        """End the connection: an answer came before what it could answer was sent (RFC 5321 §4.3.1).

        A refusal while the content is on its way is the hop's word on the message; an acceptance is not, since it
        cannot have read the content.
        """
        if reply.code == _SERVICE_CLOSING or (self._streamer is not None and reply.code >= 400):
            self._end(Answered(Stage.END if self._streamer else self._stage(), reply))
        else:
            self._end(Trouble(self._stage(), Kind.PROTOCOL, f"an answer came before it was due: {reply}"))

    def _answer(self, reply: Reply) -> None:
        stage, index = self._due.popleft()
        transaction = self._current
        if transaction is None or reply.code == _SERVICE_CLOSING:
            self._end(Answered(stage, reply))
            return
        if stage is Stage.RSET:
            self._reset_answered(transaction, reply)
            return
        transaction.answered = self.proven = True
        if stage is Stage.RCPT:
            self._rcpt_answered(transaction, index, reply)
        elif stage is Stage.END:
            self._end_answered(transaction, reply)
        elif stage is Stage.MAIL:
            self._mail_answered(transaction, reply)
        else:
            self._data_answered(transaction, reply)

    def _reset_answered(self, transaction: Transaction, reply: Reply) -> None:
        if reply.code // 100 != 2:
            self._end(Answered(Stage.RSET, reply))
        elif not self.offer.pipelining:
            self._needs_reset = False
            self._ask(Stage.MAIL, 0, transaction.prepared.mail)

    def _mail_answered(self, transaction: Transaction, reply: Reply) -> None:
        if reply.code // 100 == 2:
            if not self.offer.pipelining:
                self._ask(Stage.RCPT, 0, transaction.prepared.rcpts[0])
            return
        transaction.end(Answered(Stage.MAIL, reply))
        if not self.offer.pipelining:
            self._next_one(reset=False)

    def _rcpt_answered(self, transaction: Transaction, index: int, reply: Reply) -> None:
        if not transaction.done.done():
            transaction.rcpt(index, reply)
        if self.offer.pipelining:
            return
        if index + 1 < len(transaction.prepared.rcpts):
            self._ask(Stage.RCPT, index + 1, transaction.prepared.rcpts[index + 1])
        elif self._pointless(transaction):
            self._next_one(reset=True)
        elif transaction.abandoned:
            self.abort("the attempt was cancelled")
        else:
            self._ask(Stage.DATA, 0, b"DATA\r\n")

    def _pointless(self, transaction: Transaction) -> bool:
        """Tell whether content would reach nobody it is for; then what is still open is answered.

        Nobody was accepted, or the log copy alone: a record of mail that nobody received must not be made.
        """
        if transaction.only_log_copies:
            transaction.end(Trouble(Stage.DATA, Kind.NOBODY))
            return True
        if not transaction.accepted:
            transaction.finish()
            return True
        return False

    def _data_answered(self, transaction: Transaction, reply: Reply) -> None:
        """Go on with the content, or not. A 354 that must not be followed by content ends the connection."""
        digit = reply.code // 100
        refused = transaction.done.done()
        pointless = refused or self._pointless(transaction)
        if digit == 3 and not pointless and not transaction.abandoned:
            self._send_content(transaction)
        elif digit in (4, 5) and not refused and not pointless:
            transaction.end(Answered(Stage.DATA, reply))
            self._next_one(reset=True)
        elif digit in (4, 5):
            self._next_one(reset=True)
        else:
            self._end(Trouble(Stage.DATA, Kind.PROTOCOL, f"DATA was answered {reply}"), by_hop=digit == 2)

    def _end_answered(self, transaction: Transaction, reply: Reply) -> None:
        if reply.code // 100 == 3:
            self._end(Trouble(Stage.END, Kind.PROTOCOL, f"the final dot was answered {reply}"))
            return
        transaction.end(Answered(Stage.END, reply))
        self._next_one(reset=False)

    def _ask(self, stage: Stage, index: int, command: bytes) -> None:
        self._due.append((stage, index))
        self._write(command)

    def _next_one(self, *, reset: bool) -> None:
        """Turn to the next transaction: the one whose commands went with the final dot, or one that waits."""
        self.served += 1
        self._needs_reset = self._needs_reset or reset
        self._current, self._following = self._following, None
        if self._current is None:
            self._pull()

    # Content

    def _send_content(self, transaction: Transaction) -> None:
        """Send the content as it is: its wire form has CRLF line ends and stuffed dots already."""
        try:
            content = read_inline(transaction.content, transaction.message.id)
        except Unsendable as exc:
            self._unsendable(exc)
            return
        if content is None:
            self._got_on()
            self._wrote = True
            self._streamer = asyncio.get_running_loop().create_task(self._stream(transaction))
        else:
            self._write(content + self._final_dot())

    def _final_dot(self) -> bytes:
        """Give the final dot, with the commands of the next transaction behind it where one waits (RFC 2920 §3.1)."""
        self._due.append((Stage.END, 0))
        if not self.offer.pipelining:
            return b".\r\n"
        self._following = self._take()
        if self._following is None:
            return b".\r\n"
        return b".\r\n" + self._opening(self._following)

    async def _stream(self, transaction: Transaction) -> None:
        """Send content that is not in memory. Ends by cancellation when the connection does."""
        try:
            content, name = transaction.content, transaction.message.id
            await send_chunks(content, name, self._transport, self._may_write, self._got_on)
        except Unsendable as exc:
            self._streamer = None
            self._unsendable(exc)
        else:
            self._streamer = None
            self._write(self._final_dot())

    def _got_on(self) -> None:
        self._deadline.within(self._timeouts.block)

    def _unsendable(self, why: Unsendable) -> None:
        self._end(Trouble(Stage.CONTENT, Kind.LOCAL, str(why)), by_hop=False)

    def pause_writing(self) -> None:
        """Hear that the hop does not take what was written as fast as it comes."""
        self._may_write.clear()

    def resume_writing(self) -> None:
        """Hear that there is room again."""
        self._may_write.set()

    # The end

    def eof_received(self) -> bool:
        """Hear that the hop will say nothing more; nothing it was asked can be answered now."""
        self._end(Trouble(self._stage(), Kind.DROPPED))
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Hear that the transport is gone."""
        self._end(Trouble(self._stage(), Kind.DROPPED, "" if exc is None else type(exc).__name__))
        if not self.gone.done():
            self.gone.set_result(None)

    def _stage(self) -> Stage:
        if self._due:
            return self._due[0][0]
        return Stage.CONTENT if self._current is not None else Stage.RSET

    def _expired(self) -> None:
        if self._current is None:
            self.quit()
        else:
            self._end(Trouble(self._stage(), Kind.TIMED_OUT))

    def _end(self, happening: Happening, *, by_hop: bool = True) -> None:
        """Close the connection; what the hop has answered in part ends with this happening, the rest goes back."""
        if self._closed:
            return
        self._shut()
        self._transport.abort()
        unanswered: list[Transaction] = []
        for transaction in (self._current, self._following):
            if transaction is None or transaction.done.done():
                continue
            if transaction.answered:
                transaction.end(happening)
            else:
                unanswered.append(transaction)
        self._current = self._following = None
        self._owner.lost(self, happening if by_hop else None, unanswered)

    def _shut(self) -> None:
        self._closed = True
        self._deadline.cancel()
        self._may_write.set()
        if self._streamer is not None:
            self._streamer.cancel()
