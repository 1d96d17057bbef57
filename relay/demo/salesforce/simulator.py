"""The simulated Salesforce as a whole: a TLS server in a thread of its own, and the handles to steer it.

`with started() as salesforce:` gives a running one with an organisation, an app and an integration user in it.
"""

import asyncio
import atexit
import dataclasses
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import NamedTuple

from relay.clock import Clock, SystemClock
from relay.demo.certificate import write_certificate
from relay.demo.salesforce import auth, control, ids
from relay.demo.salesforce.app import App
from relay.demo.salesforce.clock import SimulatedClock, written
from relay.demo.salesforce.faults import Injected
from relay.demo.salesforce.messages import Answer, Call, Request
from relay.demo.salesforce.records import Records, Row
from relay.demo.salesforce.sink import Sink
from relay.demo.salesforce.toggles import INTEGRATION_USERNAME, Toggles
from relay.demo.salesforce.wire import Handler, Server

_PATIENCE = 10.0
_LOOK_AGAIN = 0.02
"""Seconds after which a late call looks at the time again."""
_NEIGHBOURS = frozenset({"PROCESSING_HALTED", "ALL_OR_NONE_OPERATION_ROLLED_BACK"})


class _Certificate(NamedTuple):
    file: Path
    key: Path


@cache
def _certificate() -> _Certificate:
    folder = tempfile.TemporaryDirectory(prefix="relay-salesforce-", ignore_cleanup_errors=True)
    atexit.register(folder.cleanup)
    return _Certificate(*write_certificate(Path(folder.name)))


class Simulator:
    """A running simulated Salesforce. Every verb may be called from any thread."""

    def __init__(self, clock: Clock, folder: Path | None = None, port: int = 0) -> None:
        self.toggles = Toggles()
        self.client_id = auth.CLIENT_ID
        self.client_secret = auth.CLIENT_SECRET
        self.url = ""
        self.most_at_once = 0
        """The most requests that were being answered at the same time."""
        self._at_once = 0
        self.crashes: list[Exception] = []
        """What went wrong in the simulator itself; a test that uses it fails."""
        files = _Certificate(*write_certificate(folder)) if folder else _certificate()
        self.ca_file = files.file
        self._clock = SimulatedClock(clock)
        self.records = Records(self.toggles, self._clock)
        self._app = App(self.records, clock.chance)
        self.sink = Sink(self.records, self._app.files)
        self._thread = _Thread(self._answer, _context(files), self.now, port)
        self._furnish()

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()
        self.url = self._app.auth.url = f"https://127.0.0.1:{self._thread.port}"

    def stop(self) -> None:
        """Stop listening and end all connections."""
        self._thread.stop()

    @property
    def private_key_pem(self) -> str:
        """The private key (PEM) whose certificate the app has, for JWT bearer."""
        return auth.private_key_pem()

    @property
    def organization_id(self) -> str:
        """The organisation's id."""
        return auth.ORGANIZATION

    @property
    def integration_user(self) -> str:
        """The id of the user that client credentials sign in as."""
        return self._app.auth.run_as

    @property
    def calls(self) -> list[Call]:
        """Every call of the API, those refused among it; not the token endpoint."""
        with self.records.lock:
            return list(self._app.calls)

    @property
    def refused(self) -> list[Call]:
        """Calls that were refused (4xx), wholly or in part, by nothing but the caller's own doing."""
        return [call for call in self.calls if _own_fault(call)]

    @property
    def token_requests(self) -> int:
        """How often a token was asked for."""
        return self._app.auth.requests

    @property
    def used(self) -> int:
        """How many of the day's calls are used."""
        with self.records.lock:
            return self._app.used()

    def use_elsewhere(self, calls: int) -> None:
        """Use up calls of the day, as other programs do."""
        with self.records.lock:
            self._app.used_elsewhere += calls

    def add(self, object: str, **fields: object) -> str:
        """Seed a record past all validation and give its id. Raises ValueError for a field that there is not."""
        with self.records.lock:
            name, given = self._given(object, fields)
            user = str(given.get("OwnerId") or self.integration_user)
            return str(self.records.insert(name, given, user=user)["Id"])

    def rows(self, object: str, *, deleted: bool = False) -> list[Row]:
        """Give copies of an object's records; `deleted`: those in the recycle bin instead."""
        with self.records.lock:
            return [dict(row) for row in self.records.rows(object) if bool(row["IsDeleted"]) is deleted]

    def row(self, id: str) -> Row:
        """Give a copy of one record, deleted or not. Raises KeyError."""
        with self.records.lock:
            found = self.records.get(id)
            if found is None:
                raise KeyError(id)
            return dict(found)

    def edit(self, object: str, id: str, *, by: str = "", **fields: object) -> None:
        """Change a record as a person does in Salesforce: stamps move, derived fields follow."""
        with self.records.lock, self.records.transaction():
            name, given = self._given(object, fields)
            self.records.change(name, id, given, user=by or self._owner(id))

    def remove(self, object: str, id: str, *, by: str = "") -> None:
        """Delete a record as a person does, into the recycle bin."""
        with self.records.lock, self.records.transaction():
            self.records.delete(object, id, user=by or self._owner(id))

    def undelete(self, object: str, id: str) -> None:
        """Take a record out of the recycle bin."""
        with self.records.lock:
            self.records.undelete(object, id, user=self._owner(id))

    def purge(self, object: str, id: str) -> None:
        """Remove a record for good, as one who empties the recycle bin."""
        with self.records.lock:
            self.records.purge(object, id)

    def convert(self, lead: str) -> str:
        """Convert a lead as a person does: it gets an account and a contact; give the contact's id."""
        with self.records.lock, self.records.transaction():
            row, user = self.row(lead), self._owner(lead)
            account = self.records.insert("Account", {"Name": row.get("Company"), "OwnerId": user}, user=user)
            own = {name: row.get(name) for name in ("FirstName", "LastName", "Email", "OwnerId")}
            contact = self.records.insert("Contact", {**own, "AccountId": account["Id"]}, user=user)
            done: Row = {
                "IsConverted": True,
                "ConvertedDate": self.now().date().isoformat(),
                "ConvertedAccountId": account["Id"],
                "ConvertedContactId": contact["Id"],
            }
            self.records.change("Lead", lead, done, user=user)
            return str(contact["Id"])

    def file(self, version: str) -> bytes:
        """Give the octets of a ContentVersion. Raises KeyError."""
        with self.records.lock:
            data = self._app.files.read(version)
        if data is None:
            raise KeyError(version)
        return data

    def refresh_token(self, user: str) -> str:
        """Give a new refresh token of a user, as one who has just connected gets."""
        with self.records.lock:
            return self._app.auth.refresh_token(user)

    @property
    def refresh_tokens(self) -> set[str]:
        """The refresh tokens that work."""
        with self.records.lock:
            return self._app.auth.refresh_tokens()

    def inject(self, fault: Injected) -> None:
        """Arm a fault."""
        with self.records.lock:
            self._app.faults.inject(fault)

    def clear_faults(self) -> None:
        """Disarm all faults."""
        with self.records.lock:
            self._app.faults.clear()

    def clear_calls(self) -> None:
        """Forget the calls and token requests so far."""
        with self.records.lock:
            self._app.calls.clear()
            self._app.auth.requests = 0

    def expire_tokens(self) -> None:
        """Make all access tokens die."""
        with self.records.lock:
            self._app.auth.expire()

    def advance(self, span: timedelta) -> None:
        """Move the simulator's time on: tokens die, the bin empties, the day's calls come back."""
        with self.records.lock:
            self._clock.advance(span)
            self.records.age()
        self.sink.try_again()

    def now(self) -> datetime:
        """Give the simulator's time."""
        return self._clock.now()

    def reset(self) -> None:
        """Begin again: no records but those of the start, no faults, no calls, no tokens, toggles as at the start."""
        with self.records.lock:
            fresh = Toggles()
            for field in dataclasses.fields(Toggles):
                setattr(self.toggles, field.name, getattr(fresh, field.name))
            self._clock.reset()
            self._app.reset()
            self.sink.reset()
            self._furnish()

    def _furnish(self) -> None:
        self.records.insert(
            "Organization",
            {"Name": "Relay Demo", "OrganizationType": "Developer Edition", "InstanceName": "SIM1"},
            user=ids.made("005", 1),
        )
        user = {
            "Username": INTEGRATION_USERNAME,
            "FirstName": "Relay",
            "LastName": "Integration",
            "Email": INTEGRATION_USERNAME,
            "Alias": "relay",
            "IsActive": True,
        }
        self._app.auth.run_as = str(self.records.insert("User", user, user=ids.made("005", 1))["Id"])

    def _given(self, object: str, fields: dict[str, object]) -> tuple[str, Row]:
        """Give the canonical names of an object and of fields, with values as they are kept."""
        shape = self.records.schema.find(object)
        if shape is None:
            raise ValueError(f"the organisation has no object {object}")
        given: Row = {}
        for name, value in fields.items():
            field = shape.find(name)
            if field is None:
                raise ValueError(f"{shape.name} has no field {name}")
            given[field.name] = _kept(value)
        if shape.name == "User":
            given.setdefault("IsActive", True)
        return shape.name, given

    def _owner(self, id: str) -> str:
        row = self.records.get(id) or {}
        return str(row.get("OwnerId") or self.integration_user)

    async def _answer(self, request: Request) -> Answer:
        if request.segments[:1] == (control.PREFIX,):
            return control.answer(self, request)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return await self._carried_out(request)
        finally:
            self._at_once -= 1

    async def _carried_out(self, request: Request) -> Answer:
        if self.toggles.latency:
            await asyncio.sleep(self.toggles.latency)
        answer = self._locked(lambda: self._app.answer(request))
        if answer.later is None:
            return answer
        due = self.now() + timedelta(seconds=answer.wait)
        while self.now() < due:  # noqa: ASYNC110 - it is the simulator's time, which `advance` moves
            await asyncio.sleep(_LOOK_AGAIN)
        return self._locked(answer.later)

    def _locked(self, carry_out: Callable[[], Answer]) -> Answer:
        with self.records.lock:
            try:
                return carry_out()
            except Exception as error:  # noqa: BLE001 - a fault of the simulator: told to who runs it
                self.crashes.append(error)
                return Answer(500, [{"message": repr(error), "errorCode": "UNKNOWN_EXCEPTION"}])


@contextmanager
def started(clock: Clock | None = None, *, folder: Path | None = None, port: int = 0) -> Iterator[Simulator]:
    """Run a simulated Salesforce; `folder` gets its certificate, otherwise all of a process share one."""
    simulator = Simulator(clock or SystemClock(), folder, port)
    simulator.start()
    try:
        yield simulator
    finally:
        simulator.stop()


def _own_fault(call: Call) -> bool:
    if call.provoked:
        return False
    return 400 <= call.status < 500 or bool(set(call.codes) - _NEIGHBOURS)


def _kept(value: object) -> object:
    match value:
        case datetime():
            return written(value)
        case date():
            return value.isoformat()
        case tuple():
            return list(value)
        case _:
            return value


def _context(files: _Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(files.file, files.key)
    return context


class _Thread:
    """A thread with a loop that serves until it is told to stop."""

    def __init__(
        self, handler: Handler, context: ssl.SSLContext, now: Callable[[], datetime], port: int
    ) -> None:
        self._server = Server(handler, context, now, port)
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ends: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="salesforce", daemon=True)

    @property
    def port(self) -> int:
        return self._server.port

    def start(self) -> None:
        self._thread.start()
        if not self._ready.wait(_PATIENCE):
            raise TimeoutError("the simulated Salesforce does not start")

    def stop(self) -> None:
        if self._loop is not None and self._ends is not None:
            self._loop.call_soon_threadsafe(self._ends.set)
        self._thread.join(_PATIENCE)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._ends = asyncio.get_running_loop(), asyncio.Event()
        await self._server.start()
        self._ready.set()
        await self._ends.wait()
        await self._server.stop()
