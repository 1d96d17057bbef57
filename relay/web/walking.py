"""Walk a mail from accepted to verified, one step after another: what came, what is awaited, what does not come and why."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from relay.config.model import Mode
from relay.delivery_kind import Role
from relay.policy.exclusions import INTERNAL
from relay.queue.model import State
from relay.queue.selection import FoundMessage, ListedDelivery
from relay.salesforce.client import SalesforceClient, SalesforceError, is_id
from relay.salesforce.faults_table import explanation
from relay.salesforce.record_rows import RecordRow, RecordState
from relay.salesforce.soql import literal
from relay.salesforce.store import RecordStore
from relay.storage.database import Transaction
from relay.web.asking import Ask
from relay.web.records import instance_of, record_link
from relay.web.sentences import plain

Verdict = Literal["ok", "wait", "skip", "warn", "bad"]
_LIMIT = 10.0
"""Seconds that Salesforce gets to answer while somebody looks on."""
_UNDER_WAY = (State.WAITING, State.QUEUED, State.ACTIVE, State.DEFERRED)


@dataclass(frozen=True, slots=True)
class Walked:
    """One step: accept, decide, deliver, log or verify."""

    name: str
    verdict: Verdict
    text: str
    advice: str = ""
    """What to do where the step does not come."""
    link: str = ""


async def walk(ask: Ask, message: FoundMessage) -> list[Walked]:
    """Give the five steps of a mail as they stand; Salesforce is asked once everything before has come."""
    taken = ask.words("walk.accepted", at=ask.moment(message.accepted_at), id=message.id)
    delivered, logged = _delivered(ask, message), _logged(ask, message)
    steps = [Walked("accept", "ok", taken), _decided(ask, message), delivered, logged]
    return [*steps, await _verified(ask, message, delivered, logged)]


def ended(steps: Sequence[Walked]) -> bool:
    """Tell whether nothing more is awaited."""
    return all(one.verdict != "wait" for one in steps)


def _logging(message: FoundMessage) -> ListedDelivery | None:
    return next((one for one in message.deliveries if one.role is not Role.RECIPIENT), None)


def _never(logging: ListedDelivery | None) -> bool:
    """Tell whether the decision itself was that nothing is logged."""
    return logging is None or (logging.state is State.SKIPPED and not logging.attempts)


def _decided(ask: Ask, message: FoundMessage) -> Walked:
    t, logging = ask.words, _logging(message)
    why, rule = plain(t, message.why), plain(t, message.rule)
    text = f"{why} · {rule}" if rule else why
    if not _never(logging):
        return Walked("decide", "ok", text)
    reason = logging.reason if logging else ""
    if message.mode == Mode.OFF:
        return Walked("decide", "skip", text, t("walk.advice_off"))
    if INTERNAL in message.why or INTERNAL in reason:
        return Walked("decide", "skip", text, t("walk.advice_internal"))
    if message.mode == Mode.BCC and ask.rep.email_to_salesforce is None:
        return Walked("decide", "bad", text, t("try.no_address_advice"))
    return Walked("decide", "skip", text, t("walk.advice_excluded"))


def _delivered(ask: Ask, message: FoundMessage) -> Walked:
    t = ask.words
    people = [one for one in message.deliveries if one.role is Role.RECIPIENT]
    lost = next((one for one in people if one.state in (State.BOUNCED, State.EXPIRED, State.CANCELLED)), None)
    if lost is not None:
        return Walked(
            "deliver", "bad", t("walk.not_delivered", reason=plain(t, lost.reason)), t("walk.advice_deliver")
        )
    held = next((one for one in people if one.state is State.HELD), None)
    if held is not None:
        return Walked("deliver", "bad", t("walk.held", reason=plain(t, held.reason)), t("walk.advice_held"))
    late = next((one for one in people if one.state is State.DEFERRED), None)
    if late is not None:
        again = t("walk.deferred", reason=plain(t, late.reason), at=ask.moment(late.next_attempt_at))
        return Walked("deliver", "wait", again, t("walk.advice_deferred"))
    if any(one.state in _UNDER_WAY for one in people):
        return Walked("deliver", "wait", t("walk.delivering"))
    return Walked("deliver", "ok", t("walk.delivered", to=", ".join(one.target for one in people)))


def _logged(ask: Ask, message: FoundMessage) -> Walked:
    t, one = ask.words, _logging(message)
    if one is None or _never(one):
        return Walked("log", "skip", t("walk.not_to_be_logged"))
    match one.state:
        case State.SENT:
            return Walked("log", "ok", t("walk.recorded" if one.role is Role.RECORD else "walk.copied"))
        case State.SKIPPED | State.CANCELLED:
            return Walked("log", "skip", plain(t, one.reason) or t("walk.not_to_be_logged"))
        case State.HELD | State.BOUNCED | State.EXPIRED:
            return Walked("log", "bad", plain(t, one.reason), t("walk.advice_log"))
        case State.DEFERRED:
            again = t("walk.deferred", reason=plain(t, one.reason), at=ask.moment(one.next_attempt_at))
            return Walked("log", "wait", again)
        case State.QUEUED if one.next_attempt_at is not None and one.next_attempt_at > ask.now:
            return Walked("log", "wait", t("walk.delayed", at=ask.moment(one.next_attempt_at)))
        case _:
            return Walked("log", "wait", t("walk.logging"))


async def _verified(ask: Ask, message: FoundMessage, delivered: Walked, logged: Walked) -> Walked:
    t = ask.words
    if logged.verdict == "wait" or (logged.verdict == "ok" and delivered.verdict == "wait"):
        return Walked("verify", "wait", t("walk.verify_later"))
    one = _logging(message)
    if logged.verdict != "ok" or one is None:
        return Walked("verify", "skip", t("walk.nothing_to_verify"))
    client = ask.house.actions.salesforce()
    if client is None:
        return Walked("verify", "skip", t("walk.cannot_verify"), t("walk.advice_copy"))
    try:
        async with asyncio.timeout(_LIMIT):
            if one.role is Role.RECORD:
                return await _record_verified(ask, client, one)
            return await _copy_verified(ask, client, message.message_id or "")
    except SalesforceError as error:
        return Walked("verify", "warn", t("walk.not_asked"), explanation(error.fault, t.texts))
    except TimeoutError:
        return Walked("verify", "warn", t("walk.not_asked"), t("try.late_advice"))


async def _record_verified(ask: Ask, client: SalesforceClient, one: ListedDelivery) -> Walked:
    """Look for the record that was made, by its id."""

    def read(tx: Transaction) -> list[RecordRow]:
        return RecordStore().of_deliveries(tx, [one.id])[one.id]

    made = [row for row in await ask.house.database.read(read) if row.state is RecordState.MADE]
    row = next((row for row in made if row.salesforce_id and is_id(row.salesforce_id)), None)
    if row is None:
        return Walked("verify", "skip", plain(ask.words, one.reason) or ask.words("walk.nothing_to_verify"))
    soql = f"SELECT Id FROM {row.object} WHERE Id = {literal(row.salesforce_id or '')}"  # noqa: S608 - a literal
    if await client.query(soql):
        return _seen(ask, row.salesforce_id or "")
    return Walked("verify", "bad", ask.words("walk.gone"), ask.words("walk.advice_gone"))


async def _copy_verified(ask: Ask, client: SalesforceClient, message_id: str) -> Walked:
    """Look for the email that Salesforce made of the log copy, by its Message-ID, with and without angle brackets."""
    forms = ", ".join(literal(one) for one in (message_id, message_id.strip("<>")))
    rows = await client.query(f"SELECT Id FROM EmailMessage WHERE MessageIdentifier IN ({forms}) LIMIT 1")  # noqa: S608 - literals
    if rows:
        return _seen(ask, str(rows[0].get("Id") or ""))
    return Walked("verify", "warn", ask.words("walk.not_seen"), ask.words("walk.advice_copy"))


def _seen(ask: Ask, record: str) -> Walked:
    return Walked("verify", "ok", ask.words("walk.seen"), link=record_link(instance_of(ask), record))
