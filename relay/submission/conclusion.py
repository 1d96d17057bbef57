"""From the end of data to the answer: have the message judged, hand it to the queue, and say 250 once it is durable.

What becomes of the client meanwhile changes nothing: a message that was handed over is kept, whether or not
anybody still hears the 250. A fault of ours is 451 with an incident number; its traceback is in the logs, once.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable

from relay import status
from relay.envelope import reverse_path_text
from relay.errors import StorageError, StorageFull
from relay.message import Header, read_header
from relay.policy.decision import shown_recipients
from relay.status import Reply
from relay.submission.acceptance import Ready, judge
from relay.submission.data import Content, fault, storage_reply
from relay.submission.session import Session

_logger = logging.getLogger(__name__)


def trouble(what: str, error: BaseException) -> Reply:
    """Log an unexpected exception with its traceback, and give the reply that names only the incident."""
    incident = secrets.token_hex(4).upper()
    _logger.error("incident %s while %s", incident, what, exc_info=error)
    return status.TROUBLE.fill(incident=incident)


class Conclusion:
    """One message between the end of its data and the answer; the transaction is over with it, whatever it is.

    No task is spent on a message that is in memory: it is judged at once, and the queue tells when it is durable.
    """

    __slots__ = ("_answer", "_content", "_door", "_envelope", "_ready", "_session", "_started")

    def __init__(self, session: Session, content: Content, answer: Callable[[Reply], None]) -> None:
        """`answer` is called once: by `begin` or `carry_on`, or later."""
        self._session = session
        self._content = content
        self._answer = answer
        self._door = session.door
        # From here on the content is ours: neither RSET nor a lost connection takes it away.
        session.content = None
        # And the envelope: a connection that is lost meanwhile forgets its transaction.
        self._envelope = session.envelope()
        self._started = self._door.clock.monotonic()
        self._ready: Ready | None = None

    def begin(self) -> None:
        """Judge content that is in memory and hand it to the queue, which is the only one to wait for."""
        try:
            refusal = self._judge(None)
            if refusal is None:
                self._hand_over()
                return
        except Exception as error:  # noqa: BLE001 - whatever it is, the client is asked to come again
            self._give_back()
            refusal = trouble("taking a message", error)
        self._finish(refusal)

    async def carry_on(self) -> None:
        """Do the same with content in the spool: a file must be synced.

        And a quarter of a million fields take their time, which the other connections need not wait for.
        """
        try:
            refusal = self._judge(await asyncio.to_thread(read_header, self._content.head))
            if refusal is None:
                await self._content.sync()
                self._hand_over()
                return
        except asyncio.CancelledError:
            self._content.abandon()
            raise
        except StorageError as error:
            self._give_back()
            refusal = _not_stored(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client is asked to come again
            self._give_back()
            refusal = trouble("taking a message", error)
        self._finish(refusal)

    def _judge(self, header: Header | None) -> Reply | None:
        wrong = fault(self._content, self._door.limits)
        if wrong is not None:
            return wrong
        found = read_header(self._content.head) if header is None else header
        ready = judge(self._session, self._content, self._envelope, found)
        if isinstance(ready, Reply):
            return ready
        if ready.rep is not None:
            self._door.rates.take(ready.rep.login, self._door.clock.now())
        self._ready = ready
        return None

    def _hand_over(self) -> None:
        ready = self._ready
        assert ready is not None
        self._door.intake.take(ready.message, ready.plan, (ready.event,), self._stored)

    def _stored(self, error: Exception | None) -> None:
        """Hear that the message is durable, or why it is not."""
        ready, door = self._ready, self._door
        assert ready is not None
        # With the name the queue owns the file: only it, or the sweep, may take it away. But a full disk needs the
        # room, and nothing was stored: then the file goes at once.
        if not isinstance(error, StorageFull):
            self._content.hand_over()
        if error is None:
            self._session.message_taken()
            door.meter.accepted(door.name, ready.message.octets, door.clock.monotonic() - self._started)
            self._finish(status.QUEUED.fill(id=ready.event.message))
            return
        self._give_back()
        if isinstance(error, StorageError):
            self._finish(_not_stored(error))
        else:
            self._finish(trouble("taking a message", error))

    def _give_back(self) -> None:
        if self._ready is not None and self._ready.rep is not None:
            self._door.rates.give_back(self._ready.rep.login)

    def _finish(self, reply: Reply) -> None:
        self._content.abandon()
        if reply.code >= 400:
            recipients = shown_recipients(self._envelope.recipients, self._door.rules())
            self._session.note_refused(reply, reverse_path_text(self._envelope.reverse_path), recipients)
        self._session.reset()
        self._answer(reply)


def _not_stored(error: StorageError) -> Reply:
    _logger.warning("a message could not be stored: %s", error)
    return storage_reply(error)
