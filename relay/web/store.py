"""What the page keeps: who is signed in, codes that were mailed, who did what, and saved searches.

Each verb takes part in the caller's transaction. Session ids, codes and links are known by their SHA-256 alone, so that
a copy of the database signs nobody in.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from relay.directory.model import Rep
from relay.directory.model import login_key as key_of
from relay.storage.database import Row, Transaction

ADD_SESSION = """
INSERT INTO page_session (id_hash, login_key, how, client, agent, created_at, seen_at, expires_at, tie)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
"""Somebody signed in."""
FIND_SESSION = """
SELECT id_hash, login_key, how, client, agent, created_at, seen_at, expires_at, tie
FROM page_session WHERE id_hash = ? AND expires_at > ?"""
"""One session that has not ended."""
SESSIONS_OF = """
SELECT id_hash, login_key, how, client, agent, created_at, seen_at, expires_at, tie
FROM page_session WHERE login_key = ? AND expires_at > ? ORDER BY created_at"""
"""All of somebody's sessions."""
ALL_SESSIONS = """
SELECT id_hash, login_key, how, client, agent, created_at, seen_at, expires_at, tie FROM page_session"""
"""Everybody's."""
TOUCH_SESSION = "UPDATE page_session SET seen_at = ? WHERE id_hash = ?"
"""A session was used."""
END_SESSION = "DELETE FROM page_session WHERE id_hash = ?"
"""Sign-out."""
END_SESSIONS = "DELETE FROM page_session WHERE login_key = ?"
"""Sign-out everywhere."""
ADD_CODE = """
INSERT INTO page_code (code_hash, purpose, login_key, subject, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)"""
"""A code or link goes out."""
DROP_CODES = "DELETE FROM page_code WHERE login_key = ? AND purpose = ? AND subject = ?"
"""Codes that a newer one replaces."""
FORGET_CODES = "DELETE FROM page_code WHERE login_key = ? AND purpose = ?"
"""All codes and links of a purpose that went out to somebody."""
LINKS = "SELECT code_hash, login_key, subject FROM page_code WHERE purpose IN ('reset', 'invite')"
"""All links to choose a password."""
DROP_LINK = "DELETE FROM page_code WHERE code_hash = ?"
"""A link works no more."""
COUNT_CODES = "SELECT count(*) FROM page_code WHERE login_key = ? AND purpose = ? AND created_at > ?"
"""How many went out lately."""
PENDING_CODES = """
SELECT subject FROM page_code WHERE login_key = ? AND purpose = ? AND expires_at > ? ORDER BY created_at, rowid"""
"""What somebody has codes for that are still good."""
FIND_CODE = """
SELECT login_key, subject, tries FROM page_code WHERE code_hash = ? AND purpose = ? AND expires_at > ?"""
"""A code that is still good."""
TAKE_CODE = "DELETE FROM page_code WHERE code_hash = ? AND purpose = ? AND expires_at > ? RETURNING login_key, subject"
"""A code is used, once."""
COUNT_TRY = "UPDATE page_code SET tries = tries + 1 WHERE login_key = ? AND purpose = ? AND subject = ?"
"""A wrong code was entered for what somebody wants to prove."""
DROP_TRIED = "DELETE FROM page_code WHERE tries >= ?"
"""Codes that were guessed at too often."""
ADD_FLOW = """
INSERT INTO page_flow (state_hash, kind, browser, nonce, verifier, destination, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)"""
"""A sign-in elsewhere begins."""
TAKE_FLOW = """
DELETE FROM page_flow WHERE state_hash = ? AND kind = ? RETURNING browser, nonce, verifier, destination, expires_at"""
"""It ends, whichever way: its state works once."""
FIND_IDENTITY = "SELECT login_key FROM page_identity WHERE issuer = ? AND subject = ?"
"""Whom an identity provider's subject is."""
LINK_IDENTITY = """
INSERT INTO page_identity (issuer, subject, login_key, linked_at) VALUES (?, ?, ?, ?)
ON CONFLICT (issuer, subject) DO UPDATE SET login_key = excluded.login_key, linked_at = excluded.linked_at"""
"""A subject is a rep's."""
UNLINK_IDENTITIES = "DELETE FROM page_identity WHERE login_key = ?"
"""A rep is nobody's subject any more."""
ADD_AUDIT = "INSERT INTO page_audit (at, who, verb, about, detail, client) VALUES (?, ?, ?, ?, ?, ?)"
"""Somebody did something."""
AUDIT = """
SELECT id, at, who, verb, about, detail, client FROM page_audit
WHERE id < ? AND (? = '' OR who = ? OR about = ?) ORDER BY id DESC LIMIT ?"""
"""What was done last, newest first."""
SET_FILTER = """
INSERT INTO page_filter (login_key, page, name, query) VALUES (?, ?, ?, ?)
ON CONFLICT (login_key, page, name) DO UPDATE SET query = excluded.query"""
"""A search is kept."""
DROP_FILTER = "DELETE FROM page_filter WHERE login_key = ? AND page = ? AND name = ?"
"""A search is forgotten."""
FILTERS = "SELECT name, query FROM page_filter WHERE login_key = ? AND page = ? ORDER BY name"
"""Somebody's searches."""
SET_MARK = """
INSERT INTO page_mark (login_key, kind, subject, marked_at) VALUES (?, ?, ?, ?)
ON CONFLICT (login_key, kind, subject) DO UPDATE SET marked_at = excluded.marked_at"""
"""Something was dismissed or told."""
DROP_MARK = "DELETE FROM page_mark WHERE login_key = ? AND kind = ? AND subject = ?"
"""It is not, any more."""
MARKS = "SELECT subject, marked_at FROM page_mark WHERE login_key = ? AND kind = ?"
"""All of a kind."""
ONCE = """
INSERT INTO page_mark (login_key, kind, subject, marked_at) VALUES (?, 'form', ?, ?)
ON CONFLICT (login_key, kind, subject) DO NOTHING"""
"""A form is taken in, if it was not before; `marked_at` is when that may be forgotten."""
PURGE = (
    "DELETE FROM page_mark WHERE kind = 'form' AND marked_at <= ?",
    "DELETE FROM page_session WHERE expires_at <= ?",
    "DELETE FROM page_code WHERE expires_at <= ?",
    "DELETE FROM page_flow WHERE expires_at <= ?",
)
"""What is over."""
RESET, INVITE = "reset", "invite"
"""What links to choose a password are for."""
_HOUR = 3_600_000_000
_FORM_LASTS = 24 * _HOUR
LINK_LASTS = {RESET: _HOUR, INVITE: 7 * 24 * _HOUR}
"""How long such a link works, in microseconds."""
MAXIMUM_TRIES = 5
MAXIMUM_FILTERS = 50
_LAST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in."""

    id_hash: str = field(repr=False)
    login_key: str
    how: str
    """password, oidc or link."""
    client: str
    agent: str
    created_at: int
    seen_at: int
    expires_at: int
    tie: str = field(repr=False)
    """What ties it to the password that its rep had when it began."""


@dataclass(frozen=True, slots=True)
class Flow:
    """A sign-in at an identity provider, or at Salesforce, that has begun."""

    browser: str = field(repr=False)
    """The hash of the cookie of the browser that began it."""
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    destination: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class Audited:
    """One thing that somebody did on the page."""

    id: int
    at: int
    who: str
    verb: str
    about: str
    detail: Mapping[str, Any]
    client: str


def digest(secret: str) -> str:
    """Give the SHA-256 (hex) by which a session id, code or link is known."""
    return hashlib.sha256(secret.encode()).hexdigest()


def tie(id_hash: str, password: str | None) -> str:
    """Give what ties a session or link, known by its hash, to the argon2 hash of its rep's password.

    It tells nothing of either: no two are alike for the same password, whose hash is salted by itself.
    """
    return hashlib.blake2b((password or "").encode(), key=bytes.fromhex(id_hash), digest_size=32).hexdigest()


class PageStore:
    """The SQL of the page; holds no state of its own."""

    # Sessions

    def begin_session(self, tx: Transaction, session: Session) -> None:
        """Keep a new session."""
        one = session
        tx.execute(
            ADD_SESSION,
            (
                one.id_hash,
                one.login_key,
                one.how,
                one.client,
                one.agent,
                one.created_at,
                one.seen_at,
                one.expires_at,
                one.tie,
            ),
        )

    def session(self, tx: Transaction, id_hash: str, now: int) -> Session | None:
        """Find a session that has not ended."""
        rows = tx.execute(FIND_SESSION, (id_hash, now))
        return _session(rows[0]) if rows else None

    def sessions(self, tx: Transaction, login_key: str, now: int) -> list[Session]:
        """Give somebody's sessions, oldest first."""
        return [_session(row) for row in tx.execute(SESSIONS_OF, (login_key, now))]

    def all_sessions(self, tx: Transaction) -> list[Session]:
        """Give everybody's sessions, also those that are over."""
        return [_session(row) for row in tx.execute(ALL_SESSIONS)]

    def touch(self, tx: Transaction, id_hash: str, now: int) -> None:
        """Note that a session was used."""
        tx.execute(TOUCH_SESSION, (now, id_hash))

    def end_session(self, tx: Transaction, id_hash: str) -> None:
        """Sign out."""
        tx.execute(END_SESSION, (id_hash,))

    def end_sessions(self, tx: Transaction, login_key: str) -> int:
        """Sign somebody out everywhere; give how many sessions ended."""
        tx.execute(END_SESSIONS, (login_key,))
        return tx.changes()

    # Codes and links

    def add_code(
        self,
        tx: Transaction,
        code: str,
        purpose: str,
        login_key: str,
        subject: str,
        now: int,
        expires_at: int,
    ) -> None:
        """Keep a code by its hash; an earlier one for the same thing works no more."""
        tx.execute(DROP_CODES, (login_key, purpose, subject))
        tx.execute(ADD_CODE, (digest(code), purpose, login_key, subject, now, expires_at))

    def add_link(self, tx: Transaction, code: str, purpose: str, rep: Rep, now: int) -> int:
        """Keep the code of a link to choose a password, beside earlier ones; give until when it works."""
        until, subject = now + LINK_LASTS[purpose], tie(digest(code), rep.password)
        self.add_code(tx, code, purpose, key_of(rep.login), subject, now, until)
        return until

    def links(self, tx: Transaction) -> list[tuple[str, str, str]]:
        """Give all such links: the hash of the code, whose it is, and what it is tied to."""
        return [(str(code_hash), str(key), str(kept)) for code_hash, key, kept in tx.execute(LINKS)]

    def drop_link(self, tx: Transaction, code_hash: str) -> None:
        """Let a link work no more."""
        tx.execute(DROP_LINK, (code_hash,))

    def codes_since(self, tx: Transaction, login_key: str, purpose: str, since: int) -> int:
        """Count the codes of a purpose that went out to somebody lately."""
        return _number(tx.execute(COUNT_CODES, (login_key, purpose, since))[0][0])

    def pending_codes(self, tx: Transaction, login_key: str, purpose: str, now: int) -> list[str]:
        """Give what somebody was sent codes for that are still good, the earliest first."""
        return [str(row[0]) for row in tx.execute(PENDING_CODES, (login_key, purpose, now))]

    def find_code(self, tx: Transaction, code: str, purpose: str, now: int) -> tuple[str, str] | None:
        """Give whose code this is and what it is for, without using it up; None when it is no good."""
        rows = tx.execute(FIND_CODE, (digest(code), purpose, now))
        return (str(rows[0][0]), str(rows[0][1])) if rows else None

    def take_code(self, tx: Transaction, code: str, purpose: str, now: int) -> tuple[str, str] | None:
        """Use a code up; give whose it is and what it is for; None when it is no good."""
        rows = tx.execute(TAKE_CODE, (digest(code), purpose, now))
        return (str(rows[0][0]), str(rows[0][1])) if rows else None

    def wrong_code(self, tx: Transaction, login_key: str, purpose: str, subject: str) -> None:
        """Count a wrong guess; after the fifth the code works no more."""
        tx.execute(COUNT_TRY, (login_key, purpose, subject))
        tx.execute(DROP_TRIED, (MAXIMUM_TRIES,))

    def forget_codes(self, tx: Transaction, login_key: str, purpose: str) -> None:
        """Let every link that went out to somebody for a purpose work no more."""
        tx.execute(FORGET_CODES, (login_key, purpose))

    def drop_codes(self, tx: Transaction, login_key: str, purpose: str, subject: str = "") -> None:
        """Let a code work no more."""
        tx.execute(DROP_CODES, (login_key, purpose, subject))

    # Identity providers

    def begin_flow(self, tx: Transaction, state: str, kind: str, flow: Flow) -> None:
        """Keep what must come back from an identity provider."""
        values = (flow.browser, flow.nonce, flow.verifier, flow.destination, flow.expires_at)
        tx.execute(ADD_FLOW, (digest(state), kind, *values))

    def take_flow(self, tx: Transaction, state: str, kind: str) -> Flow | None:
        """Give what was kept for this state, once."""
        rows = tx.execute(TAKE_FLOW, (digest(state), kind))
        if not rows:
            return None
        browser, nonce, verifier, destination, expires_at = rows[0]
        return Flow(str(browser), str(nonce), str(verifier), str(destination), _number(expires_at))

    def identity(self, tx: Transaction, issuer: str, subject: str) -> str | None:
        """Give the login key that a subject was linked to."""
        rows = tx.execute(FIND_IDENTITY, (issuer, subject))
        return str(rows[0][0]) if rows else None

    def link_identity(self, tx: Transaction, issuer: str, subject: str, login_key: str, now: int) -> None:
        """Remember that a subject is this rep."""
        tx.execute(LINK_IDENTITY, (issuer, subject, login_key, now))

    def unlink_identities(self, tx: Transaction, login_key: str) -> None:
        """Forget who a rep is elsewhere."""
        tx.execute(UNLINK_IDENTITIES, (login_key,))

    # Audit

    def audit(
        self,
        tx: Transaction,
        at: int,
        who: str,
        verb: str,
        about: str,
        detail: Mapping[str, object],
        client: str,
    ) -> None:
        """Keep what somebody did. Nothing secret may stand in `detail`."""
        text = json.dumps(detail, ensure_ascii=False, separators=(",", ":"))
        tx.execute(ADD_AUDIT, (at, who, verb, about, text.encode("utf-8", "replace").decode(), client))

    def audited(
        self, tx: Transaction, *, name: str = "", before: int = _LAST, limit: int = 100
    ) -> list[Audited]:
        """Give what was done before an entry, newest first; by or about `name` when one is given."""
        return [_audited(row) for row in tx.execute(AUDIT, (before, name, name, name, limit))]

    # Searches and marks

    def set_filter(self, tx: Transaction, login_key: str, page: str, name: str, query: str) -> bool:
        """Keep a search under a name; False when there are fifty already."""
        kept = self.filters(tx, login_key, page)
        if len(kept) >= MAXIMUM_FILTERS and name not in dict(kept):
            return False
        tx.execute(SET_FILTER, (login_key, page, name, query))
        return True

    def drop_filter(self, tx: Transaction, login_key: str, page: str, name: str) -> None:
        """Forget a search."""
        tx.execute(DROP_FILTER, (login_key, page, name))

    def filters(self, tx: Transaction, login_key: str, page: str) -> list[tuple[str, str]]:
        """Give somebody's searches on a page: name and query."""
        return [(str(name), str(query)) for name, query in tx.execute(FILTERS, (login_key, page))]

    def mark(self, tx: Transaction, login_key: str, kind: str, subject: str, now: int) -> None:
        """Note that something was done: a failure dismissed, a digest sent."""
        tx.execute(SET_MARK, (login_key, kind, subject, now))

    def unmark(self, tx: Transaction, login_key: str, kind: str, subject: str) -> None:
        """Take a note back."""
        tx.execute(DROP_MARK, (login_key, kind, subject))

    def marks(self, tx: Transaction, login_key: str, kind: str) -> dict[str, int]:
        """Give all notes of a kind: subject and instant."""
        return {str(subject): _number(at) for subject, at in tx.execute(MARKS, (login_key, kind))}

    def once(self, tx: Transaction, login_key: str, form: str, now: int) -> bool:
        """Tell whether this form, by the name that it was given when it was shown, is taken in for the first time."""
        tx.execute(ONCE, (login_key, form, now + _FORM_LASTS))
        return tx.changes() > 0

    def purge(self, tx: Transaction, now: int) -> None:
        """Forget sessions, codes, flows and forms that are over."""
        for statement in PURGE:
            tx.execute(statement, (now,))


def _session(row: Row) -> Session:
    id_hash, login_key, how, client, agent, created_at, seen_at, expires_at, kept = row
    texts = (str(id_hash), str(login_key), str(how), str(client), str(agent))
    return Session(*texts, _number(created_at), _number(seen_at), _number(expires_at), str(kept))


def _audited(row: Row) -> Audited:
    number, at, who, verb, about, detail, client = row
    return Audited(
        _number(number), _number(at), str(who), str(verb), str(about), json.loads(str(detail)), str(client)
    )


def _number(value: object) -> int:
    assert isinstance(value, int)
    return value
