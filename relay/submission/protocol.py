"""What comes in on one connection: lines to the session, content to its reader, answers back in one write.

Commands are parsed as they arrive, in `data_received`, and answered in order; the answers to a group leave in one write
(RFC 2920 §3.2). Only AUTH, STARTTLS and the end of large data take a task: until it is done input waits, bounded. In place of
aiosmtpd's commands, address parsing, AUTH and DATA stand relay.submission.commands, relay.address,
relay.submission.auth and relay.submission.data.
"""

import asyncio
import logging
from functools import partial

from relay import status
from relay.directory.credentials import Proven, Wrong
from relay.policy.decision import masked_text
from relay.status import Reply
from relay.submission import signing_in
from relay.submission.answers import Alone, Answer, Challenge, HangUp, Prove, StartTls, TakeChunk, TakeData
from relay.submission.auth import LONGEST_LINE, Credential, Expect
from relay.submission.commands import VERBS, carry_out, chunk_taken
from relay.submission.conclusion import Conclusion, trouble
from relay.submission.connection import Connection, Phase
from relay.submission.data import ChunkReader, DataReader, WasteReader
from relay.submission.door import Door
from relay.submission.house import House
from relay.submission.limits import Pace
from relay.submission.wording import shown

_logger = logging.getLogger("relay.submission")

_TURN = 64
"""Commands that are carried out before other connections get their turn."""
_ENOUGH = 65536
"""Octets that wait for their turn before we stop reading."""
_LARGE = 65536
"""Octets in one read after which the other connections get their turn: uvloop reads 32 times 256 KB in a row."""
_LONGEST_LINE = LONGEST_LINE + 64
_LONGEST_DELAY = 10.0
"""Seconds that the answer to a wrong password is held back at most."""


class SubmissionProtocol(Connection):
    """One connection of a mail client."""

    def __init__(self, house: House, door: Door, counted: str = "") -> None:
        super().__init__(house, door, counted)
        self._taker: DataReader | ChunkReader | WasteReader | None = None
        self._chunk: TakeChunk | None = None
        self._expected: Expect | None = None
        self._skipping = False

    # --- what comes in

    def data_received(self, data: bytes) -> None:
        """Work through what came in, as far as it may be now."""
        self._heard = self._seconds()
        if len(data) > _LARGE:
            self._rest()
        if self._phase is Phase.WORK or self._held_up or self._turn is not None:
            self._pending += data
            if len(self._pending) > _ENOUGH and not self._securing:
                self._wire.pause_reading()
            return
        if self._pending:
            self._pending += data
            data = bytes(self._pending)
            self._pending.clear()
        self._work_through(data)

    def _rest(self) -> None:
        """Read on in the loop's next turn only."""
        self._wire.pause_reading()
        asyncio.get_running_loop().call_soon(self._rested)

    def _rested(self) -> None:
        if len(self._pending) <= _ENOUGH and not self._securing and not self._wire.is_closing():
            self._wire.resume_reading()

    def _work_through(self, data: bytes) -> None:
        try:
            rest = self._advance(data)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client is asked to come again
            self._hang_up(trouble("talking to a client", error))
            return
        if self._phase is not Phase.CLOSING:
            if rest:
                self._pending += rest
            self._flush()

    def _advance(self, data: bytes) -> bytes:
        """Carry out commands and take in content; gives what must wait."""
        at, size, left = 0, len(data), _TURN
        while at < size and not self._held_up:
            if self._phase is Phase.TALK:
                end = data.find(b"\r\n", at)
                if end < 0:
                    return self._unfinished(data[at:])
                line, at = data[at:end], end + 2
                self._act(self._converse(line), more=at < size)
                left -= 1
                if not left and at < size and self._phase is Phase.TALK:
                    self._turn = asyncio.get_running_loop().call_soon(self._take_turn)
                    break
            elif self._phase is Phase.CONTENT:
                rest = self._take(data[at:] if at else data)
                if rest is None:
                    return b""
                data, at, size = rest, 0, len(rest)
            elif self._phase is Phase.WORK:
                break
            else:
                return self._waste(data)
        return data[at:] if at else data

    def _take_turn(self) -> None:
        self._turn = None
        self._go_on()

    def _go_on(self) -> None:
        """Carry on with what waited, and read again."""
        if self._phase in (Phase.WORK, Phase.CLOSING) or self._held_up or self._turn is not None:
            return
        if self._pending:
            data = bytes(self._pending)
            self._pending.clear()
            self._work_through(data)
        if len(self._pending) <= _ENOUGH and not self._wire.is_closing():
            self._wire.resume_reading()
        if self._ended and self._phase in (Phase.TALK, Phase.CONTENT) and self._turn is None:
            self._wire.close()

    def _unfinished(self, rest: bytes) -> bytes:
        """Keep the beginning of a line, unless it is too long already: then only its end is looked for."""
        if not self._skipping and len(rest) <= _LONGEST_LINE:
            return rest
        self._skipping = True
        return rest[-1:] if rest.endswith(b"\r") else b""

    def _converse(self, line: bytes) -> Answer:
        if self._debug:
            self._log_line(line)
        expected, self._expected = self._expected, None
        if self._skipping:
            self._skipping = False
            return self.talk.checked(status.AUTH_LINE_TOO_LONG if expected else status.LINE_TOO_LONG)
        if expected is not None:
            return signing_in.respond(self.talk, expected, line)
        return carry_out(self.talk, line)

    def _log_line(self, line: bytes) -> None:
        verb = line.partition(b" ")[0].upper()
        if self._expected is not None or verb not in VERBS:
            # A password, or what might be one in the wrong place.
            text = f"({len(line)} octets)"
        else:
            text = "AUTH ****" if verb == b"AUTH" else masked_text(shown(line), self._door.rules())
        _logger.debug("%s %s > %s", self._door.name, self.talk.client, text)

    def _act(self, answer: Answer, *, more: bool) -> None:
        """Do what the answer says. `more`: the client sent on without waiting for it."""
        if isinstance(answer, Reply):
            self._say(answer)
            return
        if more and isinstance(answer, (Alone, TakeData, StartTls)):
            # What was sent before this answer was not asked for: a client that guesses so is confused or smuggles.
            self._hang_up(status.TOO_EARLY)
            return
        match answer:
            case Alone(reply=reply):
                self._say(reply)
            case HangUp():
                self._hang_up(answer.reply, linger=answer.linger)
            case TakeData(content=content):
                self._begin_data(DataReader(content))
            case TakeChunk():
                self._begin_chunk(answer)
            case Challenge(expected=expected):
                self._expected = expected
                self._say(expected.challenge)
            case Prove(credential=credential):
                self._start(self._prove(credential))
            case StartTls():
                self._say(status.READY_FOR_TLS)
                self._flush()
                self._begin_tls()

    # --- content

    def _begin_data(self, reader: DataReader) -> None:
        self._taker = reader
        self._pace = Pace(self._door.limits.minimum_rate, self._seconds())
        self._phase = Phase.CONTENT
        self._say(status.SEND_DATA)

    def _begin_chunk(self, chunk: TakeChunk) -> None:
        reader = self._taker
        if chunk.content is None:
            reader = WasteReader()
        elif not isinstance(reader, ChunkReader) or reader.content is not chunk.content:
            reader = ChunkReader(chunk.content)
        reader.begin(chunk.octets, last=chunk.last)
        self._taker, self._chunk = reader, chunk
        self._pace = Pace(self._door.limits.minimum_rate, self._seconds())
        self._phase = Phase.CONTENT
        if not chunk.octets:
            self._take(b"")

    def _take(self, data: bytes) -> bytes | None:
        """Give content to its reader; gives what is left once the content is complete, else None."""
        taker, pace = self._taker, self._pace
        if taker is None or pace is None:
            return data
        rest = taker.feed(data)
        pace.took(len(data) - len(rest or b""))
        content = taker.content
        if content is not None and content.far_too_large:
            limits = self._door.limits
            self._hang_up(status.TOO_LARGE.fill(limit=limits.message_size_text))
        elif rest is not None:
            self._content_ended()
        return rest

    def _content_ended(self) -> None:
        chunk, self._chunk = self._chunk, None
        self._pace = None
        self._phase = Phase.TALK
        if chunk is not None and chunk.refusal is not None:
            self._act(self.talk.checked(chunk.refusal), more=False)
        elif chunk is not None and not chunk.last:
            self._act(chunk_taken(self.talk, chunk.octets), more=False)
        else:
            self._taker = None
            self._conclude()

    # --- work that takes a while

    def _answered(self, answer: Answer, *, utf8: bool = False) -> None:
        if self._phase is Phase.CLOSING:
            return
        self._phase = Phase.TALK
        if isinstance(answer, Reply):
            self._say(answer, utf8=utf8)
        else:
            self._act(answer, more=False)
        self._flush()
        if self.talk.draining and self.talk.mail is None:
            self.drain()
        self._go_on()

    def _conclude(self) -> None:
        """Have a message taken whose content is complete."""
        content = self.talk.content
        if content is None:
            self._act(self.talk.checked(status.RCPT_FIRST), more=False)
            return
        self._phase = Phase.WORK
        self._since = self._seconds()
        utf8 = self.talk.mail is not None and self.talk.mail.smtputf8
        conclusion = Conclusion(self.talk, content, partial(self._concluded, utf8))
        self._house.begin(self)
        if content.inline is None:
            self._house.start(conclusion.carry_on())
        else:
            # Not in the midst of reading: there each connection's turn gives Python's lock away and takes it back.
            asyncio.get_running_loop().call_soon(conclusion.begin)

    def _concluded(self, utf8: bool, reply: Reply) -> None:
        self._house.end(self)
        self._answered(self.talk.checked(reply), utf8=utf8)

    async def _prove(self, credential: Credential) -> None:
        started = self._seconds()
        try:
            verdict = await self._door.credentials.verify(
                credential.claimed, credential.password, self.talk.client
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, the client is asked to come again
            self._answered(trouble("checking a password", error))
            return
        how = verdict.how if isinstance(verdict, Proven) else "none"
        outcome = type(verdict).__name__.lower()
        self._door.meter.signed_in(outcome, credential.mechanism, how, self._seconds() - started)
        if isinstance(verdict, Wrong) and verdict.delay_seconds > 0:
            await asyncio.sleep(min(verdict.delay_seconds, _LONGEST_DELAY))
        self._answered(signing_in.proved(self.talk, credential, verdict))
