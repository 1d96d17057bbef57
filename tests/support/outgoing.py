"""Messages on their way out, and a courier for one scripted hop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from relay.address import Address
from relay.config.model import (
    BccSettings,
    ResolverSettings,
    RouteChoice,
    RouteLimits,
    RouteSettings,
    RouteTimeouts,
    UpstreamAuthSettings,
    UpstreamSettings,
)
from relay.config.types import SecretReference
from relay.delivery.courier import SmtpCourier
from relay.delivery_kind import Role, Transport
from relay.envelope import Envelope, Recipient
from relay.ids import DeliveryId, Login, QueueId
from relay.outcome import Outcome
from relay.queue.model import Batch, ContentReader, Delivery, QueuedMessage, State
from tests.support.clock import FakeClock

CONTENT = b"From: ana@example.com\r\nSubject: hello\r\n\r\nHello\r\n..dots\r\n"
COPY = "emailtosalesforce@k8ab12cd34.le.salesforce.com"


def mailbox(text: str) -> Address:
    """Take a mailbox apart without any check."""
    local, _, domain = text.rpartition("@")
    return Address(local, domain)


def message(
    recipients: Sequence[str] = ("bo@example.net",),
    *,
    sender: str | None = "ana@example.com",
    octets: int = len(CONTENT),
    **changes: object,
) -> QueuedMessage:
    """Make a queued message to these recipients."""
    envelope = Envelope(
        reverse_path=None if sender is None else mailbox(sender),
        recipients=tuple(Recipient(mailbox(text)) for text in recipients),
    )
    plain = QueuedMessage(
        id=QueueId("0123456789ABC"),
        envelope=envelope,
        login=Login("ana"),
        accepted_at=0,
        octets=octets,
        has_8bit=False,
        utf8_header=False,
        message_id="<1@example.com>",
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def delivery(number: int, target: str, role: Role = Role.RECIPIENT, **changes: object) -> Delivery:
    """Make a delivery that is being attempted."""
    plain = Delivery(
        id=DeliveryId(number),
        message=QueueId("0123456789ABC"),
        role=role,
        transport=Transport.SMTP,
        target=target,
        state=State.ACTIVE,
        attempts=0,
        next_attempt_at=None,
        created_at=0,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


class Inline:
    """Content that is in memory."""

    def __init__(self, content: bytes = CONTENT) -> None:
        self._content = content

    @property
    def octets(self) -> int:
        """Give its length."""
        return len(self._content)

    def inline(self) -> bytes | None:
        """Give all of it."""
        return self._content

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give all of it as one chunk."""
        yield self._content


class Streamed:
    """Content that is read in chunks; `before` is called before each with its number, and may raise."""

    def __init__(self, chunks: Sequence[bytes], before: Callable[[int], None] = lambda _: None) -> None:
        self._chunks = chunks
        self._before = before
        self.read = 0
        """Chunks that were asked for."""
        self.closed = False

    @property
    def octets(self) -> int:
        """Give its length."""
        return sum(len(chunk) for chunk in self._chunks)

    def inline(self) -> bytes | None:
        """Give None: it is not in memory."""
        return None

    async def chunks(self) -> AsyncIterator[bytes]:
        """Give the chunks."""
        try:
            for number, chunk in enumerate(self._chunks):
                await asyncio.sleep(0)
                self._before(number)
                self.read += 1
                yield chunk
        finally:
            self.closed = True


def batch(
    targets: Sequence[str] = ("bo@example.net",),
    *,
    copy: str | None = None,
    content: ContentReader | None = None,
    first_id: int = 1,
    **changes: object,
) -> Batch:
    """Make a batch for these recipients, and a log copy where one is named."""
    deliveries = [delivery(first_id + index, target) for index, target in enumerate(targets)]
    if copy is not None:
        deliveries.append(delivery(first_id + len(targets), copy, Role.LOG_COPY, notify="NEVER"))
    return Batch(message(targets, **changes), tuple(deliveries), content or Inline())  # type: ignore[arg-type]


def route(
    port: int,
    *,
    host: str = "127.0.0.1",
    tls: str = "none",
    tls_ca: str | None = None,
    sign_in: bool = False,
    connections: int = 10,
    recipients: int = 100,
    timeouts: Mapping[str, float] | None = None,
    kind: str = "smarthost",
    messages_per_minute: int = 0,
    recipients_per_day: int = 0,
    addresses: str = "any",
) -> RouteSettings:
    """Make the settings of a route to a port of this host."""
    auth = UpstreamAuthSettings()
    if sign_in:
        auth = UpstreamAuthSettings(kind="password", username="relay", password=SecretReference(env="HOP"))
    spans = {name: timedelta(seconds=seconds) for name, seconds in (timeouts or {}).items()}
    return RouteSettings(
        kind=kind,
        host=None if kind == "mx" else host,
        port=port,
        tls=tls,
        tls_ca=tls_ca,
        addresses=addresses,
        auth=auth,
        limits=RouteLimits(
            connections=connections,
            recipients=recipients,
            messages_per_minute=messages_per_minute,
            recipients_per_day=recipients_per_day,
        ),
        timeouts=RouteTimeouts(**spans),
    )


def courier(
    *routes: RouteSettings,
    clock: FakeClock | None = None,
    transaction: str = "auto",
    secret: Callable[[SecretReference], str] = lambda _: "open sesame",
    observe: Callable[[str, str], None] = lambda _route, _what: None,
    resolver: ResolverSettings | None = None,
    select: Sequence[RouteChoice] = (),
) -> SmtpCourier:
    """Make a courier whose routes are called main, second, third."""
    names = ("main", "second", "third")
    return SmtpCourier(
        UpstreamSettings(
            default="main",
            routes=dict(zip(names, routes, strict=False)),
            select=tuple(select),
            resolver=resolver or ResolverSettings(),
        ),
        BccSettings(transaction=transaction),
        "relay.test",
        resolve=Path,
        secret=secret,
        clock=clock or FakeClock(),
        observe=observe,
    )


async def send(sender: SmtpCourier, *batches: Batch) -> list[Outcome]:
    """Attempt the batches; give the outcomes in the order of their deliveries."""
    outcomes = await asyncio.wait_for(sender.attempt(batches), 20)
    return [outcomes[delivery.id] for batch in batches for delivery in batch.deliveries]
