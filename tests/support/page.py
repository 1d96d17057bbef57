"""The page for tests: over a real database and queue, asked without a network, or by a real browser over TLS.

    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        answer = await ana.get("/settings")
        answer = await ana.post("/settings/mode", mode="off")     # with the form's token, as a browser sends it

The reps: ana (rep), bo (rep), bea (admin), cid (auditor), dan (rep, disabled, in the store).
"""

import asyncio
import email
import email.policy
import hashlib
import re
import secrets
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from email.message import EmailMessage
from functools import partial
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from starlette.types import ASGIApp, Message, Scope

from relay.building import Built, build
from relay.config.loader import Configuration, load
from relay.config.types import SocketAddress
from relay.directory.change_store import ChangeStore
from relay.directory.changes import merged_configuration
from relay.directory.credentials import Credentials
from relay.directory.model import Directory, Rep
from relay.directory.passwords import hash_password
from relay.directory.store import DirectoryStore, RepChange
from relay.ids import QueueId, number_of
from relay.maillog.events import Event
from relay.policy.decision import PlannedDelivery
from relay.policy.rules import Rules
from relay.queue.model import NewMessage
from relay.salesforce.client import SalesforceClient
from relay.storage.database import Transaction
from relay.web.app import page_app
from relay.web.cookies import Cookies, form_token
from relay.web.health import HttpServer
from relay.web.store import PageStore, Session, digest, tie
from tests.support.builders import mailbox
from tests.support.clock import FakeClock
from tests.support.queue_house import QueueHouse, queue_house
from tests.support.settings import written
from tests.support.submission import server_tls

PASSWORD = "correct horse battery staple"
"""The password of everybody who has one."""
APP_PASSWORD = "ana-app-password-0001"
"""Ana's app password, named Laptop."""
BCC = "emailtosalesforce@a1b2c3d4e5.le.salesforce.com"
ORIGIN = "http://localhost"
ROLES = {"ana": "rep", "bea": "admin", "cid": "auditor"}
"""Somebody for each role."""
_HASH = hash_password(PASSWORD.encode())
_TOKEN = hashlib.sha256(APP_PASSWORD.encode()).hexdigest()

SETTINGS = f"""\
version: 1
server: {{hostname: relay.example.com, state_dir: state}}
listeners:
  - {{name: submission, address: "127.0.0.1:0", tls: none, auth: optional}}
auth: {{require_tls: false}}
upstream:
  default: main
  routes:
    main: {{host: 127.0.0.1, port: 2526, tls: none}}
notices: {{from: postmaster@example.com}}
metrics: {{address: null}}
users:
  - login: ana
    name: Ana Berg
    password: "{_HASH}"
    addresses: [ana@example.com]
    email_to_salesforce: {BCC}
    tokens: [{{name: Laptop, sha256: {_TOKEN}}}]
  - {{login: bo, name: Bo Ek, password: "{_HASH}", addresses: [bo@example.com], mode: "off"}}
  - {{login: bea, password: "{_HASH}", addresses: [bea@example.com], mode: "off", web_role: admin}}
  - {{login: cid, password: "{_HASH}", addresses: [cid@example.com], mode: "off", web_role: auditor}}
"""


class LocalActions:
    """Fulfils relay.web.actions.Actions as the service does, without listeners and couriers."""

    def __init__(self, house: QueueHouse, entered: Configuration, built: Built) -> None:
        self.house = house
        self.entered = entered
        self.built = built
        self.woken = 0
        self.sent: list[bytes] = []
        """The relay's own mail, in wire form."""
        self.client: SalesforceClient | None = None
        """Set it to what a test needs."""
        self.forgotten: list[str] = []
        """Addresses that are to be looked up anew."""

    def configuration(self) -> Configuration:
        """Give the settings in force."""
        return self.built.configuration

    def directory(self) -> Directory:
        """Give the reps."""
        return self.built.directory

    def locked(self) -> frozenset[str]:
        """Give what reps may not change."""
        return self.built.directory.locked

    def rules(self) -> Rules:
        """Give the rules."""
        return self.built.rules

    async def take_changes(self) -> None:
        """Go by what was stored since."""
        version = await self.house.database.read(DirectoryStore().current_version)
        if version != self.built.directory.version:
            self.built = await self.house.database.read(partial(_built, self.entered))

    def wake(self) -> None:
        """Count."""
        self.woken += 1

    def next_number(self) -> int:
        """Give the number of the next message."""
        return self.house.runner.next_number()

    async def accept(
        self, message: NewMessage, plan: Sequence[PlannedDelivery], events: Sequence[Event]
    ) -> None:
        """Take mail into the queue, and remember its content."""
        assert message.content is not None
        self.sent.append(message.content)
        await self.house.runner.accept(message, plan, events)

    async def status(self) -> Mapping[str, object]:
        """Give a live state."""
        return {
            "ready": True,
            "reasons": [],
            "connections": 0,
            "free_octets": 2**33,
            "reps": len(self.built.directory.reps()),
            "hops": [],
        }

    def forget(self, addresses: Collection[str]) -> None:
        """Keep them."""
        self.forgotten += addresses

    def salesforce(self) -> SalesforceClient | None:
        """Give what the test has set."""
        return self.client


def _built(entered: Configuration, tx: Transaction) -> Built:
    merged = merged_configuration(entered, ChangeStore().read(tx).for_all)
    return build(merged, DirectoryStore().snapshot(tx, merged.settings, merged.place))


@dataclass(frozen=True, slots=True)
class Answer:
    """What the page answered."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes

    @property
    def text(self) -> str:
        """Give the body as text."""
        return self.body.decode()

    def header(self, name: str) -> str:
        """Give the first field of this name; "" when there is none."""
        return next((value for key, value in self.headers if key == name), "")

    @property
    def location(self) -> str:
        """Give where it sends the browser."""
        return self.header("location")


@dataclass
class Visitor:
    """A browser without a screen: keeps cookies, sends what browsers send along with a form."""

    app: ASGIApp
    cookies: dict[str, str] = field(default_factory=dict)
    host: str = "localhost"
    scheme: str = "http"
    address: str = "127.0.0.1"
    language: str = "en"

    @property
    def token(self) -> str:
        """Give the token that forms of this browser carry."""
        prefix = "__Host-" if self.scheme == "https" else ""
        names = (f"{prefix}relay", f"{prefix}relay-browser")
        return form_token(Cookies(*(self.cookies.get(name, "") for name in names)).bound)

    async def get(self, target: str, **headers: str) -> Answer:
        """Ask for a page."""
        return await self.send("GET", target, headers=headers)

    async def post(self, target: str, **fields: str | Sequence[str]) -> Answer:
        """Send a form of the page's own, its token included."""
        return await self.post_with(target, {"form_token": self.token, **fields})

    async def post_with(
        self, target: str, fields: Mapping[str, str | Sequence[str]], **headers: str
    ) -> Answer:
        """Send just these fields. Header names are written with _ for -; Origin and Sec-Fetch-Site may be replaced."""
        own = {"origin": f"{self.scheme}://{self.host}", "sec_fetch_site": "same-origin"}
        kind = {"content_type": "application/x-www-form-urlencoded"}
        body = urlencode(fields, doseq=True).encode()
        return await self.send("POST", target, body, {**own, **kind, **headers})

    async def upload(self, target: str, name: str, filename: str, octets: bytes, **fields: str) -> Answer:
        """Send a file as a form does (multipart/form-data)."""
        mark = secrets.token_hex(16)
        parts = [
            f'--{mark}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
            for key, value in {"form_token": self.token, **fields}.items()
        ]
        head = f'--{mark}\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n\r\n'
        body = b"".join(parts) + head.encode() + octets + f"\r\n--{mark}--\r\n".encode()
        kind = {"content_type": f"multipart/form-data; boundary={mark}"}
        own = {"origin": f"{self.scheme}://{self.host}", "sec_fetch_site": "same-origin"}
        return await self.send("POST", target, body, {**own, **kind})

    async def follow(self, answer: Answer) -> Answer:
        """Go where an answer sends the browser."""
        assert answer.status == 303, (answer.status, answer.text)
        return await self.get(answer.location)

    async def send(
        self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request and take in the answer and its cookies."""
        parts = urlsplit(target)
        sent = {"host": self.host, "accept-language": self.language, "content-length": str(len(body))}
        if self.cookies:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent |= {name.replace("_", "-"): value for name, value in (headers or {}).items()}
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": self.scheme,
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent.items() if value],
            "client": (self.address, 50000),
            "server": (self.host, 80),
        }
        answer = await _ask(self.app, scope, body)
        self._keep(answer.headers)
        return answer

    def _keep(self, headers: Iterable[tuple[str, str]]) -> None:
        for name, value in headers:
            if name == "set-cookie":
                for key, morsel in SimpleCookie(value).items():
                    if morsel["max-age"] == "0":
                        self.cookies.pop(key, None)
                    else:
                        self.cookies[key] = morsel.value


async def _ask(app: ASGIApp, scope: Scope, body: bytes) -> Answer:
    told: list[Message] = []
    rest: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return rest.pop(0) if rest else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        told.append(message)

    await app(scope, receive, send)
    headers = [(name.decode(), value.decode("latin-1")) for name, value in told[0]["headers"]]
    return Answer(told[0]["status"], headers, b"".join(one.get("body", b"") for one in told[1:]))


@dataclass
class Page:
    """The page under test and what is behind it."""

    app: ASGIApp
    actions: LocalActions
    house: QueueHouse
    credentials: Credentials
    clock: FakeClock

    def visitor(self, **changes: Any) -> Visitor:
        """Give a browser in which nobody is signed in."""
        return replace(Visitor(self.app), **changes)

    def rep(self, login: str) -> Rep:
        """Give a rep as they are now."""
        found = self.actions.directory().by_login(login)
        assert found is not None
        return found

    async def signed_in(self, login: str, **changes: Any) -> Visitor:
        """Give a browser in which this rep is signed in."""
        secret, now = secrets.token_urlsafe(32), self.clock.now()
        tied = tie(digest(secret), self.rep(login).password)
        session = Session(
            digest(secret), login, "password", "127.0.0.1", "test", now, now, now + 10**11, tied
        )
        await self.house.database.write(lambda tx: PageStore().begin_session(tx, session))
        visitor = self.visitor(**changes)
        prefix = "__Host-" if visitor.scheme == "https" else ""
        visitor.cookies[f"{prefix}relay"] = secret
        return visitor

    async def mail(self) -> list[EmailMessage]:
        """Give the relay's own mail that went into the queue, oldest first."""
        parsed = [
            email.message_from_bytes(wire.replace(b"\r\n..", b"\r\n."), policy=email.policy.default)
            for wire in self.actions.sent
        ]
        return [one for one in parsed if isinstance(one, EmailMessage)]

    async def audited(self) -> list[str]:
        """Give what was done, oldest first, as "who verb about"."""
        done = await self.house.database.read(lambda tx: PageStore().audited(tx))
        return [f"{one.who} {one.verb} {one.about}" for one in reversed(done)]

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        """Serve the page over TLS on loopback; give its address."""
        server = HttpServer(self.app, tls=server_tls(), connections=200)
        bound = await server.start(SocketAddress("127.0.0.1", 0))
        assert isinstance(bound, SocketAddress)
        try:
            yield f"https://localhost:{bound.port}"
        finally:
            await server.stop()


def link_in(message: EmailMessage) -> str:
    """Give the path of the one link in a mail."""
    found = re.search(r"https?://\S+", message.get_content())
    assert found is not None
    return urlsplit(found[0]).path


def number(message: QueueId) -> int:
    """Give the number of a message."""
    return number_of(message)


@asynccontextmanager
async def open_page(folder: Path, settings: str = SETTINGS) -> AsyncIterator[Page]:
    """Give the page over an empty database; the queue behind it is not at work (page.house.start() sets it to)."""
    entered = load(written(folder, settings))
    async with queue_house(folder) as house:
        await house.database.write(partial(_enter_dan, now=house.clock.now()))
        built = await house.database.read(partial(_built, entered))
        actions = LocalActions(house, entered, built)
        credentials = Credentials(actions.directory, built.credentials, house.clock)
        app = page_app(
            actions,
            house.database,
            credentials=credentials,
            clock=house.clock,
            queue=house.store,
            mail_log=house.mail_log,
        )
        try:
            yield Page(app, actions, house, credentials, house.clock)
        finally:
            credentials.close()
            await asyncio.sleep(0)


def _enter_dan(tx: Transaction, now: int) -> None:
    if DirectoryStore().reps(tx):
        return
    addresses = (mailbox("dan@example.com"),)
    change = RepChange(password=_HASH, addresses=addresses, mode="off", disabled=True)
    DirectoryStore().add(tx, "dan", change, now)
