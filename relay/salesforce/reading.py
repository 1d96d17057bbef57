"""Read of a mail what is recorded: bodies, attachments, names, thread - within limits, whatever the mail is.

Nothing is ever written anew. A thread cannot be ended, so the work itself is bounded instead of killed: parts, depth and
lengths are limited and every step is linear (relay.salesforce.mime, .cleaning, .mime_fields), which keeps even a mail
made to stall its reader to a time that grows with its size alone. The reading runs in threads of its own; who waits
gives up after a limit all the same.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass

from relay.config.recording import CaptureSettings
from relay.encoded_words import text_codec
from relay.message import Header, header_ends, read_header, unstuff, values
from relay.queue.model import ContentReader
from relay.salesforce.cleaning import storable, text_of_html
from relay.salesforce.composed import Attachment, Mailbox, MailParts
from relay.salesforce.files import attachments_of, is_body
from relay.salesforce.mime import MAXIMUM_HEADER, Part, Structure, decoded, structure
from relay.salesforce.mime_fields import MAXIMUM_VALUE, first_id, instant, mailboxes

MAXIMUM_CONTENT = 64 * 1024 * 1024
"""Octets of a mail that are read; what is behind them is not recorded."""
MAXIMUM_BODY = 1024 * 1024
"""Octets of one body that are decoded."""
MAXIMUM_TEXT = 200_000
"""Characters of a text body that are kept: more than any field takes."""
MAXIMUM_HTML = 200_000
"""Characters of an HTML body that is kept; a longer one is dropped, since cut HTML is broken HTML."""
MAXIMUM_BODIES = 50
DEADLINE = 30.0
"""Seconds after which nobody waits for a reading any longer."""
_READERS = 2

_SMIME = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_INLINE_PGP = re.compile(r"\s{0,1000}-----BEGIN PGP MESSAGE-----")


@dataclass(frozen=True, slots=True)
class Wants:
    """What of a mail is to be read."""

    body: bool = True
    html: bool = True
    attachments: bool = False
    """Whether their names are read."""
    files: int = 0
    """How many octets of files are kept, over all of them; 0: none."""


def wants_of(capture: CaptureSettings, *, headers_only: bool = False) -> Wants:
    """Say what the settings ask to be read."""
    if headers_only or capture.body == "headers":
        names = not headers_only and capture.attachments != "none"
        return Wants(body=False, html=False, attachments=names, files=_files(capture) if names else 0)
    return Wants(
        html=capture.body == "full",
        attachments=capture.attachments != "none",
        files=_files(capture),
    )


def _files(capture: CaptureSettings) -> int:
    return capture.attachments_total if capture.attachments == "files" else 0


def read_mail(wire: bytes, wants: Wants) -> MailParts:
    """Read a mail in its wire form. Never raises; what cannot be read is among the problems."""
    octets = unstuff(wire)
    header = read_header(octets[: min(header_ends(octets) or len(octets), MAXIMUM_HEADER)])
    found = structure(octets) if wants.body or wants.attachments else Structure((), frozenset(), ())
    bodies = _Bodies(octets, found, wants)
    secret = _encryption(found, bodies.text)
    problems = [*found.problems, *bodies.problems]
    files: tuple[Attachment, ...] = ()
    if wants.attachments and not secret:
        files = attachments_of(octets, found, wants.files, problems)
    if secret:
        problems = [f"it is encrypted ({secret}): only its header is recorded"]
    return MailParts(
        text="" if secret else bodies.text,
        html="" if secret else bodies.html,
        attachments=files,
        encrypted=secret,
        to=mailboxes(_joined(header, "to")),
        cc=mailboxes(_joined(header, "cc")),
        sender=next(iter(mailboxes(_joined(header, "from"))), Mailbox("", "")),
        thread=first_id(_joined(header, "references")) or first_id(_joined(header, "in-reply-to")),
        date=instant(_joined(header, "date")),
        problems=tuple(problems),
    )


def _joined(header: Header, name: str) -> str:
    found = (
        b", ".join(values(header, name)[:100]) if name in ("to", "cc") else b"".join(values(header, name)[:1])
    )
    return found[:MAXIMUM_VALUE].decode("utf-8", "replace")


def _encryption(found: Structure, text: str) -> str:
    """Say what keeps the body from being read (RFC 8551, RFC 3156); a signature beside a readable body does not."""
    if any(part.type in _SMIME for part in found.parts):
        return "S/MIME"
    if "multipart/encrypted" in found.types:
        return "OpenPGP"
    return "OpenPGP" if _INLINE_PGP.match(text) else ""


class _Bodies:
    """The text and the HTML that a reader of the mail sees, in the order in which they stand."""

    def __init__(self, octets: bytes, found: Structure, wants: Wants) -> None:
        self.problems: list[str] = []
        self.text = self.html = ""
        if not wants.body:
            return
        parts = [part for part in found.parts if is_body(part)][:MAXIMUM_BODIES]
        texts = [(part, _text(octets, part)) for part in parts]
        self.text = storable(self._reading(texts))[:MAXIMUM_TEXT].strip("\n")
        if wants.html:
            self.html = self._markup(texts)

    def _reading(self, texts: Sequence[tuple[Part, str]]) -> str:
        """Join the plain texts; HTML is read where it has no plain alternative."""
        plain = {part.alternative for part, text in texts if part.type == "text/plain" and text.strip()}
        pieces = []
        for part, text in texts:
            if part.type == "text/plain":
                pieces.append(text)
            elif part.alternative == 0 or part.alternative not in plain:
                pieces.append(text_of_html(text))
        return "\n".join(piece.rstrip("\r\n") for piece in pieces if piece.strip())

    def _markup(self, texts: Sequence[tuple[Part, str]]) -> str:
        markup = "\n".join(text for part, text in texts if part.type == "text/html")
        if len(markup) > MAXIMUM_HTML:
            self.problems.append("its HTML is too long to be recorded: the text is")
            return ""
        return storable(markup).strip()


def _text(octets: bytes, part: Part) -> str:
    """Decode a body; where its charset is missing or wrong it is read as UTF-8, else as windows-1252."""
    named = text_codec(part.charset) if part.charset else None
    codec = None if named == "ascii" else named
    raw = decoded(octets, part, MAXIMUM_BODY)
    for candidate in (codec, "utf-8"):
        if candidate is not None:
            try:
                return raw.decode(candidate)
            except (UnicodeError, LookupError):
                continue
    return raw.decode(codec or "windows-1252", "replace")


class MailReader:
    """Reads mails off the event loop, two at a time."""

    def __init__(
        self, *, deadline: float = DEADLINE, read: Callable[[bytes, Wants], MailParts] = read_mail
    ) -> None:
        self._deadline = deadline
        self._read = read
        self._pool = ThreadPoolExecutor(_READERS, "mime")
        self._room = asyncio.Semaphore(_READERS)

    async def read(self, content: ContentReader, wants: Wants) -> MailParts:
        """Read queued content. Raises StorageUnavailable when it cannot be had; what cannot be read is a problem.

        A mail that takes too long is as one whose parts cannot be read.
        """
        async with self._room:
            loop = asyncio.get_running_loop()
            wire = await _wire(content, header_only=not (wants.body or wants.attachments))
            reading = loop.run_in_executor(self._pool, self._read, wire, wants)
            try:
                async with asyncio.timeout(self._deadline):
                    return await reading
            except TimeoutError:
                header = read_mail(wire[:MAXIMUM_HEADER], Wants(body=False, html=False))
                return _given_up(header)

    def close(self) -> None:
        """Take no more mail."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _given_up(header: MailParts) -> MailParts:
    return MailParts(
        to=header.to,
        cc=header.cc,
        sender=header.sender,
        thread=header.thread,
        date=header.date,
        problems=("it took too long to read: only its header is recorded",),
    )


async def _wire(content: ContentReader, *, header_only: bool) -> bytes:
    """Give the content in one piece, as much of it as is read."""
    whole = content.inline()
    if whole is not None:
        return whole[:MAXIMUM_CONTENT]
    pieces = bytearray()
    async with aclosing(content.chunks()) as chunks:  # type: ignore[type-var]  # ContentReader's chunks are generators
        async for chunk in chunks:
            pieces += chunk
            if len(pieces) >= (MAXIMUM_HEADER if header_only else MAXIMUM_CONTENT):
                break
    return bytes(pieces[:MAXIMUM_CONTENT])
