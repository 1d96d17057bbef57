"""AUTH: who may sign in, how the exchange goes on, and what becomes of the session by the verdict (RFC 4954).

No sockets. Unknown login and wrong password are answered alike. A password, or a line that may hold one, is
never logged and never in a reply.
"""

from relay import status
from relay.directory.credentials import Blocked, Proven, Unavailable, Verdict, Wrong
from relay.maillog.events import SignInBlocked, SignInFailed
from relay.status import Reply
from relay.submission import auth
from relay.submission.answers import Answer, Challenge, HangUp, Prove
from relay.submission.door import Door
from relay.submission.session import Session
from relay.submission.wording import shown, wait_text

_FEWEST_FAILURES = 3
"""Failed sign-ins that are answered before we hang up, at the least (RFC 4954 §9)."""


def begin(session: Session, argument: bytes) -> Answer:
    """Carry out AUTH."""
    door = session.door
    if door.auth == "none":
        return status.AUTH_NOT_HERE
    if door.require_tls and not session.tls:
        return status.AUTH_NEEDS_TLS
    if session.helo is None or not session.extended:
        return status.EHLO_FIRST
    if session.rep is not None:
        return status.AUTH_ALREADY
    if session.mail is not None:
        return status.AUTH_IN_TRANSACTION
    return _answer(auth.begin(argument))


def respond(session: Session, expected: auth.Expect, line: bytes) -> Answer:
    """Carry on an exchange with the client's next line, given without its CRLF."""
    if len(line) + 2 > auth.LONGEST_LINE:
        return session.checked(status.AUTH_LINE_TOO_LONG)
    answer = _answer(auth.respond(expected, line))
    return session.checked(answer) if isinstance(answer, Reply) else answer


def _answer(step: auth.Step) -> Answer:
    match step:
        case auth.Credential():
            return Prove(step)
        case auth.Expect():
            return Challenge(step)
        case Reply():
            return step


def proved(session: Session, credential: auth.Credential, verdict: Verdict) -> Reply | HangUp:
    """Take the verdict on a sign-in."""
    match verdict:
        case Proven(rep=rep):
            session.rep = rep
            return status.SIGNED_IN
        case Wrong():
            return _wrong(session, credential)
        case Blocked(seconds=seconds, network=network):
            return _blocked(session, credential, wait_text(seconds), "network" if network else "login")
        case Unavailable():
            return status.AUTH_UNAVAILABLE


def _wrong(session: Session, credential: auth.Credential) -> Reply | HangUp:
    door = session.door
    session.failures += 1
    door.note(
        SignInFailed(
            at=door.clock.now(),
            login=shown(credential.login.encode()),
            client=session.client,
            listener=door.name,
            mechanism=credential.mechanism,
            reason=_why(door, credential.login),
        )
    )
    too_many = session.failures >= max(_FEWEST_FAILURES, door.limits.failures)
    return HangUp(status.TOO_MANY_FAILURES) if too_many else status.WRONG_PASSWORD


def _why(door: Door, login: str) -> str:
    """Say for the mail log what the client is not told: an admin need not guess which it is."""
    rep = door.reps().by_login(login)
    if rep is None:
        return "there is no such login"
    if rep.disabled:
        return "the rep is disabled"
    if rep.password is None and not rep.tokens:
        return "the rep has no password"
    return "wrong password"


def _blocked(session: Session, credential: auth.Credential, wait: str, what: str) -> HangUp:
    door = session.door
    door.note(
        SignInBlocked(
            at=door.clock.now(),
            login=shown(credential.login.encode()),
            client=session.client,
            listener=door.name,
            reason=f"the {what} is locked out for another {wait}",
        )
    )
    return HangUp(status.TOO_MANY_PASSWORDS.fill(wait=wait))
