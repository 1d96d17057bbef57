"""The state of one SMTP session: who the client is, what it may do, and its transaction. No sockets.

The commands that change it are in relay.submission.commands and relay.submission.signing_in.
"""

from collections.abc import Sequence

from relay import status
from relay.directory.model import Rep
from relay.envelope import Envelope, Recipient
from relay.maillog.events import MessageRefused
from relay.policy.decision import masked_text
from relay.status import Reply
from relay.submission.answers import HangUp
from relay.submission.data import Content
from relay.submission.door import Door
from relay.submission.parameters import MailCommand
from relay.submission.wording import clock_time, span_text


class Session:
    """The state of one connection's dialogue."""

    __slots__ = (
        "_errors",
        "_junk",
        "_trusted",
        "certificate_names",
        "chunks",
        "client",
        "content",
        "door",
        "draining",
        "extended",
        "failures",
        "helo",
        "mail",
        "messages",
        "overflow",
        "recipients",
        "rep",
        "rule",
        "tls",
    )

    def __init__(self, door: Door, client: str) -> None:
        self.door = door
        self.client = client
        self.tls = ""
        """Version and cipher of TLS; "" in clear text."""
        self.certificate_names: Sequence[str] = ()
        """The names in the client's verified certificate."""
        self.helo: str | None = None
        self.extended = False
        self.rep: Rep | None = None
        """Who signed in."""
        self.failures = 0
        """Failed sign-ins."""
        self.messages = 0
        """Messages that were accepted."""
        self.overflow = 0
        """Recipients that were one too many."""
        self.draining = False
        """Whether the service stops: no new transaction may begin."""
        self.mail: MailCommand | None = None
        self.recipients: list[Recipient] = []
        self.content: Content | None = None
        self.chunks = ""
        """Empty without BDAT, "open" after a chunk that was taken, "failed" after one that was refused."""
        self.rule = ""
        """The rule behind the last refusal, when it was policy's."""
        self._trusted: bool | None = None
        self._errors = 0
        self._junk = 0

    # --- who the client is

    def greeted(self, name: str, *, extended: bool) -> None:
        """Take EHLO's or HELO's name; a transaction that was open is dropped (RFC 5321 §4.1.4)."""
        self.reset()
        self.helo = name
        self.extended = extended

    def secured(self, tls: str, certificate_names: Sequence[str]) -> None:
        """Begin anew inside TLS: what was said in clear text is forgotten (RFC 3207 §4.2)."""
        self.reset()
        self.tls = tls
        self.certificate_names = certificate_names
        self.helo = None
        self.extended = False
        self.rep = None
        self._trusted = None

    @property
    def needs_tls(self) -> bool:
        """Tell whether nothing may be done here before TLS."""
        door = self.door
        return door.auth == "required" and door.require_tls and not self.tls

    def forbidden(self) -> Reply | None:
        """Say why this client may send no mail (RFC 6409 §4.3); None when it may."""
        if self._still_signed_in() and self.helo is not None:
            return None
        if self.needs_tls:
            return status.TLS_NEEDED
        if self.helo is None:
            return status.EHLO_FIRST
        if self.door.auth != "none":
            return status.AUTH_NEEDED
        if self._trusted is None:
            self._trusted = self.door.trust.holds(self.client, self.certificate_names)
        return None if self._trusted else status.NOT_TRUSTED

    def _still_signed_in(self) -> bool:
        """Take the rep as the directory has them now; one who was disabled or taken away is signed out."""
        if self.rep is not None:
            rep = self.door.reps().by_login(self.rep.login)
            self.rep = None if rep is None or rep.disabled else rep
        return self.rep is not None

    # --- limits

    def checked(self, reply: Reply) -> Reply | HangUp:
        """Count a reply that is an error; the one too many becomes 421."""
        if reply.code < 500:
            return reply
        self._errors += 1
        return HangUp(status.TOO_MANY_ERRORS) if self._errors > self.door.limits.errors else reply

    def junk(self) -> HangUp | None:
        """Count a command that moves no mail; gives the answer to the one too many."""
        self._junk += 1
        return HangUp(status.TOO_MUCH_JUNK) if self._junk > self.door.limits.junk else None

    def over_rate(self, rep: Rep) -> Reply | None:
        """Say when the rep may send again, if not now (limits.messages_per_user)."""
        rates = self.door.rates
        next_at = rates.next_at(rep.login, self.door.clock.now())
        if next_at is None:
            return None
        return status.TOO_MANY_MESSAGES.fill(
            count=rates.rate.count, span=span_text(rates.rate.seconds), time=clock_time(next_at)
        )

    # --- the transaction

    @property
    def sender(self) -> str:
        """Give the reverse-path as text; "" for the null path."""
        return str(self.mail.reverse_path) if self.mail and self.mail.reverse_path else ""

    def new_content(self) -> Content:
        """Begin to take in content."""
        self.content = Content(self.door.limits, self.door.spool)
        return self.content

    def envelope(self) -> Envelope:
        """Give what MAIL and RCPT said."""
        mail = self.mail or MailCommand(None)
        return Envelope(
            mail.reverse_path, tuple(self.recipients), mail.smtputf8, mail.body, mail.ret, mail.envid
        )

    def message_taken(self) -> None:
        """Count a message that was accepted; the commands around it were no junk."""
        self.messages += 1
        self._junk = 0

    def reset(self) -> None:
        """Drop the transaction: sender, recipients, content (RFC 5321 §4.1.1.5)."""
        if self.content is not None:
            self.content.abandon()
            self.content = None
        self.mail = None
        self.chunks = ""
        self.rule = ""
        if self.recipients:
            self.recipients = []

    def note_refused(self, reply: Reply, sender: str, recipients: tuple[str, ...]) -> None:
        """Have a refusal counted and written to the mail log, with the rule behind it."""
        door, rules = self.door, self.door.rules()
        rule, self.rule = self.rule, ""
        door.meter.refused(reply.status)
        door.note(
            MessageRefused(
                at=door.clock.now(),
                login=self.rep.login if self.rep else None,
                sender=masked_text(sender, rules),
                recipients=tuple(masked_text(each, rules) for each in recipients),
                client=self.client,
                listener=door.name,
                reply=masked_text(str(reply), rules),
                rule=rule,
            )
        )
