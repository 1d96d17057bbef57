"""Explain what the relay would do with a mail, step by step and with the rule of each, without sending anything.

Pure. `relay explain`, `relay test` and the page's Try form show the same; relay.salesforce.planning adds the records.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from relay.address import Address, comparable_any_case, parse_mailbox
from relay.config.model import Mode
from relay.delivery_kind import Role
from relay.directory.model import BccAddress, Rep
from relay.envelope import Envelope, Recipient, reverse_path_text
from relay.errors import AddressError
from relay.ids import QueueId
from relay.message import Header, from_mailboxes, message_id, read_header, subject, values
from relay.policy.acceptable import sender_fault
from relay.policy.decision import Accept, PlannedDelivery, Refuse, bcc_policy, decide
from relay.policy.exclusions import find_exclusion, recipient_exclusion
from relay.policy.rules import Rules
from relay.queue.model import State
from relay.salesforce.capturing import logging_of
from relay.salesforce.mime_fields import mailboxes
from relay.salesforce.model import NO_CONTROLS, Controls, MessageFacts, ToldRecipient
from relay.salesforce.recipients import address_key

Verdict = Literal["ok", "no", "info"]
Outcome = Literal["refused", "log", "skipped", "given"]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was looked at."""

    title: str
    verdict: Verdict
    text: str
    rule: str = ""
    """The rule and where it stands, such as "logging.mode (config.yaml:12)"."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A mail that is not sent, only explained."""

    header: Header
    rep: Rep
    sender: Address | None
    recipients: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that is decided about a mail when it is submitted."""

    outcome: Outcome
    """log: a log copy or a record would be made; given: the rep's own copy to the CRM is it."""
    mode: Mode
    reply: str
    """The reply that refuses it; "" when it is taken."""
    why: str
    rule: str
    steps: tuple[Step, ...]
    deliveries: tuple[PlannedDelivery, ...] = ()
    looked_up: tuple[str, ...] = ()
    """The recipients that a record would be related to, as far as the rules go."""


def tried(wire: bytes, rep: Rep, recipients: Sequence[str] = (), sender: str | None = None) -> Tried:
    """Take a mail to be explained; recipients and sender are those of its header when they are not given.

    Raises AddressError for one that is no mail address.
    """
    header = read_header(wire)
    texts = recipients or _named(header, ("to", "cc", "bcc"))
    addresses = tuple(parse_mailbox(one, smtputf8=True) for one in texts)
    authors = from_mailboxes(header).addresses
    origin = authors[0] if authors else rep.addresses[0]
    return Tried(header, rep, parse_mailbox(sender, smtputf8=True) if sender else origin, addresses)


def _named(header: Header, names: Sequence[str]) -> list[str]:
    texts = [value.decode("utf-8", "replace") for name in names for value in values(header, name)]
    found = dict.fromkeys(box.address for text in texts for box in mailboxes(text))
    return [one for one in found if _is_address(one)]


def _is_address(text: str) -> bool:
    try:
        parse_mailbox(text, smtputf8=True)
    except AddressError:
        return False
    return True


def explain(mail: Tried, rules: Rules, signed_bcc: Literal["refuse", "keep"] = "refuse") -> Explanation:
    """Explain the decision about a mail that its rep submits, signed in."""
    mine = rules.of(mail.rep)
    envelope = Envelope(mail.sender, tuple(Recipient(one) for one in mail.recipients))
    steps = [_rep_step(mail.rep), _sender_step(mail, envelope, rules)]
    signed = bcc_policy(mail.header, signed_bcc)
    if isinstance(signed, Refuse):
        steps.append(Step("blind copies", "no", "a DKIM signature covers the Bcc field", signed.rule))
        return _refused(signed, mine.mode, steps)
    decision = decide(envelope, mail.header, mail.rep, rules)
    if isinstance(decision, Refuse):
        return _refused(decision, mine.mode, steps)
    excluded = _exclusion_step(mail, rules)
    steps += [excluded, Step("mode", "info", f"{mine.mode}", mine.mode_rule)]
    steps += [_recipient_step(one, mail, rules) for one in decision.deliveries if one.role is Role.RECIPIENT]
    outcome = _outcome(decision)
    steps.append(Step("decision", "ok" if outcome in ("log", "given") else "no", decision.why, decision.rule))
    return Explanation(
        outcome,
        decision.mode,
        "",
        decision.why,
        decision.rule,
        tuple(steps),
        tuple(map(_masked, decision.deliveries)),
        _looked_up(decision, mail, rules),
    )


def _looked_up(decision: Accept, mail: Tried, rules: Rules) -> tuple[str, ...]:
    """Give who is looked up: nobody excluded, and blind copies only where they are recorded."""
    named = {address_key(one) for one in _named(mail.header, ("to", "cc"))}
    blind = logging_of(rules.build.settings.logging, mail.rep).capture.bcc_recipients
    return tuple(
        one.target
        for one in decision.deliveries
        if one.role is Role.RECIPIENT
        and not one.skipped
        and (blind or address_key(one.target) in named)
        and not is_left_out(one.target, mail.rep, rules)
    )


def is_left_out(address: str, rep: Rep, rules: Rules) -> bool:
    """Say whether a recipient is internal or excluded, so that nobody is looked up by the address."""
    try:
        form = comparable_any_case(parse_mailbox(address, smtputf8=True))
    except AddressError:
        return False
    return recipient_exclusion(rules.of(rep).exclusions, form) is not None


def facts_of(
    mail: Tried, explanation: Explanation, now: int, controls: Controls = NO_CONTROLS
) -> MessageFacts:
    """Give the facts of the mail as if it had been delivered to everybody just now."""
    told = tuple(
        ToldRecipient(one.target, State.SENT, now)
        for one in explanation.deliveries
        if one.role is Role.RECIPIENT and not one.skipped
    )
    return MessageFacts(
        message=QueueId("0000000000000"),
        login=mail.rep.login,
        rep=mail.rep,
        accepted_at=now,
        sent_at=now,
        message_id=message_id(mail.header),
        subject=subject(mail.header),
        recipients=told,
        mode=explanation.mode,
        controls=controls,
    )


def _rep_step(rep: Rep) -> Step:
    text = f"{rep.login} is disabled: sign-in is refused" if rep.disabled else f"{rep.login}"
    return Step("rep", "no" if rep.disabled else "ok", text, rep.origin)


def _sender_step(mail: Tried, envelope: Envelope, rules: Rules) -> Step:
    fault = sender_fault(envelope, mail.header, rules.of(mail.rep).acceptable, signed_in=True)
    if fault is None:
        sender = reverse_path_text(mail.sender) or "<>"
        return Step("sender", "ok", f"{sender} is acceptable", "")
    return Step("sender", "no", fault.reason, rules.sender_rule)


def _exclusion_step(mail: Tried, rules: Rules) -> Step:
    senders = [
        comparable_any_case(one) for one in (mail.sender, *from_mailboxes(mail.header).addresses) if one
    ]
    recipients = [comparable_any_case(one) for one in mail.recipients]
    found = find_exclusion(rules.of(mail.rep).exclusions, senders, recipients, mail.header)
    if found is None:
        return Step("exclusions", "ok", "none applies to the mail", "logging.exclude")
    return Step("exclusions", "no", found.reason, found.rule)


def _recipient_step(one: PlannedDelivery, mail: Tried, rules: Rules) -> Step:
    if one.skipped:
        return Step("recipient", "info", f"{one.target}: not forwarded: {one.skipped}", one.rule)
    form = comparable_any_case(parse_mailbox(one.target, smtputf8=True))
    found = recipient_exclusion(rules.of(mail.rep).exclusions, form)
    if found is None:
        return Step("recipient", "info", f"{one.target}: forwarded", "")
    return Step("recipient", "info", f"{one.target}: forwarded, not looked up: {found.reason}", found.rule)


def _outcome(decision: Accept) -> Outcome:
    logged = [one for one in decision.deliveries if one.role is not Role.RECIPIENT]
    if any(not one.skipped and one.role is Role.RECORD for one in logged):
        return "log"
    copies = [one for one in logged if not one.skipped]
    if not copies:
        return "skipped"
    return "log" if decision.why.endswith("log copy added") else "given"


def _masked(one: PlannedDelivery) -> PlannedDelivery:
    if one.role is not Role.LOG_COPY or not one.target:
        return one
    return PlannedDelivery(
        one.role, one.transport, str(BccAddress(one.target)), one.notify, one.orcpt, one.skipped, one.rule
    )


def _refused(refusal: Refuse, mode: Mode, steps: list[Step]) -> Explanation:
    reply = str(refusal.reply)
    steps.append(Step("decision", "no", reply, refusal.rule))
    return Explanation("refused", mode, reply, reply, refusal.rule, tuple(steps))
