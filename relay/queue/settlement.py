"""Turn the outcomes of one attempt into what the store is told: changes, events, and who must be told.

Pure. A log copy is masked in every event, and its address is taken out of whatever a hop said about it; it never
counts among those whose sender is told (design: only recipients cause reports).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from relay.delivery_kind import Role
from relay.directory.model import mask_address
from relay.ids import DeliveryId, QueueId
from relay.maillog.events import (
    DeliveryBounced,
    DeliveryDeferred,
    DeliveryEnded,
    DeliveryExpired,
    DeliveryHeld,
    DeliverySent,
    DeliverySkipped,
    Event,
    MessageClosed,
    ReportUndeliverable,
)
from relay.outcome import NOBODY_RECEIVED_IT, Bounced, Deferred, Held, Outcome, Sent, Skipped
from relay.queue.model import Change, Closing, Delivery, QueuedMessage, State
from relay.queue.report import Action, Reported, one_line
from relay.queue.retry import Done, GiveUp, Hold, NextStep, TryAt, next_step
from relay.queue.rules import RunnerRules
from relay.queue.selection import ListedDelivery
from relay.status import Reply
from relay.values import quick

NO_ANSWER = Deferred(
    Reply(451, "4.0.0", "The delivery agent gave no answer; this is a fault of the relay"), ""
)
BROKEN = Deferred(Reply(451, "4.0.0", "The delivery agent failed; this is a fault of the relay"), "")
TOO_LONG = Deferred(Reply(451, "4.4.2", "The attempt took too long and was broken off"), "")
UNREADABLE = Deferred(Reply(451, "4.3.0", "The content cannot be read from the store now"), "")

Companions = Mapping[DeliveryId, frozenset[DeliveryId]]
"""Of each log copy, the recipients of its transaction; one that does not stand here was with all."""
ALL_TOGETHER: Companions = {}

TOLD_AT_ONCE = 1000
"""Recipients in one report, so that it stays a mail that every hop takes."""

_EVENTS: dict[State, type[DeliveryEnded]] = {
    State.SENT: DeliverySent,
    State.BOUNCED: DeliveryBounced,
    State.EXPIRED: DeliveryExpired,
    State.SKIPPED: DeliverySkipped,
    State.HELD: DeliveryHeld,
}


@dataclass(frozen=True, slots=True)
class Telling:
    """What the sender is to be told, in one report."""

    action: Action
    recipients: tuple[Reported, ...]


@quick
@dataclass(frozen=True, slots=True)
class Settlement:
    """What the store is told of one attempt."""

    changes: list[Change]
    events: list[Event]
    tellings: tuple[Telling, ...]


@quick
@dataclass(frozen=True, slots=True)
class _Ended:
    """One delivery, what its attempt came to, and what follows."""

    delivery: Delivery
    outcome: Outcome
    step: NextStep
    state: State
    next_attempt_at: int | None
    said: str
    hop: str


def settlement_of(
    message: QueuedMessage,
    deliveries: Sequence[Delivery],
    outcomes: Mapping[DeliveryId, Outcome],
    rules: RunnerRules,
    now: int,
    chance: float,
    secrets: Sequence[str] = (),
    companions: Companions = ALL_TOGETHER,
) -> Settlement:
    """Give what the store is told. A delivery without an outcome counts as deferred.

    `secrets`: the addresses of log copies that are settled apart.
    """
    copies = [one.target for one in deliveries if one.role is Role.LOG_COPY]
    masked = [*copies, *secrets]
    ended = [_ended(one, outcomes.get(one.id, NO_ANSWER), masked, rules, now, chance) for one in deliveries]
    if copies:
        ended = _log_copies_with_recipients(ended, outcomes, companions)
    events = _events(ended, message, now)
    if message.envelope.reverse_path is None:
        events.extend(_untold(ended, message, now))
        return Settlement([_change(one, False) for one in ended], events, ())
    tellings, warned = _tellings(ended, rules, now)
    return Settlement([_change(one, one.delivery.id in warned) for one in ended], events, tellings)


def _ended(
    delivery: Delivery, outcome: Outcome, secrets: list[str], rules: RunnerRules, now: int, chance: float
) -> _Ended:
    step = next_step(
        outcome,
        attempts=delivery.attempts,
        created_at=delivery.created_at,
        rule=rules.retry.of(delivery.role),
        now=now,
        chance=chance,
    )
    said = step.reason if step.reason.isprintable() else one_line(step.reason)
    for secret in secrets:
        said = without_secret(said, secret)
    return _Ended(delivery, outcome, step, *_state_after(step), said, _hop_of(outcome))


def _log_copies_with_recipients(
    ended: list[_Ended], outcomes: Mapping[DeliveryId, Outcome], companions: Companions
) -> list[_Ended]:
    """Have a log copy that was deferred together with recipients go again when they do.

    On a schedule of its own it could reach the CRM before anybody was sent the mail, and it would be a second
    submission where one transaction is one Sent copy and one unit of quota.
    """
    again = {
        one.delivery.id: one.next_attempt_at
        for one in ended
        if one.delivery.role is Role.RECIPIENT and one.next_attempt_at is not None
    }
    if not again:
        return ended
    sent = any(isinstance(outcome, Sent) for outcome in outcomes.values())
    return [
        _going_with(one, again, companions.get(one.delivery.id), sent)
        if one.delivery.role is Role.LOG_COPY and one.next_attempt_at is not None
        else one
        for one in ended
    ]


def _going_with(
    copy: _Ended, again: Mapping[DeliveryId, int], companions: frozenset[DeliveryId] | None, sent: bool
) -> _Ended:
    """Have a log copy go again with its companions; with others as long as nobody has the mail, unless it went apart."""
    instants = [at for key, at in again.items() if companions is None or key in companions]
    if companions and not instants and not sent:
        instants = list(again.values())
    return replace(copy, next_attempt_at=min(instants)) if instants else copy


def without_secret(text: str, secret: str) -> str:
    """Mask an address wherever it stands in a text, in any case."""
    if not secret or secret.lower() not in text.lower():
        return text
    return re.sub(re.escape(secret), lambda _: mask_address(secret), text, flags=re.IGNORECASE)


def shown_target(delivery: Delivery) -> str:
    """Give a delivery's target as events may show it."""
    return mask_address(delivery.target) if delivery.role is Role.LOG_COPY else delivery.target


def _hop_of(outcome: Outcome) -> str:
    match outcome:
        case Sent() | Deferred() | Bounced():
            return outcome.hop
        case Held() | Skipped():
            return ""
        case _:
            assert_never(outcome)


def _change(ended: _Ended, warned: bool) -> Change:
    delivery = ended.delivery
    return Change(
        delivery=delivery.id,
        fence=delivery.fence,
        state=ended.state,
        next_attempt_at=ended.next_attempt_at,
        reason=ended.said,
        attempted=_attempted(ended.outcome),
        delay_warned=warned or delivery.delay_warned,
    )


def _attempted(outcome: Outcome) -> bool:
    return not isinstance(outcome, Deferred) or outcome.attempted


def _state_after(step: NextStep) -> tuple[State, int | None]:
    match step:
        case Done(state=state) | GiveUp(state=state):
            return state, None
        case TryAt(at=at):
            return State.DEFERRED, at
        case Hold():
            return State.HELD, None
        case _:
            assert_never(step)


def _events(ended: Sequence[_Ended], message: QueuedMessage, now: int) -> list[Event]:
    """Give one event for all the deliveries that share role, reply, hop and what follows."""
    groups: dict[tuple[object, ...], list[_Ended]] = {}
    for one in ended:
        key = (one.delivery.role, one.said, one.hop, one.delivery.attempts, one.state, one.next_attempt_at)
        groups.setdefault(key, []).append(one)
    return [_event(group, message, now) for group in groups.values()]


def _event(group: Sequence[_Ended], message: QueuedMessage, now: int) -> Event:
    first = group[0]
    targets = tuple(shown_target(one.delivery) for one in group)
    attempt = first.delivery.attempts + _attempted(first.outcome)
    role = first.delivery.role.value
    if first.next_attempt_at is not None:
        return DeliveryDeferred(
            at=now,
            message=message.id,
            role=role,
            targets=targets,
            reply=first.said,
            hop=first.hop,
            attempt=attempt,
            next_attempt_at=first.next_attempt_at,
        )
    return _EVENTS[first.state](
        at=now,
        message=message.id,
        role=role,
        targets=targets,
        reply=first.said,
        hop=first.hop,
        attempt=attempt,
    )


def _tellings(
    ended: Sequence[_Ended], rules: RunnerRules, now: int
) -> tuple[tuple[Telling, ...], frozenset[DeliveryId]]:
    """Give the reports that are due, and the deliveries whose delay is told in one of them."""
    told: dict[Action, list[Reported]] = {}
    warned: set[DeliveryId] = set()
    for one in ended:
        action = _action(one, rules, now)
        if action is None or one.delivery.role is not Role.RECIPIENT:
            continue
        told.setdefault(action, []).append(_reported(one, action))
        if action is Action.DELAYED:
            warned.add(one.delivery.id)
    return tuple(
        Telling(action, tuple(who[start : start + TOLD_AT_ONCE]))
        for action, who in told.items()
        for start in range(0, len(who), TOLD_AT_ONCE)
    ), frozenset(warned)


def _action(ended: _Ended, rules: RunnerRules, now: int) -> Action | None:
    """Give what the sender is told of one delivery, if anything (RFC 3461 §4.1, §5.2)."""
    notify = ended.delivery.notify
    match ended.step:
        case Done(state=State.BOUNCED) | GiveUp():
            return Action.FAILED if notify is None or "FAILURE" in notify else None
        case Done(state=State.SENT):
            asked = notify is not None and "SUCCESS" in notify
            passed_on = isinstance(ended.outcome, Sent) and not ended.outcome.hop_reports
            return Action.RELAYED if asked and passed_on else None
        case TryAt():
            late = rules.warn_after is not None and now - ended.delivery.created_at >= rules.warn_after
            asked = notify is None or "DELAY" in notify
            return Action.DELAYED if late and asked and not ended.delivery.delay_warned else None
        case Done() | Hold():
            return None
        case _:
            assert_never(ended.step)


def _reported(ended: _Ended, action: Action) -> Reported:
    return Reported(
        address=ended.delivery.target,
        orcpt=ended.delivery.orcpt,
        status=_status(ended, action),
        reply=ended.said,
        hop=ended.hop,
        expired=isinstance(ended.step, GiveUp),
    )


def _status(ended: _Ended, action: Action) -> str:
    """Give the enhanced code that fits the action: a hop without RFC 2034 gives none."""
    given = ended.outcome.reply.status if isinstance(ended.outcome, Sent | Deferred | Bounced) else ""
    expected = {Action.RELAYED: "2.0.0", Action.DELAYED: "4.0.0", Action.FAILED: "5.0.0"}[action]
    if isinstance(ended.step, GiveUp):
        expected = "4.4.7"
    return given if given[:2] == expected[:2] else expected


def _untold(ended: Sequence[_Ended], message: QueuedMessage, now: int) -> list[Event]:
    """Give the event for failures that nobody can be told of, since the reverse-path is null (RFC 3461 §5.2).

    NOTIFY has no say here: the relay's own reports forbid reports about them, and an admin must still look.
    """
    failed = [
        one.delivery.target
        for one in ended
        if one.delivery.role is Role.RECIPIENT and one.state in (State.BOUNCED, State.EXPIRED)
    ]
    if not failed:
        return []
    reason = "not delivered, and the sender is the null path: nobody can be told"
    return [ReportUndeliverable(at=now, message=message.id, recipients=tuple(failed), reason=reason)]


def copies_skipped(message: QueueId, skipped: Sequence[tuple[Role, str]], now: int) -> list[Event]:
    """Give the events for log copies and records of mail that nobody received; none when there are none."""
    return [
        DeliverySkipped(
            at=now,
            message=message,
            role=role.value,
            targets=(mask_address(target) if role is Role.LOG_COPY else target,),
            reply=NOBODY_RECEIVED_IT,
            hop="",
            attempt=0,
        )
        for role, target in skipped
    ]


def given_up(record: ListedDelivery, now: int) -> Event:
    """Give the event for a record that was held until its time was over."""
    return DeliveryExpired(
        at=now,
        message=record.message,
        role=record.role.value,
        targets=(record.target,),
        reply=record.reason,
        hop="",
        attempt=record.attempts,
    )


def closed(message: QueueId, closing: Closing, now: int) -> MessageClosed:
    """Give the line that tells the whole story of a message."""
    return MessageClosed(
        at=now,
        message=message,
        login=closing.login,
        sent=closing.sent,
        failed=closing.failed,
        logged=closing.logged,
        seconds=max(now - closing.accepted_at, 0) / 1_000_000,
    )
