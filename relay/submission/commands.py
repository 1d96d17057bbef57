"""What each SMTP command does in each state of a session, and what it is answered. No sockets.

`carry_out` gives every command line to a handler of the table at the end, which gives an answer. RFC 5321 §4.1.4
orders the commands, RFC 6409 §4.3 says who may; RFC 3207, 3030 and 1870 say the rest.
"""

from collections.abc import Callable

from relay import status
from relay.envelope import Recipient
from relay.policy.decision import check_sender
from relay.status import Reply
from relay.submission import signing_in
from relay.submission.answers import Alone, Answer, HangUp, StartTls, TakeChunk, TakeData
from relay.submission.auth import LONGEST_LINE
from relay.submission.data import fault
from relay.submission.door import ehlo_reply
from relay.submission.parameters import MailCommand, decode_argument, read_mail, read_recipient
from relay.submission.session import Session
from relay.submission.wording import shown

LONGEST_COMMAND = 512
"""Octets of a command line with its CRLF (RFC 5321 §4.5.3.1.4)."""
_LONGER = {
    # SIZE 26, AUTH 500, SMTPUTF8 10, BODY 17, RET 9, ENVID 107 (RFC 1870 §3, 4954 §3, 6531 §3.1, 3461 §4)
    b"MAIL": LONGEST_COMMAND + 26 + 500 + 10 + 17 + 9 + 107,
    # NOTIFY 28, ORCPT 507 (RFC 3461 §4)
    b"RCPT": LONGEST_COMMAND + 28 + 507,
    b"AUTH": LONGEST_LINE + 32,
}
_LONGEST_NAME = 255
_OVERFLOW = 1000
"""Recipients over the limit that are answered 452 before we hang up."""
_CHUNK_DIGITS = 20


def carry_out(session: Session, line: bytes) -> Answer:
    """Carry out one command line, given without its CRLF."""
    verb, _, argument = line.partition(b" ")
    handler = _COMMANDS.get(verb)
    if handler is None:
        verb = verb.upper()
        handler = _COMMANDS.get(verb, _unknown)
    if handler is _unknown and session.helo is None and verb in _HTTP:
        return HangUp(status.NOT_SMTP)
    if len(line) + 2 > _LONGER.get(verb, LONGEST_COMMAND):
        return session.checked(status.LINE_TOO_LONG)
    if session.draining and session.mail is None and verb != b"QUIT":
        return HangUp(status.STOPPING)
    if session.needs_tls and verb not in _BEFORE_TLS:
        return session.checked(status.TLS_NEEDED)
    answer = handler(session, argument)
    if isinstance(answer, Reply) and answer.code >= 400:
        _note_refusal(session, verb, argument, answer)
        if verb == b"MAIL" and answer.code < 500:
            # Asking over and over while there is no room, or over the rate, moves no mail.
            return session.junk() or answer
        return session.checked(answer)
    return answer


def _note_refusal(session: Session, verb: bytes, argument: bytes, reply: Reply) -> None:
    """Have refused senders and recipients logged (RFC 6409 §5.2); a command out of order is no refusal."""
    if reply.code == 503:
        return
    if verb == b"MAIL":
        session.note_refused(reply, _path_in(argument), ())
    elif verb == b"RCPT":
        session.note_refused(reply, session.sender, (_path_in(argument),))


def _path_in(argument: bytes) -> str:
    """Give the path of MAIL or RCPT for a log, or all that was said where there is none to be found."""
    text = shown(argument)
    start, end = text.find(":<"), text.rfind(">")
    return text[start + 2 : end] if 0 <= start < end else text


def _unknown(session: Session, argument: bytes) -> Answer:
    return status.UNKNOWN_COMMAND


# --- greetings


def _ehlo(session: Session, argument: bytes) -> Answer:
    return _hello(session, argument, extended=True)


def _helo(session: Session, argument: bytes) -> Answer:
    return _hello(session, argument, extended=False)


def _hello(session: Session, argument: bytes, *, extended: bool) -> Answer:
    name = argument.strip(b" ")
    # RFC 6531 §3.7.1: the name is ASCII. That it is the client's right name is never asked (RFC 5321 §4.1.4).
    if not name or len(name) > _LONGEST_NAME or not name.isascii():
        return status.HELO_SYNTAX
    text = name.decode("ascii")
    if not text.isprintable():
        return status.CONTROL_OCTETS
    if too_much := session.junk():
        return too_much
    session.greeted(text, extended=extended)
    if extended:
        return Alone(ehlo_reply(session.door, tls=bool(session.tls)))
    return Alone(Reply(250, "", session.door.hostname))


def _starttls(session: Session, argument: bytes) -> Answer:
    if argument.strip(b" "):
        return status.NO_ARGUMENT
    if session.tls:
        return status.TLS_ALREADY
    if session.door.tls != "starttls":
        return status.TLS_NOT_HERE
    return StartTls() if session.door.context() is not None else status.TLS_UNAVAILABLE


# --- a transaction


def _mail(session: Session, argument: bytes) -> Answer:
    if refusal := session.forbidden():
        return refusal
    if session.mail is not None:
        return status.MAIL_TWICE
    if session.messages >= session.door.limits.messages:
        return HangUp(status.SESSION_FULL)
    mail = read_mail(argument, extended=session.extended)
    if isinstance(mail, Reply):
        return mail
    if refusal := _sender_refused(session, mail):
        return refusal
    session.mail = mail
    return status.SENDER_OK


def _sender_refused(session: Session, mail: MailCommand) -> Reply | None:
    door = session.door
    if mail.size is not None and mail.size > door.limits.message_size:
        return status.TOO_LARGE.fill(limit=door.limits.message_size_text)
    if not door.room():
        return status.NO_ROOM
    if session.rep is None:
        return None
    refuse = check_sender(mail.reverse_path, session.rep, door.rules())
    if refuse is not None:
        session.rule = refuse.rule
        return refuse.reply
    return session.over_rate(session.rep)


def _rcpt(session: Session, argument: bytes) -> Answer:
    if refusal := session.forbidden():
        return refusal
    if session.mail is None:
        return status.MAIL_FIRST
    if session.chunks:
        return status.DATA_IN_CHUNKS
    recipient = read_recipient(argument, extended=session.extended, smtputf8=session.mail.smtputf8)
    if isinstance(recipient, Reply):
        return recipient
    limit = session.door.limits.recipients
    if len(session.recipients) >= limit:
        session.overflow += 1
        full = status.TOO_MANY_RECIPIENTS.fill(limit=limit)
        return HangUp(status.TOO_MANY_ERRORS) if session.overflow > _OVERFLOW else full
    if not recipient.address.domain:
        recipient = Recipient(session.door.postmaster, recipient.notify, recipient.orcpt)
    session.recipients.append(recipient)
    return status.RECIPIENT_OK


def _out_of_order(session: Session) -> Reply | None:
    if refusal := session.forbidden():
        return refusal
    if session.mail is None:
        return status.MAIL_FIRST
    return None if session.recipients else status.RCPT_FIRST


def _data(session: Session, argument: bytes) -> Answer:
    if argument.strip(b" "):
        return status.NO_ARGUMENT
    if refusal := _out_of_order(session):
        return refusal
    return status.DATA_IN_CHUNKS if session.chunks else TakeData(session.new_content())


def _bdat(session: Session, argument: bytes) -> Answer:
    words = argument.split()
    last = len(words) == 2 and words[1].upper() == b"LAST"
    digits = words[0] if words else b""
    if not digits.isdigit() or len(digits) > _CHUNK_DIGITS or len(words) > 1 + last:
        # What follows cannot be told from commands: to read on would be to guess.
        return HangUp(status.BDAT_SYNTAX)
    octets, limits = int(digits), session.door.limits
    if not octets and not last and (too_much := session.junk()):
        return too_much
    if octets > 2 * limits.message_size:
        return HangUp(status.TOO_LARGE.fill(limit=limits.message_size_text))
    refusal = _chunk_refused(session)
    # A refused chunk is read all the same (RFC 3030 §2), else its octets would be taken for commands.
    content = None if refusal else session.content or session.new_content()
    return TakeChunk(octets, last, refusal, content)


def _chunk_refused(session: Session) -> Reply | None:
    if session.helo is not None and not session.extended:
        return status.EHLO_FIRST
    return status.CHUNKS_FAILED if session.chunks == "failed" else _out_of_order(session)


def chunk_taken(session: Session, octets: int) -> Reply | HangUp:
    """Answer a chunk that was not the last."""
    wrong = fault(session.content, session.door.limits) if session.content else status.CHUNKS_FAILED
    session.chunks = "failed" if wrong else "open"
    return session.checked(wrong) if wrong else status.CHUNK_TAKEN.fill(octets=octets)


# --- the rest


def _rset(session: Session, argument: bytes) -> Answer:
    if argument.strip(b" "):
        return status.NO_ARGUMENT
    if too_much := session.junk():
        return too_much
    session.reset()
    return status.OK


def _noop(session: Session, argument: bytes) -> Answer:
    return session.junk() or status.OK


def _vrfy(session: Session, argument: bytes) -> Answer:
    text = decode_argument(argument.strip(b" "))
    if isinstance(text, Reply):
        return text
    return session.junk() or (status.CANNOT_VERIFY if text else status.NEEDS_ARGUMENT)


def _help(session: Session, argument: bytes) -> Answer:
    return session.junk() or status.HELP


def _not_implemented(session: Session, argument: bytes) -> Answer:
    return status.NOT_IMPLEMENTED


def _quit(session: Session, argument: bytes) -> Answer:
    return status.NO_ARGUMENT if argument.strip(b" ") else HangUp(status.GOODBYE, linger=False)


_COMMANDS: dict[bytes, Callable[[Session, bytes], Answer]] = {
    b"EHLO": _ehlo,
    b"HELO": _helo,
    b"STARTTLS": _starttls,
    b"AUTH": signing_in.begin,
    b"MAIL": _mail,
    b"RCPT": _rcpt,
    b"DATA": _data,
    b"BDAT": _bdat,
    b"RSET": _rset,
    b"NOOP": _noop,
    b"VRFY": _vrfy,
    b"HELP": _help,
    b"QUIT": _quit,
    # RFC 6409 §7: ETRN and ATRN must not be offered; the others are known and of no use here (RFC 5321 §4.2.4).
    **dict.fromkeys((b"EXPN", b"ETRN", b"ATRN", b"TURN", b"SEND", b"SOML", b"SAML"), _not_implemented),
}
VERBS = frozenset(_COMMANDS)
"""The commands whose lines may be logged; anything else might be a password in the wrong place."""
# RFC 3207 §4; AUTH gets a reply of its own, and a chunk has to be read before it is refused.
_BEFORE_TLS = frozenset({b"EHLO", b"STARTTLS", b"NOOP", b"QUIT", b"AUTH", b"BDAT"})
_HTTP = frozenset(
    {b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH", b"PRI"}
)
