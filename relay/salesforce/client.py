"""Salesforce as the relay sees it: a few verbs that wait their turn, keep to the limits and say what went wrong.

The calls themselves are made in a few worker threads of their own; simple-salesforce is loaded with the first.
"""

import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from relay.clock import Clock
from relay.config.recording import SalesforceSettings
from relay.config.types import SecretReference
from relay.directory.model import Rep, login_key
from relay.salesforce import records as writing
from relay.salesforce.answers import description_of, made_one, picklist_rows, rows_of, sub_answers
from relay.salesforce.describe import Hourly, Kept
from relay.salesforce.dispatch import Dispatch, NoMeter, SalesforceMeter, TokenKeeper
from relay.salesforce.exchange import (
    LOOK_UP,
    MAXIMUM_COLLECTION,
    MAXIMUM_COMPOSITE,
    Changed,
    Description,
    NewRecord,
    Pause,
    PicklistRow,
    SalesforceError,
    SubAnswer,
    SubRequest,
    Usage,
    Who,
)
from relay.salesforce.faults_table import NOT_JSON, local_fault
from relay.salesforce.login import Code, Connected, authorize_url, connectable, not_connected
from relay.salesforce.model import FaultKind, Json, Row, Written
from relay.salesforce.request import Request, Upload
from relay.salesforce.tokens import CONNECTED, NOBODY, WRITER, RefreshTokens, TokenProvider

if TYPE_CHECKING:
    from relay.salesforce.session import Line

__all__ = [
    "LOOK_UP",
    "Changed",
    "NewRecord",
    "SalesforceClient",
    "SalesforceError",
    "SalesforceMeter",
    "SubAnswer",
    "SubRequest",
    "TokenKeeper",
]

_MOST_PAGES = 5000


class SalesforceClient:
    """The way to one organisation, for all identities.

    Reading verbs (query, pages, get, describe, …) raise SalesforceError. Writing verbs (create, update, delete,
    upsert, composite, upload) never do: what became of each record is a value, and when the call failed whole, each
    record has the same Fault. Both wait for a free worker; calls with background=True wait behind the others.
    All are for one event loop.
    """

    def __init__(
        self,
        settings: SalesforceSettings,
        *,
        resolve: Callable[[str], Path],
        secret: Callable[[SecretReference], str],
        clock: Clock,
        meter: SalesforceMeter | None = None,
        tokens: TokenKeeper | None = None,
    ) -> None:
        """Make the client; nothing is called or loaded yet."""
        self._settings = settings
        self._clock = clock
        self._stand_ins: dict[str, None] = {}

        def provider(kept: RefreshTokens | None) -> TokenProvider:
            return TokenProvider(
                settings, secret, clock.now, kept=kept, stand_ins=lambda: tuple(self._stand_ins)
            )

        self._dispatch = Dispatch(
            settings, lambda: _line(settings, resolve), clock, meter or NoMeter(), provider, tokens
        )
        self._descriptions: Hourly[Description | None] = Hourly(clock)
        self._picklists: Hourly[tuple[PicklistRow, ...]] = Hourly(clock)

    def stand_in_by(self, reps: Iterable[Rep]) -> None:
        """Have these look up for all when the sign-in is jwt as each rep, and nobody is named for it.

        The first does; when that one may not, the next. Whoever records is one of them, too, after these.
        """
        for rep in reps:
            if not rep.disabled:
                self.identity_of(rep)

    def identity_of(self, rep: Rep) -> str:
        """Give the identity that this rep's records are written as: "" for one integration user, else a username.

        For a rep whose username is not known it is one that cannot sign in, and the fault says so.
        """
        auth = self._settings.auth
        if connectable(auth) and auth.each_rep:
            # With the user: a login that becomes somebody else's does not take the connection along.
            return f"{CONNECTED}{login_key(rep.login)} {rep.salesforce_user_id or ''}".rstrip()
        if auth.kind != "jwt" or auth.username is not None:
            return self.organization_identity()
        if not rep.salesforce_username:
            return f"{NOBODY}{rep.login}"
        self._stand_ins.setdefault(rep.salesforce_username)
        return rep.salesforce_username

    def organization_identity(self) -> str:
        """Give the identity of salesforce.auth itself."""
        return WRITER if self._settings.look_up_as is not None else LOOK_UP

    @property
    def instance(self) -> str:
        """Give the organisation's address, as in the settings."""
        return self._settings.instance

    def connectable(self) -> bool:
        """Tell whether the sign-in comes from Connect on the page."""
        return connectable(self._settings.auth)

    def each_rep(self) -> bool:
        """Tell whether each rep connects."""
        return self.connectable() and self._settings.auth.each_rep

    def authorize_url(self, redirect_uri: str, state: str, verifier: str, *, sign_in_anew: bool) -> str:
        """Give where a browser asks Salesforce for access."""
        return authorize_url(self._settings, redirect_uri, state, verifier, sign_in_anew=sign_in_anew)

    async def connect(
        self, code: str, verifier: str, redirect_uri: str, identity: str, *, user_id: str | None = None
    ) -> Connected:
        """Connect an identity with the code of the web server flow; with `user_id` as this user alone.

        It must be of the organisation that was connected first. What was connected before is replaced, and revoked. Raises SalesforceError; then it stays as it was.
        """
        given = Code(code, verifier, redirect_uri)
        connected = await self._dispatch.connecting(lambda calls: calls.connect(identity, given, user_id))
        self._dispatch.pauses.forget(identity)
        self._descriptions.forget(None)
        self._picklists.forget(None)
        return connected

    async def disconnect(self, identity: str) -> bool:
        """Forget an identity's connection, then revoke it; from now on it is paused as not connected.

        Tells whether Salesforce took note: if not, the app's access is to be revoked there. Raises SalesforceError
        when it could not be forgotten.
        """
        revoked = await self._dispatch.connecting(lambda calls: calls.disconnect(identity))
        self._dispatch.pauses.forget(identity)
        self._dispatch.pauses.failed(identity, not_connected(), self._clock.now())
        return revoked

    async def query(
        self, soql: str, *, identity: str = LOOK_UP, all_rows: bool = False, background: bool = False
    ) -> list[Row]:
        """Give all rows of all pages; all_rows: deleted and archived ones, too (queryAll). Raises SalesforceError."""
        found: list[Row] = []
        async for page in self.pages(soql, identity=identity, all_rows=all_rows, background=background):
            found.extend(page)
        return found

    async def pages(
        self, soql: str, *, identity: str = LOOK_UP, all_rows: bool = False, background: bool = False
    ) -> AsyncIterator[list[Row]]:
        """Give page after page, at most 2,000 rows each. Raises SalesforceError."""
        request = Request("query", soql=soql, all_rows=all_rows)
        for _ in range(_MOST_PAGES):
            body = await self._read(identity, request, background=background)
            page = rows_of(body)
            if page is None:
                raise SalesforceError(local_fault(NOT_JSON, "the answer is not that of a query"))
            yield page[0]
            if page[1] is None:
                return
            request = Request("query_more", next_page=page[1])
        raise SalesforceError(local_fault(NOT_JSON, "the query has no end"))

    async def create(
        self, identity: str, records: Sequence[NewRecord], *, background: bool = False
    ) -> list[Written]:
        """Make records, in their order: a plain POST for one, collections of up to 200 for more, none all-or-none."""
        written: list[Written] = []
        for portion in writing.portions(records):
            result = await self._dispatch.call(identity, writing.creation(portion), background=background)
            written.extend(writing.created(portion, result))
        return written

    async def update(
        self, identity: str, records: Sequence[Changed], *, background: bool = False
    ) -> list[Written]:
        """Change records, one by one's PATCH or in collections of up to 200."""
        written: list[Written] = []
        for portion in writing.changes(records):
            result = await self._dispatch.call(identity, writing.change(portion), background=background)
            written.extend(writing.changed(portion, result))
        return written

    async def delete(
        self, identity: str, ids: Sequence[tuple[str, str]], *, background: bool = False
    ) -> list[Written]:
        """Delete records, each (object, id), into the recycle bin; one that is gone already counts as done."""
        written: list[Written] = []
        for start in range(0, len(ids), MAXIMUM_COLLECTION):
            portion = ids[start : start + MAXIMUM_COLLECTION]
            result = await self._dispatch.call(identity, writing.deletion(portion), background=background)
            written.extend(writing.deleted(portion, result))
        return written

    async def upsert(
        self, identity: str, key_field: str, records: Sequence[NewRecord], *, background: bool = False
    ) -> list[Written]:
        """Make records or change those that have the same key: all of one object, the key among their fields.

        Made.found tells that it was there already.
        """
        written: list[Written] = []
        for portion in writing.portions(records):
            request = writing.upsertion(key_field, portion)
            result = await self._dispatch.call(identity, request, background=background)
            written.extend(writing.created(portion, result))
        return written

    async def composite(
        self,
        identity: str,
        requests: Sequence[SubRequest],
        *,
        all_or_none: bool = False,
        background: bool = False,
    ) -> list[SubAnswer]:
        """Make up to 25 requests in one call, in their order; later ones may refer to earlier ones."""
        if len(requests) > MAXIMUM_COMPOSITE:
            raise ValueError(f"a composite request takes {MAXIMUM_COMPOSITE} parts")
        request = writing.composition(requests, self._settings.api_version, all_or_none=all_or_none)
        result = await self._dispatch.call(identity, request, background=background)
        return sub_answers(requests, result.body, whole=result.fault)

    async def get(
        self,
        path: str,
        *,
        identity: str = LOOK_UP,
        background: bool = False,
        params: Mapping[str, str] | None = None,
    ) -> Json:
        """Give the answer of a GET below the version, such as "sobjects/Task/deleted/". Raises SalesforceError."""
        request = Request("get", path=path, params=params or {})
        return await self._read(identity, request, background=background)

    async def upload(self, identity: str, fields: Mapping[str, Json], name: str, data: bytes) -> Written:
        """Store a file as a ContentVersion with these fields (FirstPublishLocationId links it); `name` has the ending."""
        whole = {"PathOnClient": name, "Title": name, **fields}
        request = Request("upload", "POST", "sobjects/ContentVersion/", upload=Upload(whole, data))
        result = await self._dispatch.call(identity, request)
        return result.fault or made_one("ContentVersion", result.body)

    async def describe(
        self, object: str, *, identity: str = LOOK_UP, background: bool = False
    ) -> Description | None:
        """Tell what the object is made of, cached an hour; None: not there, or not visible. Raises SalesforceError."""

        async def ask(kept: Kept[Description | None] | None) -> Kept[Description | None]:
            return await self._describe(object, identity, kept, background=background)

        return await self._descriptions.get(f"{identity} {object}", ask)

    async def statuses(self) -> tuple[PicklistRow, ...]:
        """Give the rows of TaskStatus in their order, cached an hour. Raises SalesforceError."""
        return await self._picklist("TaskStatus", "IsClosed")

    async def priorities(self) -> tuple[PicklistRow, ...]:
        """Give the rows of TaskPriority in their order, cached an hour. Raises SalesforceError."""
        return await self._picklist("TaskPriority", "IsHighPriority")

    async def whoami(self, identity: str = LOOK_UP) -> Who:
        """Tell whom the identity turns out to be. Raises SalesforceError."""
        token = await self._dispatch.token(identity)
        user, organization = token.user_id, token.organization_id
        if not user:
            body = await self._read(identity, Request("whoami", next_page="/services/oauth2/userinfo"))
            told = body if isinstance(body, Mapping) else {}
            user, organization = str(told.get("user_id", "")), str(told.get("organization_id", ""))
        if not is_id(user):
            raise SalesforceError(local_fault(NOT_JSON, "Salesforce does not say who the user is"))
        soql = f"SELECT Username, Name, Email FROM User WHERE Id = '{user}'"  # noqa: S608 - is_id saw to it
        rows = await self.query(soql, identity=identity)
        row = rows[0] if rows else {}
        return Who(
            identity,
            user,
            organization,
            username=str(row.get("Username") or ""),
            name=str(row.get("Name") or ""),
            email=str(row.get("Email") or ""),
            instance_url=token.instance_url,
            api_version=self._settings.api_version,
        )

    @property
    def answers_within(self) -> float:
        """Give the seconds after which a call that was made has come to its end in Salesforce, too: twice its limit."""
        return 2 * self._settings.timeout.total_seconds()

    def usage(self) -> Usage | None:
        """Tell how much of the day's calls is used, as last seen; None before the first call."""
        return self._dispatch.usage()

    def paused(self, identity: str = LOOK_UP) -> Pause | None:
        """Tell why calls of this identity are not made now; None when they are."""
        return self._dispatch.pause(identity)

    def gone(self) -> Pause | None:
        """Tell since when Salesforce answers nobody, and when it is tried again; None while it answers."""
        return self._dispatch.pauses.gone()

    def try_now(self, identity: str | None = None) -> None:
        """End the pauses of one identity, or of all: the next call is made."""
        self._dispatch.pauses.try_now(identity)
        self._dispatch.budget.try_now()

    def server_now(self) -> int:
        """Give the instant by Salesforce's clock, as far as its answers told it; ours before the first."""
        return self._dispatch.server_now()

    def allowed(self, *, background: bool = False) -> bool:
        """Tell whether the day's calls leave room for one more of this kind."""
        return self._dispatch.budget.allowed(background=background)

    def forget(self, object: str | None = None) -> None:
        """Describe this object, or all, anew the next time: a field turned out to be hidden or gone."""
        self._descriptions.forget(f"{LOOK_UP} {object}" if object is not None else None)

    async def close(self) -> None:
        """End the workers; calls under way are given up after their own limits."""
        self._dispatch.close()

    async def _read(self, identity: str, request: Request, *, background: bool = False) -> Json:
        result = await self._dispatch.call(identity, request, background=background)
        if result.fault is not None:
            raise SalesforceError(result.fault)
        return result.body

    async def _describe(
        self, object: str, identity: str, kept: Kept[Description | None] | None, *, background: bool
    ) -> Kept[Description | None]:
        since = {"If-Modified-Since": kept.modified} if kept is not None and kept.modified else {}
        request = Request("describe", path=f"sobjects/{object}/describe", headers=since)
        result = await self._dispatch.call(identity, request, background=background)
        if result.fault is not None:
            if result.fault.kind is FaultKind.GONE or result.fault.code == "INVALID_TYPE":
                return Kept(None)
            raise SalesforceError(result.fault)
        if result.status == 304 and kept is not None:
            return kept
        description = description_of(result.body)
        if description is None:
            raise SalesforceError(local_fault(NOT_JSON, "the answer is not that of a describe"))
        return Kept(description, result.last_modified)

    async def _picklist(self, object: str, what: str) -> tuple[PicklistRow, ...]:
        soql = f"SELECT ApiName, MasterLabel, IsDefault, SortOrder, {what} FROM {object}"  # noqa: S608 - names of ours

        async def ask(_kept: Kept[tuple[PicklistRow, ...]] | None) -> Kept[tuple[PicklistRow, ...]]:
            return Kept(picklist_rows(await self.query(soql)))

        return await self._picklists.get(object, ask)


def _line(settings: SalesforceSettings, resolve: Callable[[str], Path]) -> "Line":
    from relay.salesforce.session import Line  # loads requests: in a worker thread

    ca = resolve(settings.tls_ca) if settings.tls_ca is not None else None
    return Line(settings.timeout.total_seconds(), ca, settings.proxy)


_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?", re.ASCII)


def is_id(text: str) -> bool:
    """Tell whether it has the form of a Salesforce id: it may stand in a query."""
    return _ID.fullmatch(text) is not None
