"""A submission service for tests: real listeners on loopback, with a queue, a directory and a mail log in memory."""

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import trustme

from relay.config.model import RelaySettings
from relay.directory.credentials import Proven, Verdict, Wrong
from relay.directory.model import BccAddress, Directory, Rep, Token
from relay.errors import StorageError
from relay.ids import Login, next_number
from relay.maillog.events import Event
from relay.metrics import Metrics
from relay.policy.decision import PlannedDelivery
from relay.policy.rules import compile_rules
from relay.queue.model import NewMessage
from relay.storage.database import Transaction
from relay.storage.spool import Spool
from relay.submission.listener import Submission, SubmissionParts
from tests.support.builders import mailbox
from tests.support.clock import FakeClock

T = TypeVar("T")

HOSTNAME = "relay.example.com"
PASSWORD = "correct-horse-battery"
PLAIN = "AGFuYQBjb3JyZWN0LWhvcnNlLWJhdHRlcnk="
"""AUTH PLAIN's response for ana and PASSWORD."""
LOG_COPY = "emailtosalesforce@a1b2c3.le.salesforce.example"


class KeptMail:
    """A queue that keeps what it was given in memory, content included; it can be told to fail or to wait."""

    def __init__(self, clock: FakeClock, spool: Spool) -> None:
        self.messages: list[NewMessage] = []
        self.plans: list[Sequence[PlannedDelivery]] = []
        self.events: list[Event] = []
        self.contents: list[bytes] = []
        self.failure: Exception | None = None
        self.before: Callable[[], Any] | None = None
        """Awaited before a message is kept; for tests that look at what happens meanwhile."""
        self._clock = clock
        self._spool = spool
        self._keeping: set[asyncio.Future[None]] = set()
        self._last = 0

    def next_number(self) -> int:
        """Give the number of the next message."""
        self._last = next_number(self._last, self._clock.now())
        return self._last

    def take(
        self,
        message: NewMessage,
        plan: Sequence[PlannedDelivery],
        events: Sequence[Event],
        stored: Callable[[Exception | None], None],
    ) -> None:
        """Keep the message and tell so, or tell of the failure that was set."""
        keeping = asyncio.ensure_future(self._keep(message, plan, events))
        self._keeping.add(keeping)
        keeping.add_done_callback(self._keeping.discard)
        keeping.add_done_callback(lambda done: stored(done.exception()))  # type: ignore[arg-type]

    async def _keep(
        self, message: NewMessage, plan: Sequence[PlannedDelivery], events: Sequence[Event]
    ) -> None:
        if self.before is not None:
            await self.before()
        if self.failure is not None:
            raise self.failure
        content = message.content
        if content is None:
            assert message.spool_name is not None
            with self._spool.open(message.spool_name) as file:
                content = file.read()
        self.messages.append(message)
        self.plans.append(plan)
        self.events += events
        self.contents.append(content)


class KeptPasswords:
    """Proves the reps of a directory by one password, or gives the verdict that was set."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self.verdict: Verdict | None = None
        self.failure: Exception | None = None
        self.asked: list[tuple[str, bytes, str]] = []

    async def verify(self, login: str, password: bytes, network: str) -> Verdict:
        """Say whether login and password are right."""
        self.asked.append((login, password, network))
        if self.failure is not None:
            raise self.failure
        if self.verdict is not None:
            return self.verdict
        rep = self._directory.by_login(login)
        return Proven(rep) if rep is not None and password == PASSWORD.encode() else Wrong(0.0)


class KeptEvents:
    """A mail log, and the database it is in, that keep events in memory."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.failure: StorageError | None = None

    def append(self, tx: Transaction, events: Sequence[Event]) -> None:
        """Keep the events."""
        self.events += events

    async def write(self, unit: Callable[[Transaction], T]) -> T:
        """Run the unit; its transaction is of no use."""
        if self.failure is not None:
            raise self.failure
        return unit(None)  # type: ignore[arg-type]

    async def read(self, query: Callable[[Transaction], T]) -> T:
        """Run the query."""
        return await self.write(query)

    async def close(self) -> None:
        """Let go of nothing."""


@dataclass(slots=True)
class Front:
    """The service under test and everything that stands around it."""

    submission: Submission
    parts: SubmissionParts
    mail: KeptMail
    passwords: KeptPasswords
    log: KeptEvents
    clock: FakeClock
    spool_folder: Path
    directory: Directory
    """Who the reps are now."""
    ports: dict[str, int] = field(default_factory=dict)
    room: bool = True

    def port(self, listener: str) -> int:
        """Give the port of a listener."""
        return self.ports[listener]

    def sweep(self, after: float) -> None:
        """Let so many seconds go by, then look at the connections as the service does every second."""
        self.clock.advance(after)
        self.submission.sweep()


@lru_cache(maxsize=1)
def authority() -> trustme.CA:
    """Give the CA that all certificates of a test run are from."""
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


@lru_cache(maxsize=1)
def server_tls() -> ssl.SSLContext:
    """Give the context that the listeners show their certificate with; clients may show theirs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority().issue_cert("localhost", key_type=trustme.KeyType.ECDSA).configure_cert(context)
    authority().configure_trust(context)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


def client_tls(name: str | None = None) -> ssl.SSLContext:
    """Give a client's context; with a certificate of that name when one is given."""
    context = ssl.create_default_context()
    authority().configure_trust(context)
    if name is not None:
        authority().issue_cert(name, key_type=trustme.KeyType.ECDSA).configure_cert(context)
    return context


def reps() -> Directory:
    """Give the directory of two reps."""
    return Directory(
        [
            Rep(
                Login("ana"),
                (mailbox("ana@example.com"), mailbox("ana.lee@example.com")),
                email_to_salesforce=BccAddress(LOG_COPY),
                tokens=(Token("Laptop", hashlib.sha256(PASSWORD.encode()).hexdigest()),),
            ),
            Rep(Login("bo"), (mailbox("bo@example.com"),), disabled=True),
        ]
    )


LISTENERS: tuple[Mapping[str, Any], ...] = (
    {"name": "submission", "tls": "starttls", "auth": "required"},
    {"name": "submissions", "tls": "implicit", "auth": "required"},
    {"name": "clear", "tls": "none", "auth": "required"},
    {"name": "optional", "tls": "starttls", "auth": "optional"},
    {"name": "gateway", "tls": "none", "auth": "none", "trust": {"networks": ["127.0.0.0/8"]}},
    {
        "name": "strict-gateway",
        "tls": "none",
        "auth": "none",
        "trust": {"networks": ["127.0.0.0/8"]},
        "unknown_sender": "refuse",
    },
    {"name": "closed-gateway", "tls": "none", "auth": "none", "trust": {"networks": ["192.0.2.0/24"]}},
    {
        "name": "certificate-gateway",
        "tls": "starttls",
        "auth": "none",
        "trust": {"networks": ["127.0.0.0/8"], "client_certificate_names": ["mail.example.com"]},
    },
    {"name": "empty-gateway", "tls": "none", "auth": "none", "trust": {}},
)


def settings(**changes: Any) -> RelaySettings:
    """Give settings with all kinds of listeners on ports of the system's choice."""
    listeners = [{"address": "127.0.0.1:0", **one} for one in LISTENERS]
    base: dict[str, Any] = {
        "version": "1",
        "listeners": listeners,
        "upstream": {"default": "main", "routes": {"main": {"host": "127.0.0.1"}}},
        "notices": {"from": "postmaster@example.com"},
    }
    return RelaySettings.model_validate({**base, **changes})


def front_of(folder: Path, **changes: Any) -> Front:
    """Build the service without opening its ports."""
    clock, directory, log = FakeClock(), reps(), KeptEvents()
    spool_folder = folder / "spool"
    spool_folder.mkdir(mode=0o700, exist_ok=True)
    spool = Spool(spool_folder)
    chosen = settings(**changes)
    rules = compile_rules(chosen, lambda path: "config.yaml:1", directory.reps(), hostname=HOSTNAME)
    mail, passwords = KeptMail(clock, spool), KeptPasswords(directory)
    parts = SubmissionParts(
        settings=chosen,
        hostname=HOSTNAME,
        place=lambda path: "config.yaml:1",
        contexts={one.name: server_tls() for one in chosen.listeners if one.tls != "none"},
        rules=lambda: rules,
        reps=lambda: front.directory,
        credentials=passwords,
        intake=mail,
        spool=spool.create,
        room=lambda: front.room,
        database=log,
        mail_log=log,
        meter=Metrics(),
        clock=clock,
    )
    front = Front(Submission(parts), parts, mail, passwords, log, clock, spool_folder, directory)
    return front


@asynccontextmanager
async def open_front(folder: Path, **changes: Any) -> AsyncIterator[Front]:
    """Run the service on loopback."""
    front = front_of(folder, **changes)
    bound = await front.submission.start()
    front.ports = {
        one.name: address.port for one, address in zip(front.parts.settings.listeners, bound, strict=True)
    }
    try:
        yield front
    finally:
        await front.submission.stop(0.0)
