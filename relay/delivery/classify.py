"""What each thing that happens with a hop means for a delivery: the whole table, in one place.

Pure, and total: every happening has an outcome. The first digit of a reply decides (RFC 5321 §4.2.1), with the
exceptions that ANSWERS lists; no answer at all is temporary, as 451 is (§3.8). docs/delivery.md prints the table.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import assert_never

from relay.delivery.happening import (
    SETTING_UP,
    Answered,
    Declined,
    Happening,
    Kind,
    Lack,
    NoWay,
    Paced,
    Stage,
    Trouble,
)
from relay.delivery.hints import wait_asked_for
from relay.delivery.hop import Hop
from relay.outcome import NOBODY_RECEIVED_IT, Bounced, Deferred, Outcome, Sent, Skipped
from relay.status import Reply

_MESSAGE = frozenset({Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.CONTENT, Stage.END})
_SIGN_IN_CODES = frozenset({530, 534, 535, 538})


@dataclass(frozen=True, slots=True)
class AnswerRule:
    """One line of the table: which answers it is for, and what they mean; the first that fits wins."""

    answer: str
    stages: frozenset[Stage]
    fits: Callable[[Reply], bool]
    meaning: type[Sent] | type[Deferred] | type[Bounced]
    why: str
    """What is said in front of the hop's words; "" when they speak for themselves."""
    loud: bool = False
    """Whether somebody must act: it is the site's settings, not the message."""
    exchangers: bool = False
    """Whether it is for hosts alone that DNS names (kind mx)."""


def _class(digit: int) -> Callable[[Reply], bool]:
    return lambda reply: reply.code // 100 == digit


def _is_too_many(reply: Reply) -> bool:
    """552 to RCPT means too many recipients unless its enhanced code says otherwise (RFC 5321 §4.5.3.1.10)."""
    return reply.code == 552 and (not reply.status or reply.status.endswith(".5.3"))


def _is_sign_in(reply: Reply) -> bool:
    return reply.code in _SIGN_IN_CODES


ANSWERS: tuple[AnswerRule, ...] = (
    AnswerRule("2yz", frozenset({Stage.END}), _class(2), Sent, ""),
    AnswerRule("4yz", frozenset(Stage), _class(4), Deferred, ""),
    AnswerRule(
        "5yz", frozenset({Stage.AUTH}), _class(5), Deferred, "the smarthost refused our sign-in", loud=True
    ),
    AnswerRule(
        "521 of a mail exchanger",
        frozenset({Stage.GREETING}),
        lambda reply: reply.code == 521,  # RFC 7504 §3: this host never takes mail
        Bounced,
        "the host takes no mail",
        exchangers=True,
    ),
    AnswerRule("5yz", frozenset({Stage.TLS}), _class(5), Deferred, "the hop refused STARTTLS", loud=True),
    AnswerRule("5yz", frozenset({Stage.GREETING}), _class(5), Deferred, "the hop turned us away", loud=True),
    AnswerRule("5yz", frozenset({Stage.EHLO}), _class(5), Deferred, "the hop refused our EHLO", loud=True),
    AnswerRule("5yz", frozenset({Stage.RSET}), _class(5), Deferred, "the hop refused RSET"),
    AnswerRule(
        "530, 534, 535 or 538", _MESSAGE, _is_sign_in, Deferred, "the hop wants a sign-in or TLS", loud=True
    ),
    AnswerRule("552, unless it names another reason", frozenset({Stage.RCPT}), _is_too_many, Deferred, ""),
    AnswerRule("5yz", _MESSAGE, _class(5), Bounced, ""),
    AnswerRule(
        "any other",
        frozenset(Stage),
        lambda _: True,
        Deferred,
        "the hop's answer makes no sense here",
        loud=True,
    ),
)


@dataclass(frozen=True, slots=True)
class TroubleRule:
    """What a kind of trouble is called."""

    status: str
    text: str
    loud: bool = False

    @property
    def meaning(self) -> type[Deferred] | type[Bounced]:
        """Give the outcome: all is temporary but what DNS is sure of."""
        return Bounced if self.status.startswith("5") else Deferred

    def reply(self, text: str) -> Reply:
        """Put it as a reply."""
        return Reply(550 if self.meaning is Bounced else 451, self.status, text)


TROUBLES: Mapping[Kind, TroubleRule] = {
    Kind.NO_SUCH_HOST: TroubleRule("4.4.3", "the hop's name cannot be resolved", loud=True),
    Kind.NO_ADDRESS: TroubleRule("5.4.4", "the mail exchanger has no address"),
    Kind.REFUSED: TroubleRule("4.4.1", "the hop refused the connection"),
    Kind.UNREACHABLE: TroubleRule("4.4.1", "the hop cannot be reached"),
    Kind.TIMED_OUT: TroubleRule("4.4.2", "the hop did not answer in time"),
    Kind.DROPPED: TroubleRule("4.4.2", "the hop closed the connection"),
    Kind.CERTIFICATE: TroubleRule("4.7.5", "the hop's certificate does not prove its name", loud=True),
    Kind.TLS: TroubleRule("4.7.5", "TLS with the hop failed", loud=True),
    Kind.NOT_OFFERED: TroubleRule("4.7.4", "the hop does not offer what the settings ask for", loud=True),
    Kind.PROTOCOL: TroubleRule("4.5.0", "the hop does not keep to SMTP", loud=True),
    Kind.LOCAL: TroubleRule("4.3.0", "the relay could not go on"),
    Kind.NOBODY: TroubleRule("4.5.0", "no recipient was accepted, so that the log copy was not sent"),
    Kind.UNKNOWN: TroubleRule("4.0.0", "something unexpected went wrong", loud=True),
}
LACKS: Mapping[Lack, TroubleRule] = {
    Lack.LITERAL: TroubleRule("5.1.2", "mail to an IP address instead of a domain is not sent from here"),
    Lack.NO_DOMAIN: TroubleRule("5.1.2", "there is no such domain"),
    Lack.NULL_MX: TroubleRule("5.1.10", "the domain takes no mail (null MX)"),
    Lack.LOOP: TroubleRule("5.4.6", "mail for the domain would come back to this relay (its best MX)"),
    Lack.UNANSWERED: TroubleRule("4.4.3", "DNS does not answer for the domain"),
    Lack.NO_RESOLVER: TroubleRule(
        "4.3.5", "this machine knows no name server; see upstream.resolver", loud=True
    ),
}
PACED = "paced by the settings of the route"
MAY_ARRIVE_TWICE = "after the final dot: the message may arrive twice"


def classify(happening: Happening, hop: Hop, *, dsn: bool = True) -> Outcome:
    """Give the outcome of a delivery that this happened to; `dsn`: whether the hop offers DSN."""
    match happening:
        case Answered(stage, reply):
            return _of_answer(stage, reply, hop, dsn)
        case Trouble():
            rule = TROUBLES[happening.kind]
            return rule.meaning(rule.reply(describe(happening, hop)), hop.shown)
        case Declined(reply):
            return Bounced(reply, hop.shown)
        case Paced(_, seconds):
            paced = Reply(451, "4.4.5", describe(happening, hop))
            return Deferred(paced, hop.shown, retry_after=seconds, attempted=False)
        case _:
            assert_never(happening)


def classify_no_way(no_way: NoWay) -> Outcome:
    """Give the outcome of deliveries to a domain that no host takes mail for."""
    rule = LACKS[no_way.lack]
    tail = f": {no_way.detail}" if no_way.detail else ""
    return rule.meaning(rule.reply(f"{no_way.domain}: {rule.text}{tail}"), "")


def _of_answer(stage: Stage, reply: Reply, hop: Hop, dsn: bool) -> Outcome:
    if stage is Stage.END and reply.code // 100 == 2:  # the first rule, and nearly always the one
        return Sent(reply, hop.shown, hop_reports=dsn)
    rule = _rule(stage, reply, hop.exchanger)
    if rule.meaning is Sent:
        return Sent(reply, hop.shown, hop_reports=dsn)
    asked = wait_asked_for(reply.text) if rule.meaning is Deferred else None
    if rule.why:
        reply = Reply(reply.code, reply.status, f"{rule.why}: {reply.text}" if reply.text else rule.why)
    return Deferred(reply, hop.shown, asked) if rule.meaning is Deferred else Bounced(reply, hop.shown)


def _rule(stage: Stage, reply: Reply, exchanger: bool) -> AnswerRule:
    return next(
        rule
        for rule in ANSWERS
        if stage in rule.stages and (exchanger or not rule.exchangers) and rule.fits(reply)
    )


def describe(happening: Happening, hop: Hop) -> str:
    """Say in plain words what happened, and where."""
    match happening:
        case Answered(stage, reply):
            return f"{hop} answered {stage.value}: {reply}"
        case Trouble(stage, kind, detail):
            where = MAY_ARRIVE_TWICE if _in_doubt(happening) else f"at {stage.value}"
            tail = f": {detail}" if detail else ""
            return f"{TROUBLES[kind].text} ({hop}, {where}){tail}"
        case Declined(reply):
            return str(reply)
        case Paced(limit):
            return f"{PACED}: {limit}"
        case _:
            assert_never(happening)


def _in_doubt(trouble: Trouble) -> bool:
    return trouble.stage is Stage.END and trouble.kind is not Kind.LOCAL


def needs_somebody(happening: Happening, hop: Hop) -> bool:
    """Tell whether the settings of the site or of the hop must be changed before it can go on.

    Never for somebody else's mail exchanger: nobody here can mend that.
    """
    if hop.exchanger:
        return isinstance(happening, Trouble) and happening.kind in (Kind.LOCAL, Kind.UNKNOWN)
    match happening:
        case Answered(stage, reply):
            return _rule(stage, reply, False).loud
        case Trouble(stage, kind, _):
            # What the relay itself lacks for a connection is a secret or a CA: nobody but the site can mend it.
            return TROUBLES[kind].loud or (kind is Kind.LOCAL and stage in SETTING_UP)
        case Declined() | Paced():
            return False
        case _:
            assert_never(happening)


def is_of_the_hop(happening: Happening) -> bool:
    """Tell whether this says something about the hop rather than about one message."""
    return isinstance(happening, Answered | Trouble) and happening.stage in SETTING_UP


def leaves_it_to_others(happening: Happening) -> bool:
    """Tell whether the next mail exchanger of the domain may still take it in the same attempt (RFC 5321 §5.1).

    That is trouble before anything of the message was answered, and 4yz to MAIL.
    """
    match happening:
        case Answered(Stage.MAIL, reply):
            return reply.code // 100 == 4
        case Trouble(Stage.MAIL, _):
            return True
        case Answered() | Trouble():
            return happening.stage in SETTING_UP and not _is_ours(happening)
        case Declined() | Paced():
            return False
        case _:
            assert_never(happening)


def _is_ours(happening: Happening) -> bool:
    return isinstance(happening, Trouble) and happening.kind is Kind.LOCAL


def wants_another_transaction(happening: Happening) -> bool:
    """Tell whether the hop only said that there were too many recipients in one transaction (RFC 5321 §4.5.3.1.10)."""
    if not isinstance(happening, Answered) or happening.stage is not Stage.RCPT:
        return False
    return happening.reply.status.endswith(".5.3") or (
        happening.reply.code == 552 and not happening.reply.status
    )


def is_refusal_of_one(happening: Happening) -> bool:
    """Tell whether this one recipient was refused for good, and not the message or all of them."""
    return (
        isinstance(happening, Answered) and happening.stage is Stage.RCPT and happening.reply.code // 100 == 5
    )


def log_copy_of_nobody(copy: Outcome, *, own_refusal: bool) -> Outcome:
    """Give the outcome of a log copy of mail of which every recipient was refused for good.

    Nobody received the mail, so there is nothing to log; a log copy that was refused for itself keeps that outcome.
    """
    if isinstance(copy, Deferred) or (isinstance(copy, Bounced) and not own_refusal):
        return Skipped(NOBODY_RECEIVED_IT)
    return copy


def table() -> Iterator[tuple[str, str, str]]:
    """Give the table for people: what happened, the outcome, and how it is told."""
    for rule in ANSWERS:
        stages = (
            "any stage"
            if rule.stages == frozenset(Stage)
            else ", ".join(s.value for s in Stage if s in rule.stages)
        )
        yield f"{rule.answer} at {stages}", rule.meaning.__name__, rule.why or "the hop's own words"
    for kind, trouble in TROUBLES.items():
        yield f"no answer: {kind.value}", trouble.meaning.__name__, str(trouble.reply(trouble.text))
    for lack, missing in LACKS.items():
        yield f"kind mx: {lack.value}", missing.meaning.__name__, str(missing.reply(missing.text))
    yield "the route's own limits on pace", Deferred.__name__, f"451 4.4.5 {PACED}; this is no attempt"
    yield (
        "the hop lacks SIZE room, 8BITMIME or SMTPUTF8",
        Bounced.__name__,
        "5.3.4, 5.6.3, 5.6.7 or 5.6.9, unsent",
    )
