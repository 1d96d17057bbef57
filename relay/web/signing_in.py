"""Begin and end sessions. A sign-in always makes a new session id, whatever cookie came along (session fixation)."""

import secrets
from datetime import timedelta

from starlette.responses import Response

from relay.directory.model import Rep, login_key
from relay.storage.database import Transaction
from relay.web.asking import Ask, answer_with_cookie
from relay.web.cookies import session_cookie
from relay.web.guard import safe_path
from relay.web.store import Session, digest, tie

_MICROSECONDS = timedelta(microseconds=1)
_LONGEST_AGENT = 200


async def sign_in(ask: Ask, rep: Rep, how: str, destination: str) -> Response:
    """Begin a session for a rep who has proven who they are, and send them on."""
    secret, lifetime = secrets.token_urlsafe(32), ask.house.web.session
    agent = ask.request.headers.get("user-agent", "")[:_LONGEST_AGENT]
    id_hash = digest(secret)
    session = Session(
        id_hash,
        login_key(rep.login),
        how,
        ask.client,
        agent,
        ask.now,
        ask.now,
        ask.now + lifetime // _MICROSECONDS,
        tie(id_hash, rep.password),
    )
    earlier = ask.cookies.session
    ask.someone = rep

    def begin(tx: Transaction) -> None:
        if earlier:
            ask.house.store.end_session(tx, digest(earlier))
        ask.house.store.purge(tx, ask.now)
        ask.house.store.begin_session(tx, session)
        ask.audit(tx, "sign_in", how=how)

    await ask.house.database.write(begin)
    cookie = session_cookie(secret, secure=ask.secure, seconds=int(lifetime.total_seconds()))
    return answer_with_cookie(ask.redirect(safe_path(destination)), cookie)


async def sign_out(ask: Ask, *, everywhere: bool = False) -> Response:
    """End this session, or all of the rep's."""
    assert ask.session is not None
    id_hash = ask.session.id_hash

    def end(tx: Transaction) -> None:
        ask.house.store.end_session(tx, id_hash)
        if everywhere:
            ask.house.store.end_sessions(tx, ask.key)
        ask.audit(tx, "sign_out", everywhere=everywhere)

    await ask.house.database.write(end)
    gone = session_cookie("", secure=ask.secure, seconds=0)
    return answer_with_cookie(ask.redirect("/sign-in", said="signed_out"), gone)
