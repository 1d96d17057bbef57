"""The access tokens of all identities: fetched once however many wait for one, kept until Salesforce says they are dead.

Thread-safe and blocking; for worker threads. There is no expiry to go by: a 401 tells (Salesforce help, session settings).
"""

import hashlib
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from relay.config.recording import SalesforceAuthSettings, SalesforceSettings
from relay.config.types import SecretReference
from relay.errors import RelayError
from relay.salesforce.exchange import LOOK_UP, SalesforceError
from relay.salesforce.faults_table import NOT_CONNECTED, local_fault, sign_in_fault
from relay.salesforce.login import (
    REVOKE_PATH,
    TOKEN_PATH,
    Code,
    Connected,
    Login,
    Token,
    code_form,
    connectable,
    form,
    token_of,
)
from relay.salesforce.model import Fault, FaultKind

_LOGS = logging.getLogger(__name__)
WRITER = "(auth)"
"""The identity of salesforce.auth where look_up_as makes "" somebody else; no username looks like it."""
CONNECTED = "(rep) "
"""What stands before the login of a rep who connects on the page."""
NOBODY = "(no username) "
"""What stands before the login of a rep whose Salesforce username is not known."""

STAND_INS = 4
"""So many reps are tried, one after the other, when one looks up for all."""
_PASSED_OVER = 3600 * 1_000_000
"""Microseconds for which a rep who may not look up is not asked to."""

Post = Callable[[str, dict[str, str]], tuple[int, object, float | None]]
"""Post a form: give status, body (its JSON, else text) and the seconds of Retry-After. Raises SalesforceError."""


class RefreshTokens(Protocol):
    """Keeps refresh tokens that were replaced; called in worker threads, durable when `save` returns."""

    def load(self, identity: str, origin: str) -> str | None:
        """Give the newest token that came of the one in the settings, whose digest `origin` is."""
        ...

    def organization(self, origin: str) -> str | None:
        """Give the organisation that is connected."""
        ...

    def save(self, identity: str, origin: str, token: str, organization: str = "") -> None:
        """Keep it, with the organisation where it says which that is; the first one stays."""
        ...

    def drop(self, identity: str, origin: str = "") -> None:
        """Forget what is kept for an identity; with `origin`, which organisation it was, too."""
        ...


class _Slot:
    """The token of one identity, and what the last try to get it came to."""

    __slots__ = ("fault", "lock", "token", "tries", "username")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.token: Token | None = None
        self.fault: Fault | None = None
        self.tries = 0
        self.username: str | None = None
        """As whom the token was got."""


class TokenProvider:
    """Gives each identity's token, and gets a new one when it is told that the old one is dead."""

    def __init__(
        self,
        settings: SalesforceSettings,
        secret: Callable[[SecretReference], str],
        now: Callable[[], int],
        *,
        kept: RefreshTokens | None = None,
        stand_ins: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._settings = settings
        self._secret = secret
        self._now = now
        self._kept = kept
        self._stand_ins = stand_ins
        self._slots: dict[str, _Slot] = {}
        self._lock = threading.Lock()
        self._connecting = threading.Lock()
        self._passed_over: dict[str, int] = {}

    def token(self, identity: str, post: Post) -> Token:
        """Give the token, fetching it when there is none. Those who wait meanwhile share what comes of it.

        Raises SalesforceError.
        """
        slot = self._slot(identity)
        tries = slot.tries
        with slot.lock:
            if slot.token is not None:
                return slot.token
            if slot.tries != tries and slot.fault is not None:
                raise SalesforceError(slot.fault)
            slot.tries += 1
            slot.fault = None
            try:
                slot.token = self._fetch(identity, post)
            except SalesforceError as error:
                slot.fault = error.fault
                raise
            return slot.token

    def invalidate(self, identity: str, access: str) -> None:
        """Forget this token; a newer one that somebody else has fetched meanwhile stays."""
        slot = self._slot(identity)
        with slot.lock:
            if slot.token is not None and slot.token.access == access:
                slot.token = None

    def pass_on(self, identity: str, access: str) -> bool:
        """Have another rep look up for all, since the one of this token may sign in and yet not do it.

        Tells whether to try again: not for any other identity, nor once all those that are tried may not.
        """
        slot = self._slot(identity)
        with slot.lock:
            if slot.token is None or slot.token.access != access:
                return True  # it was passed on meanwhile
            if not self._as_rep(identity) or slot.username is None:
                return False
            self._passed_over[slot.username] = self._now() + _PASSED_OVER
            if all(map(self._is_passed_over, self._candidates())):
                return False
            slot.token = None
            return True

    def connect(self, identity: str, code: Code, post: Post, *, user_id: str | None = None) -> Connected:
        """Sign the identity in with a code, and keep its refresh token durably before it is used.

        It must be of the organisation that looks up for all, which the first connection of that identity settles;
        with `user_id` it must be this user's. What was connected before is revoked. Raises SalesforceError; then
        what was connected before stays, and what was given now is revoked.
        """
        token, refresh = self._redeemed(code, post)
        try:
            with self._connecting:  # two at once cannot settle two organisations
                known = self._welcome(identity, token, user_id, post)
                before = self._replaced(identity, token, refresh)
        except SalesforceError:
            self._revoke(refresh, post)
            raise
        if before is not None and before != refresh:
            self._revoke(before, post)
        self._forget_others(token)
        return Connected(token.user_id, token.organization_id, settled=identity == LOOK_UP and not known)

    def _redeemed(self, code: Code, post: Post) -> tuple[Token, str]:
        """Give what a code is good for, and its refresh token. Raises SalesforceError."""
        instance = self._settings.instance
        fields = code_form(self._settings.auth, self._secret, code)
        status, body, wait = post(instance.rstrip("/") + TOKEN_PATH, fields)
        if status != 200 or not isinstance(body, dict):
            raise SalesforceError(sign_in_fault(status, body, retry_after=wait))
        token = token_of(body, instance)
        if token.refresh is None:
            raise SalesforceError(
                local_fault("CONNECTED_WITHOUT_REFRESH", "Salesforce gave no refresh token")
            )
        return token, token.refresh

    def _welcome(self, identity: str, token: Token, user_id: str | None, post: Post) -> str:
        """Give the organisation that is connected, "" when this is the first. Raises SalesforceError for others' users."""
        if user_id is not None and token.user_id[:15] != user_id[:15]:
            raise SalesforceError(local_fault("CONNECTED_AS_ANOTHER", "another user signed in"))
        known = self._pinned() or ("" if identity == LOOK_UP else self._that_looks_up(post))
        if not token.organization_id or not _same(token.organization_id, known or token.organization_id):
            raise SalesforceError(_elsewhere(token))
        return known

    def _replaced(self, identity: str, token: Token, refresh: str) -> str | None:
        """Keep a connection in place of the one before; give that one's refresh token."""
        auth, slot = self._settings.auth, self._slot(identity)
        with slot.lock:
            before = self._newest(identity, auth)
            if self._kept is None:
                raise SalesforceError(local_fault("TIMEOUT", "there is no store to keep the connection in"))
            settles = token.organization_id if identity == LOOK_UP else ""
            self._kept.save(identity, self._origin(auth), refresh, settles)
            slot.token, slot.fault = token, None
        return before

    def _forget_others(self, token: Token) -> None:
        """Have whoever signed in at another organisation sign in again: there they are refused."""
        with self._lock:
            slots = list(self._slots.values())
        for slot in slots:
            with slot.lock:
                if slot.token is not None and not _same(slot.token.organization_id, token.organization_id):
                    slot.token = None

    def _pinned(self) -> str:
        """Give the organisation that an admin connected first; "" when there is none, or the settings say who looks up."""
        auth = self._settings.auth
        if self._kept is None or not connectable(auth) or self._settings.look_up_as is not None:
            return ""
        return self._kept.organization(self._origin(auth)) or ""

    def _that_looks_up(self, post: Post) -> str:
        """Give the organisation of whoever looks up for all. Raises SalesforceError when that is not known yet."""
        try:
            return self.token(LOOK_UP, post).organization_id
        except SalesforceError as error:
            if error.fault.code != NOT_CONNECTED:
                raise
            first = local_fault("CONNECTED_TOO_EARLY", "an admin must connect the organisation first")
            raise SalesforceError(first) from None

    def disconnect(self, identity: str, post: Post) -> bool:
        """Forget what was connected, then revoke it; tells whether Salesforce took that. Raises SalesforceError."""
        slot = self._slot(identity)
        with slot.lock:  # a token that is being replaced this moment is waited for
            refresh = self._newest(identity, self._settings.auth)
            if self._kept is not None:
                # Whoever looks up for all says which organisation it is: without them another one may be connected.
                self._kept.drop(identity, self._origin(self._settings.auth) if identity == LOOK_UP else "")
            slot.token, slot.fault = None, None
        return refresh is None or self._revoke(refresh, post)

    def _revoke(self, refresh: str, post: Post) -> bool:
        """Have Salesforce forget a refresh token, and the access tokens that came of it (RFC 7009 §2.1)."""
        try:
            status, _, _ = post(self._settings.instance.rstrip("/") + REVOKE_PATH, {"token": refresh})
        except SalesforceError:
            return False
        return status == 200

    def login_of(self, identity: str) -> Login:
        """Tell how this identity signs in. Raises SalesforceError when its username is not known."""
        settings = self._settings
        auth = (settings.look_up_as or settings.auth) if identity == LOOK_UP else settings.auth
        if auth.kind != "jwt" or auth.username is not None:
            return Login(auth, settings.instance, auth.username)
        username = next(iter(self._candidates()), None) if identity == LOOK_UP else identity
        if not username or username.startswith(NOBODY):
            whose = username.removeprefix(NOBODY) if username else "whoever looks up for all"
            raise SalesforceError(
                local_fault("LOGIN_SECRET_MISSING", f"salesforce_username of {whose} is not given")
            )
        return Login(auth, settings.instance, username)

    def _slot(self, identity: str) -> _Slot:
        with self._lock:
            return self._slots.setdefault(identity, _Slot())

    def _as_rep(self, identity: str) -> bool:
        """Tell whether one of the reps looks up for all, and this is who does."""
        auth = self._settings.auth
        named = self._settings.look_up_as is not None or auth.username is not None
        return identity == LOOK_UP and auth.kind == "jwt" and not named

    def _candidates(self) -> Sequence[str]:
        """Give the reps who may look up for all, those who turned out not to at the end."""
        return sorted(self._stand_ins()[:STAND_INS], key=self._is_passed_over)

    def _is_passed_over(self, username: str) -> bool:
        return self._passed_over.get(username, 0) > self._now()

    def _fetch(self, identity: str, post: Post) -> Token:
        """Sign in; where a rep looks up for all and is refused, another one does: one user's end is not everybody's."""
        login, slot = self.login_of(identity), self._slot(identity)
        others = self._candidates()[1:] if self._as_rep(identity) else ()
        for one in (login, *(replace(login, username=other) for other in others)):
            try:
                token = self._signed_in(identity, one, post)
            except SalesforceError as error:
                if error.fault.kind is not FaultKind.SIGN_IN:
                    raise
                fault = error.fault
            else:
                slot.username = one.username
                return token
        raise SalesforceError(fault)

    def _signed_in(self, identity: str, login: Login, post: Post) -> Token:
        refresh = self._newest(identity, login.settings)
        fields = form(login, self._secret, refresh, self._now())
        status, body, wait = post(login.instance.rstrip("/") + TOKEN_PATH, fields)
        if status != 200 or not isinstance(body, dict):
            raise SalesforceError(sign_in_fault(status, body, retry_after=wait))
        token = token_of(body, login.instance)
        if token.refresh is not None:  # also of one that is refused next: the one before works no more
            self._keep(identity, login.settings, token.refresh)
        if (known := self._pinned()) and not _same(token.organization_id, known):
            raise SalesforceError(_elsewhere(token))
        return token

    def _newest(self, identity: str, auth: SalesforceAuthSettings) -> str | None:
        if auth.kind != "refresh_token" or self._kept is None:
            return None
        return self._kept.load(identity, self._origin(auth))

    def _keep(self, identity: str, auth: SalesforceAuthSettings, refresh: str) -> None:
        if auth.kind != "refresh_token" or self._kept is None:
            return
        try:
            self._kept.save(identity, self._origin(auth), refresh)
        except RelayError as error:  # the session works until it ends; then somebody must connect again
            _LOGS.error("the new refresh token of Salesforce could not be kept: %s", error)

    def _origin(self, auth: SalesforceAuthSettings) -> str:
        """Give the digest of the token in the settings: another one there begins anew; so do another app and address."""
        if connectable(auth):
            named = f"connected\n{self._settings.instance.rstrip('/')}\n{auth.client_id}"
            return hashlib.sha256(named.encode()).hexdigest()
        assert auth.refresh_token is not None
        return hashlib.sha256(self._secret(auth.refresh_token).encode()).hexdigest()


def _same(one: str, other: str) -> bool:
    """Tell whether two ids, of 15 or 18 characters, are of the same organisation."""
    return one[:15] == other[:15]


def _elsewhere(token: Token) -> Fault:
    return local_fault("CONNECTED_ELSEWHERE", f"a user of the organisation {token.organization_id} signed in")
