"""Replies: codes, enhanced status codes and every text the relay answers an SMTP client with.

Pure. A reply is RFC 5321 §4.2 with the enhanced status code of RFC 3463 in front of its text (RFC 2034).
The texts are all made here, so that one page (docs/replies.md) lists them; a text that ends in a number such
as (R1201) is one that a person may have to act on. R11xx signing in, R12xx senders, R13xx limits and content.
"""

import sys
from dataclasses import dataclass, field

_LINE = 510
"""Octets of a reply line without its CRLF (RFC 5321 §4.5.3.1.5)."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An SMTP reply: three digits, an enhanced status code, and a text of one or more lines.

    `status` is "" where the standard has none (greeting, EHLO, 3yz). A text that carries a number like
    (R1201) can be looked up in docs/replies.md.
    """

    code: int
    status: str
    text: str
    _ascii: bytes | None = field(default=None, init=False, repr=False, compare=False)
    """The octets, once they were asked for: most replies are sent over and over."""

    def __str__(self) -> str:
        """Give the reply on one line, as it is shown to people."""
        return " ".join(part for part in (str(self.code), self.status, self.text) if part)

    def wire(self, *, utf8: bool = False) -> bytes:
        """Give the octets to send: each line at most 512 octets, no control octets.

        Only a transaction with SMTPUTF8 may be answered in UTF-8 (RFC 6531 §3.7.4): else it is written as `?`.
        """
        if utf8:
            return _octets(self, utf8=True)
        octets = self._ascii
        if octets is None:
            octets = _octets(self, utf8=False)
            object.__setattr__(self, "_ascii", octets)  # derived from the rest: the value stays the same
        return octets


def _octets(reply: Reply, *, utf8: bool) -> bytes:
    lead = f"{reply.status} " if reply.status else ""
    lines = reply.text.split("\n")
    last = len(lines) - 1
    return b"".join(
        _line(f"{reply.code}{' ' if index == last else '-'}{lead}{line}", utf8)
        for index, line in enumerate(lines)
    )


def _line(text: str, utf8: bool) -> bytes:
    clean = text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)
    octets = clean.encode("utf-8", "replace") if utf8 else clean.encode("ascii", "replace")
    if len(octets) > _LINE:
        octets = octets[:_LINE].decode("utf-8", "ignore").encode()
    return octets + b"\r\n"


@dataclass(frozen=True, slots=True)
class Form:
    """A reply with blanks to fill in, and when it is given."""

    code: int
    status: str
    text: str
    when: str

    def fill(self, **values: object) -> Reply:
        """Give the reply with its blanks filled."""
        return Reply(self.code, self.status, self.text.format(**values))


_catalogue: list[Form] = []


def catalogue() -> tuple[Form, ...]:
    """Give every reply there is, in the order of this file."""
    return tuple(_catalogue)


def _form(code: int, status: str, text: str, when: str) -> Form:
    form = Form(code, status, text, when)
    _catalogue.append(form)
    return form


def _reply(code: int, status: str, text: str, when: str) -> Reply:
    _form(code, status, text, when)
    return Reply(code, status, text)


# --- what goes well

OK = _reply(250, "2.0.0", "Ok", "RSET, NOOP and the like were carried out")
SENDER_OK = _reply(250, "2.1.0", "Sender ok", "MAIL was taken")
RECIPIENT_OK = _reply(250, "2.1.5", "Recipient ok", "RCPT was taken")
QUEUED = _form(250, "2.0.0", "Queued as {id}", "the message is on stable storage under this queue id")
CHUNK_TAKEN = _form(250, "2.0.0", "{octets} octets received", "BDAT was taken; more chunks are to come")
SIGNED_IN = _reply(235, "2.7.0", "Authentication succeeded", "AUTH proved who the client is")
CANNOT_VERIFY = _reply(252, "2.0.0", "Cannot verify; send mail and it will be tried", "VRFY")
HELP = _reply(214, "2.0.0", "See RFC 5321; ask your administrator for this relay's page", "HELP")
GOODBYE = _reply(221, "2.0.0", "Bye", "QUIT")
GREETING = _form(220, "", "{hostname} ESMTP ready", "a client connected")
READY_FOR_TLS = _reply(220, "2.0.0", "Ready to start TLS", "STARTTLS")
SEND_DATA = _reply(354, "", "End data with <CR><LF>.<CR><LF>", "DATA")
CHALLENGE = _form(334, "", "{challenge}", "AUTH goes on; the text is base64 (RFC 4954 §4)")

# --- signing in and TLS: R11xx

WRONG_PASSWORD = _reply(
    535,
    "5.7.8",
    "Wrong login or app password; check both in your mail program, or ask your administrator for a new one (R1101)",
    "the login is unknown or the password wrong; the same for both",
)
TLS_NEEDED = _reply(
    530,
    "5.7.0",
    "Turn on STARTTLS or SSL/TLS for this server in your mail program (R1102)",
    "a command came in clear text to a port that needs TLS",
)
TOO_MANY_PASSWORDS = _form(
    421,
    "4.7.0",
    "Too many wrong passwords; try again in {wait} (R1103)",
    "the login or the network is locked out for a while (auth.failures)",
)
TOO_MANY_FAILURES = _reply(
    421,
    "4.7.0",
    "Too many failed sign-ins in this connection (R1103)",
    "one connection tried too many wrong passwords",
)
AUTH_NEEDED = _reply(
    530,
    "5.7.0",
    "Turn on authentication for this server in your mail program (R1104)",
    "MAIL, RCPT or DATA without signing in",
)
NOT_TRUSTED = _reply(
    550,
    "5.7.1",
    "This host may not send mail here; see trust in the listener's settings (R1105)",
    "a gateway's client is not in its networks, or shows no certificate that is named",
)
AUTH_NEEDS_TLS = _reply(
    538,
    "5.7.11",
    "Turn on STARTTLS or SSL/TLS first: a password is not taken in clear text (R1102)",
    "AUTH before TLS",
)
AUTH_UNAVAILABLE = _reply(
    454, "4.7.0", "Passwords cannot be checked now; try again later", "the directory does not answer"
)
AUTH_MECHANISM_UNKNOWN = _reply(504, "5.5.4", "Use AUTH PLAIN or AUTH LOGIN", "another mechanism was asked")
AUTH_NOT_BASE64 = _reply(501, "5.5.2", "That is not base64", "an AUTH response cannot be decoded")
AUTH_MALFORMED = _reply(501, "5.5.2", "That is not an AUTH PLAIN response", "RFC 4616 §2 does not fit")
AUTH_CANCELLED = _reply(501, "5.7.0", "Authentication cancelled", "the client sent *")
AUTH_LINE_TOO_LONG = _reply(500, "5.5.6", "Authentication line too long", "more than 12288 octets")
AUTH_ALREADY = _reply(503, "5.5.1", "Already signed in", "AUTH a second time")
AUTH_IN_TRANSACTION = _reply(503, "5.5.1", "No AUTH within a transaction", "AUTH after MAIL")
AUTH_NOT_HERE = _reply(502, "5.5.1", "No AUTH on this port", "AUTH on a gateway's port")
TLS_ALREADY = _reply(503, "5.5.1", "TLS is on already", "STARTTLS a second time")
TLS_NOT_HERE = _reply(502, "5.5.1", "No STARTTLS on this port", "STARTTLS where it is not offered")
TLS_UNAVAILABLE = _reply(454, "4.7.0", "TLS is not available now", "the certificate cannot be used")

# --- senders and policy: R12xx

SENDER_NOT_ACCEPTABLE = _form(
    550,
    "5.7.1",
    "{address} is not one of your acceptable addresses; ask your administrator to add it (R1201)",
    "the envelope sender or a From address is not on the rep's list (logging.unacceptable_sender: refuse)",
)
SENDER_UNREADABLE = _form(
    550,
    "5.7.1",
    "The {field} field of this mail {problem}, so its sender cannot be checked (R1202)",
    "the header's From (or Sender of several, or Resent-From) is a group, empty, doubled, or cannot be read",
)
CONTROL_SHOWN = _form(
    550,
    "5.7.1",
    "Put {address} in Bcc, not {field} (R1203)",
    "a control address (logging.controls.domain) in To or Cc, where every recipient would see it",
)
CONTROL_UNKNOWN = _form(
    550,
    "5.7.1",
    "{address} is no control address; there are private@, log@, headers@, rec+ID@ and task+3d@ (R1207)",
    "an address of logging.controls.domain that asks for nothing known",
)
SENDER_UNKNOWN = _form(
    550,
    "5.7.1",
    "{address} is not an address of anybody known here (R1204)",
    "mail of a stranger by a gateway with unknown_sender: refuse",
)
SIGNED_BCC = _reply(
    554,
    "5.6.0",
    "The mail carries a signed Bcc field, which would uncover it; send without Bcc in the signature (R1205)",
    "a DKIM signature names Bcc (limits.signed_bcc: refuse)",
)
LOOP = _reply(554, "5.4.6", "Too many hops: this mail is going in circles (R1206)", "limits.received_hops")

# --- limits and content: R13xx

TOO_LARGE = _form(
    552, "5.3.4", "This mail is larger than the limit of {limit} (R1301)", "limits.message_size"
)
HEADER_TOO_LARGE = _form(
    552, "5.3.4", "The header of this mail is larger than the limit of {limit} (R1303)", "limits.header_size"
)
TOO_MANY_MESSAGES = _form(
    450,
    "4.2.1",
    "{count} mails in {span}; the next is possible at {time} UTC (R1304)",
    "limits.messages_per_user",
)
TOO_MANY_RECIPIENTS = _form(
    452, "4.5.3", "More than {limit} recipients; send the rest separately (R1305)", "limits.recipients"
)
SESSION_FULL = _reply(
    421,
    "4.7.0",
    "Too many mails in one connection; connect again",
    "limits.messages_per_session; the client goes on with a new connection",
)
NO_ROOM = _reply(
    452, "4.3.1", "Not enough room to store mail; try again later (R1306)", "the disk is nearly full"
)
BARE_LINE_ENDS = _reply(
    554,
    "5.5.2",
    "The mail has a bare CR, bare LF or NUL; your mail program must end lines with CRLF (R1307)",
    "limits.line_endings: reject",
)

# --- our own trouble

TROUBLE = _form(
    451, "4.3.0", "Something went wrong here; try again later (incident {incident})", "a fault of the relay"
)
STORE_TROUBLE = _reply(
    451, "4.3.0", "Mail cannot be stored now; try again later", "the store does not answer"
)
STOPPING = _reply(421, "4.3.2", "The service is stopping; try again later", "the relay stops or restarts")
TOO_MANY_CONNECTIONS = _reply(
    421, "4.7.0", "Too many connections from your network; try again later", "limits.connections.per_network"
)
BUSY = _reply(421, "4.3.2", "Too many connections; try again later", "limits.connections.total")
IDLE = _reply(421, "4.4.2", "Idle for too long", "limits.idle")
TOO_OLD = _reply(421, "4.4.2", "This connection has lasted long enough; connect again", "limits.session_age")
TOO_SLOW = _reply(421, "4.4.2", "Data comes too slowly", "limits.minimum_rate")

# --- commands that are wrong

UNKNOWN_COMMAND = _reply(500, "5.5.1", "Command not known", "a verb that nobody defined")
NOT_IMPLEMENTED = _reply(502, "5.5.1", "Command not implemented", "EXPN, ETRN, TURN and the like")
NOT_SMTP = _reply(502, "5.7.0", "This is a mail server, not a web server", "HTTP at the greeting")
LINE_TOO_LONG = _reply(500, "5.5.2", "Line too long", "a command line over RFC 5321 §4.5.3.1.4")
CONTROL_OCTETS = _reply(501, "5.5.2", "Control characters are not allowed", "an octet under 32, or 127")
NOT_UTF8 = _reply(501, "5.5.2", "That is not valid UTF-8", "octets above 127 that are not UTF-8")
HELO_SYNTAX = _reply(501, "5.5.4", "Give your host name after EHLO or HELO", "EHLO or HELO without a name")
NO_ARGUMENT = _reply(501, "5.5.4", "That command takes no argument", "RSET, DATA, QUIT, STARTTLS with one")
NEEDS_ARGUMENT = _reply(501, "5.5.4", "That command needs an argument", "VRFY without one")
AUTH_SYNTAX = _reply(501, "5.5.4", "Use AUTH mechanism [initial-response]", "AUTH with too few or many words")
MAIL_SYNTAX = _reply(501, "5.1.7", "Use MAIL FROM:<address>", "MAIL without a path in angle brackets")
RCPT_SYNTAX = _reply(501, "5.1.3", "Use RCPT TO:<address>", "RCPT without a path in angle brackets")
BAD_SENDER = _reply(501, "5.1.7", "That is not a mail address", "the reverse-path breaks RFC 5321 §4.1.2")
BAD_RECIPIENT = _reply(501, "5.1.3", "That is not a mail address", "a forward-path breaks RFC 5321 §4.1.2")
UNQUALIFIED_SENDER = _reply(554, "5.1.8", "The sender address has no domain", "MAIL FROM:<name>")
UNQUALIFIED_RECIPIENT = _reply(554, "5.1.3", "The address has no domain", "RCPT TO:<name>")
SENDER_NEEDS_UTF8 = _reply(
    550, "5.6.7", "Non-ASCII addresses need SMTPUTF8", "a reverse-path in UTF-8 without the parameter"
)
RECIPIENT_NEEDS_UTF8 = _reply(
    553, "5.6.7", "Non-ASCII addresses need SMTPUTF8", "a forward-path in UTF-8 without the parameter"
)
PARAMETER_UNKNOWN = _reply(
    555, "5.5.4", "Parameter not known", "a MAIL or RCPT parameter that is not offered"
)
PARAMETER_SYNTAX = _reply(501, "5.5.4", "Parameter malformed", "a MAIL or RCPT parameter that cannot be read")
PARAMETER_TWICE = _reply(501, "5.5.4", "Parameter given twice", "a repeated MAIL or RCPT parameter")
EHLO_FIRST = _reply(503, "5.5.1", "Send EHLO first", "MAIL, AUTH and others before EHLO, or after HELO")
MAIL_FIRST = _reply(503, "5.5.1", "Send MAIL first", "RCPT or DATA without MAIL")
MAIL_TWICE = _reply(503, "5.5.1", "A transaction is open already", "MAIL after MAIL")
RCPT_FIRST = _reply(503, "5.5.1", "No recipient was taken", "DATA or BDAT without a good RCPT")
DATA_IN_CHUNKS = _reply(
    503, "5.5.1", "Chunks have begun: go on with BDAT or RSET", "DATA, MAIL or RCPT after BDAT"
)
CHUNKS_FAILED = _reply(503, "5.5.1", "A chunk was refused: send RSET", "BDAT after a refused BDAT")
BDAT_SYNTAX = _reply(501, "5.5.4", "Use BDAT octets [LAST]", "BDAT that cannot be read")
TOO_EARLY = _reply(
    554,
    "5.5.0",
    "You must wait for the reply to that command",
    "input after EHLO, DATA or STARTTLS before its reply",
)
TOO_MANY_ERRORS = _reply(421, "4.7.0", "Too many errors", "limits.errors")
TOO_MUCH_JUNK = _reply(421, "4.7.0", "Too many commands that send no mail", "limits.junk_commands")


def replies_page() -> str:
    """Write docs/replies.md: every reply and when it is given."""
    rows = "\n".join(f"| `{_shown(form)}` | {form.when} |" for form in _catalogue)
    return (
        "# Every reply the relay gives to an SMTP client\n\n"
        "Printed from `relay/status.py`. Codes are RFC 5321 §4.2 and RFC 3463; words in braces are filled in.\n"
        "A number such as R1201 marks a reply that a person may have to act on.\n\n"
        f"| Reply | When |\n|---|---|\n{rows}\n"
    )


def _shown(form: Form) -> str:
    text = str(Reply(form.code, form.status, form.text))
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(replies_page())
