"""Give up the text of large mail that waits for a match while the disk is nearly full: mail that comes in goes before it.

Only what is in the spool: the database does not shrink. The header stays, so that the mail can still be recorded, and a
text that says what became of its own.
"""

import asyncio
import logging

from relay.clock import rfc3339
from relay.errors import StorageError
from relay.ids import QueueId
from relay.maillog.events import DeliveryChanged
from relay.message import read_header
from relay.queue.content import SpoolFiles, read_some
from relay.queue.model import StoredContent
from relay.salesforce.work import Tools
from relay.storage.database import Transaction

_LOGS = logging.getLogger(__name__)
_PORTION = 20
_HEADER = 65_536
"""Octets of the header that are kept."""
_WHY = "its text was given up: the disk is nearly full, and nobody in Salesforce has an address of it"


async def shorten(tools: Tools, spool: SpoolFiles) -> bool:
    """Give up the texts of the mails that wait longest; tells whether there were any. Raises StorageError."""
    found = await tools.database.read(lambda tx: _contents(tools, tx))
    kept = await asyncio.to_thread(_headers, found, spool)
    now = tools.clock.now()

    def replace(tx: Transaction) -> list[QueueId]:
        done = [one for one in tools.store.spooled_unmatched(tx, _PORTION) if one in kept]
        for one in done:
            tools.queue.replace_content(tx, one, without_text(kept[one], now))
        events = [
            DeliveryChanged(
                at=now, message=one, verb="held", targets=("salesforce",), by="relay", reason=_WHY
            )
            for one in done
        ]
        tools.mail_log.append(tx, events)
        return done

    done = await tools.database.write(replace) if kept else []
    if done:
        _LOGS.warning(
            "the disk is nearly full: %d mails that wait for a match are kept without their text", len(done)
        )
    return bool(done)


def _contents(tools: Tools, tx: Transaction) -> dict[QueueId, StoredContent]:
    messages = tools.store.spooled_unmatched(tx, _PORTION)
    return {one: stored for one in messages if (stored := tools.queue.content(tx, one)) is not None}


def _headers(found: dict[QueueId, StoredContent], spool: SpoolFiles) -> dict[QueueId, bytes]:
    """Read what is sent of each, as far as the header goes; what cannot be read is left as it is."""
    read = {}
    for message, stored in found.items():
        try:
            read[message] = read_some(stored, spool, _HEADER)
        except StorageError as exc:
            _LOGS.warning("%s: %s", message, exc)
    return read


def without_text(wire: bytes, now: int) -> bytes:
    """Give the beginning of a mail as a mail of its own, in wire form: its header, and a text that says why there is no other."""
    whole = wire if b"\r\n\r\n" in wire else wire[: wire.rfind(b"\r\n") + 2]
    header = read_header(whole)
    fields = (one for one in header.fields if not one.name.startswith(("content-", "mime-version")))
    kept = b"".join(header.raw[one.start : one.end] for one in fields)
    said = f"(The relay gave up the text of this mail on {rfc3339(now)[:10]}: its disk was nearly full.)"
    return b"%bMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%b\r\n" % (
        kept,
        said.encode(),
    )
