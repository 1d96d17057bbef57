"""Decide what happens to one submitted message: refuse it, or plan its deliveries.

Pure. Given the same submission, rep and rules, the answer is the same.
Refusing an unacceptable sender is RFC 6409 §6.1 and §6.3 (550 5.7.1).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

from relay import status
from relay.address import Address, comparable, comparable_any_case
from relay.config.model import Mode
from relay.delivery_kind import Role, Transport
from relay.directory.model import Rep, mask_address
from relay.envelope import Envelope, Recipient
from relay.message import Header, bcc_ranges, from_mailboxes, received_count, received_tokens, signed_fields
from relay.policy.acceptable import SenderFault, envelope_fault, sender_fault
from relay.policy.controls import (
    ASKED_FOR_PRIVATE,
    NO_BODY_IN_COPIES,
    NOTHING,
    Asked,
    asked_by,
    is_control,
    shown_to_all,
    told,
    unknown_among,
)
from relay.policy.exclusions import Exclusion, find_exclusion
from relay.policy.rules import RepRules, Rules
from relay.status import Reply
from relay.values import quick

NOT_A_REP = Exclusion("the sender is not a rep", "users")
GIVEN = "the sender gave the log copy's address as a recipient"
CAME_ROUND = "the mail came round: this relay has had it before"
NOBODY_TO_LOG = "nobody but log addresses is written to"
SALESFORCE = "salesforce"
"""The target of a record."""
_CAME_ROUND = Exclusion(CAME_ROUND, "loop protection")
_NULL_PATH = Exclusion("automated mail: its reverse-path is null", "new mail only")


@quick
@dataclass(frozen=True, slots=True)
class PlannedDelivery:
    """One target of a message that is about to be accepted."""

    role: Role
    transport: Transport
    target: str
    """The forward-path as given; "" where there is nobody to send to (skipped: not a rep)."""
    notify: str | None = None
    """NOTIFY to send on; NEVER for a log copy."""
    orcpt: str | None = None
    skipped: str = ""
    """Why nothing is done for this target, in plain words; "" when it is to be delivered."""
    rule: str = ""
    """The rule that planned it and where it stands: "logging.exclude.recipients.0 (config.yaml:31)"."""


@quick
@dataclass(frozen=True, slots=True)
class Accept:
    """The message is taken."""

    deliveries: tuple[PlannedDelivery, ...]
    mode: Mode
    why: str
    """The decision in plain words: "1 recipient, log copy added"."""
    rule: str
    """The rule that decided, and where it stands."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """The message is not taken; this is the answer."""

    reply: Reply
    rule: str


Decision = Accept | Refuse


def check_sender(reverse_path: Address | None, rep: Rep, rules: Rules) -> Refuse | None:
    """Say at MAIL whether the envelope sender is refused; None: it is taken (RFC 6409 §6.1)."""
    if rules.forward_unacceptable:
        return None
    fault = envelope_fault(reverse_path, rules.of(rep).acceptable)
    return Refuse(fault.reply, rules.sender_rule) if fault else None


def rep_of(envelope: Envelope, header: Header, by_address: Callable[[Address], Rep | None]) -> Rep | None:
    """Give the rep whose mail a gateway brings: by the envelope sender, then by the header's From.

    From counts only where it can be read in one way, and its first address alone.
    """
    rep = by_address(envelope.reverse_path) if envelope.reverse_path is not None else None
    if rep is not None:
        return rep
    authors = from_mailboxes(header)
    return by_address(authors.addresses[0]) if authors.addresses and not authors.problem else None


def shown_recipients(recipients: Sequence[Recipient], rules: Rules) -> tuple[str, ...]:
    """Give the forward-paths as events and pages may show them: every rep's log copy address is masked."""
    return tuple(
        mask_address(str(one.address))
        if comparable_any_case(one.address) in rules.log_copies
        else str(one.address)
        for one in recipients
    )


def masked_text(text: str, rules: Rules) -> str:
    """Give what somebody wrote as events and logs may show it: every rep's log copy address in it is masked."""
    lower = text.lower()
    for address in rules.log_copies:
        if address in lower:
            text = re.sub(re.escape(address), mask_address(address), text, flags=re.IGNORECASE)
    return text


def bcc_policy(
    header: Header, setting: Literal["refuse", "keep"], rule: str = "limits.signed_bcc"
) -> tuple[tuple[int, int], ...] | Refuse:
    """Give the octet ranges of Bcc and Resent-Bcc that must not be sent on, or the refusal of a signed one.

    A field that a DKIM signature covers cannot go without breaking it: such mail is refused, or the field kept.
    """
    ranges = bcc_ranges(header)
    if not ranges:
        return ()
    signed = signed_fields(header)
    covered = {(field.start, field.end) for field in header.fields if field.name in signed}
    if setting == "refuse" and not covered.isdisjoint(ranges):
        return Refuse(status.SIGNED_BCC, rule)
    return tuple(one for one in ranges if one not in covered)


def decide(
    envelope: Envelope, header: Header, rep: Rep | None, rules: Rules, *, signed_in: bool = True
) -> Decision:
    """Decide about one message whose data has come in whole.

    `rep` None: gateway mail of nobody we know. `signed_in` False: the rep was told by a gateway, whose mail is
    not refused for its sender but forwarded without being logged. Every forward-path becomes one delivery, and
    whatever becomes of the logging is one more; nothing else is ever planned. The order of the rules is that
    of docs/policy.md.
    """
    if received_count(header) > rules.received_hops:
        return Refuse(status.LOOP, rules.received_rule)
    mine = rules.of(rep) if rep is not None else None
    fault = sender_fault(envelope, header, mine.acceptable, signed_in=signed_in) if mine else None
    if fault and signed_in and not rules.forward_unacceptable:
        return Refuse(fault.reply, rules.sender_rule)
    if rules.control_domain and (refuse := _control_refused(envelope, header, rules)) is not None:
        return refuse
    came_round = received_tokens(header, rules.hostname) > 0
    targets = _targets(envelope.recipients, rules, mine, came_round=came_round)
    if mine is None:
        return _accept(targets, Mode.OFF, NOT_A_REP, _skipped(Role.LOG_COPY, NOT_A_REP))
    asked = _asked(envelope, rules)
    before = _reason_before(fault, rules, asked, came_round=came_round)
    return _log(envelope, header, mine, targets, before, asked, rules.control_rule)


def _control_refused(envelope: Envelope, header: Header, rules: Rules) -> Refuse | None:
    """Refuse control addresses that everybody would see, and those that nobody understands."""
    domain = rules.control_domain
    if shown := shown_to_all(header, domain):
        return Refuse(status.CONTROL_SHOWN.fill(address=shown[0], field=shown[1]), rules.control_rule)
    if unknown := unknown_among((str(one.address) for one in envelope.recipients), domain):
        return Refuse(status.CONTROL_UNKNOWN.fill(address=unknown), rules.control_rule)
    return None


def _asked(envelope: Envelope, rules: Rules) -> Asked:
    if not rules.control_domain:
        return NOTHING
    return asked_by((str(one.address) for one in envelope.recipients), rules.control_domain)


@dataclass(frozen=True, slots=True)
class _Target:
    """One distinct forward-path: its comparable form, and the delivery planned for it."""

    form: str
    delivery: PlannedDelivery

    @property
    def written_to(self) -> bool:
        """Tell whether somebody gets the mail by it: neither a log copy nor a control address."""
        return self.delivery.role is Role.RECIPIENT and not self.delivery.skipped


def _kept_private(one: _Target, rule: str) -> _Target:
    if one.delivery.role is Role.RECIPIENT or one.delivery.skipped:
        return one
    return _Target(one.form, _skipped(Role.LOG_COPY, Exclusion(ASKED_FOR_PRIVATE, rule)))


def _targets(
    recipients: Sequence[Recipient], rules: Rules, mine: RepRules | None, *, came_round: bool
) -> list[_Target]:
    """Plan one delivery for each forward-path; the same one given twice is one (the first counts)."""
    own = mine.log_copy_form if mine else ""
    distinct: dict[str, Recipient] = {}
    for recipient in recipients:
        form = comparable_any_case(recipient.address)
        copy = form == own or form in rules.log_copies  # one target, however its case is written
        distinct.setdefault(form if copy else comparable(recipient.address), recipient)
    return [_target(one, rules, own, came_round=came_round) for one in distinct.values()]


def _target(recipient: Recipient, rules: Rules, own: str, *, came_round: bool) -> _Target:
    form = comparable_any_case(recipient.address)
    text = str(recipient.address)
    if rules.control_domain and is_control(form, rules.control_domain):
        why = told(text)
        asking = PlannedDelivery(
            Role.RECIPIENT, Transport.SMTP, text, notify="NEVER", skipped=why, rule=rules.control_rule
        )
        return _Target(form, asking)
    if form != own and form not in rules.log_copies:
        plain = PlannedDelivery(Role.RECIPIENT, Transport.SMTP, text, recipient.notify, recipient.orcpt)
        return _Target(form, plain)
    if came_round:  # the address leads back here: sending it out once more would never end
        return _Target(form, _skipped(Role.LOG_COPY, _CAME_ROUND))
    return _Target(form, _log_copy(text, GIVEN))


def _log_copy(target: str, rule: str) -> PlannedDelivery:
    return PlannedDelivery(Role.LOG_COPY, Transport.SMTP, target, notify="NEVER", rule=rule)


def _record(rule: str) -> PlannedDelivery:
    return PlannedDelivery(Role.RECORD, Transport.SALESFORCE, SALESFORCE, rule=rule)


def _skipped(role: Role, why: Exclusion) -> PlannedDelivery:
    transport = Transport.SALESFORCE if role is Role.RECORD else Transport.SMTP
    return PlannedDelivery(role, transport, "", skipped=why.reason, rule=why.rule)


def _reason_before(
    fault: SenderFault | None, rules: Rules, asked: Asked, *, came_round: bool
) -> Exclusion | None:
    """Give what rules logging out before anybody's exclusions are asked."""
    if fault:
        return Exclusion(f"sender not acceptable: {fault.reason}", rules.sender_rule)
    if came_round:
        return _CAME_ROUND
    return Exclusion(ASKED_FOR_PRIVATE, rules.control_rule) if asked.private else None


def _log(
    envelope: Envelope,
    header: Header,
    mine: RepRules,
    targets: list[_Target],
    before: Exclusion | None,
    asked: Asked,
    control_rule: str,
) -> Accept:
    """Add what becomes of the logging of a rep's mail."""
    if asked.private:  # also a copy that the rep's mail client adds by itself
        targets = [_kept_private(one, control_rule) for one in targets]
    given = next((one.delivery for one in targets if one.form == mine.log_copy_form), None)
    if given:
        why = Exclusion(given.skipped or GIVEN, given.rule)
        # The mail must not stand in the CRM twice: the copy that the rep asked for is the record.
        record = _skipped(Role.RECORD, why) if mine.mode is Mode.API else None
        return _accept(targets, mine.mode, why, record)
    excluded = None if before or mine.mode is Mode.OFF else _exclusion(envelope, header, mine, targets, asked)
    why = before or excluded or _by_mode(mine)
    if not why.reason and asked.headers_only and mine.mode is Mode.BCC:
        why = Exclusion(NO_BODY_IN_COPIES, control_rule)
    if why.reason:
        return _accept(targets, mine.mode, why, _skipped(_role(mine.mode), why))
    if _role(mine.mode) is Role.LOG_COPY:
        return _accept(targets, mine.mode, why, _log_copy(mine.log_copy, why.rule))
    if not any(one.written_to for one in targets):
        why = Exclusion(NOBODY_TO_LOG, why.rule)
        return _accept(targets, mine.mode, why, _skipped(Role.RECORD, why))
    return _accept(targets, mine.mode, why, _record(why.rule))


def _role(mode: Mode) -> Role:
    return Role.RECORD if mode in (Mode.API, Mode.OBSERVE) else Role.LOG_COPY


def _exclusion(
    envelope: Envelope, header: Header, mine: RepRules, targets: list[_Target], asked: Asked
) -> Exclusion | None:
    if envelope.reverse_path is None:
        return _NULL_PATH
    if asked.log:
        return None
    recipients = [one.form for one in targets if one.written_to]
    senders: list[str] = []
    if any(layer.senders for layer in mine.exclusions):
        authors = from_mailboxes(header).addresses
        senders = [comparable_any_case(one) for one in (envelope.reverse_path, *authors)]
    return find_exclusion(mine.exclusions, senders, recipients, header)


def _by_mode(mine: RepRules) -> Exclusion:
    """Say why the mode itself keeps a mail from being logged; a reason of "" means a log copy or a record."""
    match mine.mode:
        case Mode.BCC if mine.log_copy:
            return Exclusion("", mine.mode_rule)
        case Mode.BCC:
            return Exclusion(mine.log_copy_problem, mine.log_copy_rule)
        case Mode.API | Mode.OBSERVE:
            return Exclusion("", mine.mode_rule)
        case Mode.OFF:
            return Exclusion("logging is off", mine.mode_rule)
        case never:
            assert_never(never)


_LOGGED = {
    Mode.BCC: "log copy added",
    Mode.API: "to be recorded in Salesforce",
    Mode.OBSERVE: "observed only: nothing is written to Salesforce",
    Mode.OFF: "not logged",
}
"""What becomes of mail that nothing rules out, by mode."""


def _accept(targets: list[_Target], mode: Mode, why: Exclusion, more: PlannedDelivery | None) -> Accept:
    """Put the plan together, and say it in plain words."""
    deliveries = [one.delivery for one in targets]
    number = sum(one.written_to for one in targets)
    people = "1 recipient" if number == 1 else f"{number} recipients"
    logging = f"not logged: {why.reason}" if why.reason else _LOGGED[mode]
    if why.reason == GIVEN:
        logging = "log copy given by the sender"
    if more is not None:
        deliveries.append(more)
    return Accept(tuple(deliveries), mode, f"{people}, {logging}", why.rule)
