"""*Needs attention*: failed and unmatched mail of a rep, why, and what can be done about it, alone or in groups.

The list asks for itself again every second or two, as that of *Today* does; relay.js keeps it while somebody types in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import assert_never

from starlette.responses import Response

from relay.address import parse_mailbox
from relay.config.forms import glob_problem
from relay.delivery_kind import Role
from relay.errors import AddressError
from relay.ids import DeliveryId
from relay.outcome import Deferred
from relay.queue import by_hand
from relay.queue.by_hand import Act
from relay.queue.model import State
from relay.queue.selection import ListedDelivery, Selection
from relay.salesforce.asked_for import Asking
from relay.salesforce.exchange import SalesforceError
from relay.salesforce.model import Fault
from relay.salesforce.newcomers import is_made, make_lead
from relay.salesforce.store import RecordStore
from relay.storage.database import Transaction
from relay.web.access import Access, Entry, PageRoute, get, post
from relay.web.amiss import DISMISSED, MOST, Amiss, amiss
from relay.web.asking import Ask
from relay.web.attention import Trouble, grouped, troubles
from relay.web.changing import change_within, may_change
from relay.web.record_ids import record_id
from relay.web.reminding import today
from relay.web.sentences import in_english

_OPEN = (State.HELD, State.DEFERRED)
_OFTEN, _SELDOM = "1500ms", "6s"
_LONG = 100
"""Rows of everybody's mail: two hundred take a fortieth of a second of the loop that moves mail, not with each change."""


def routes() -> Sequence[PageRoute]:
    """Give the routes."""
    return (
        get("/attention", show, Access.SIGNED_IN, entry=Entry("main", "nav.attention")),
        get("/attention/list", show_list, Access.SIGNED_IN),
        post("/attention/retry", retry, Access.SIGNED_IN),
        post("/attention/dismiss", dismiss, Access.SIGNED_IN),
        post("/attention/relate", relate, Access.SIGNED_IN),
        post("/attention/lead", create_lead, Access.SIGNED_IN),
        post("/attention/ignore", ignore, Access.SIGNED_IN),
    )


@dataclass(frozen=True, slots=True)
class Listed:
    """What needs attention, less what was dismissed."""

    found: list[Trouble]
    cut: str
    """How many of how many these are, in words; "" when they are all."""
    version: str
    """What the list shows, by a name."""
    every: str
    """How often it asks for itself."""

    @property
    def waiting(self) -> int:
        """Count what waits for somebody."""
        return sum(one.waits_for_somebody for one in self.found)


async def troubles_of(ask: Ask, *, everybody: bool = False, known: str = "") -> Listed | None:
    """Give what needs attention, of who asks or of all; None when the browser has it already: what it has is `known`."""
    house, login = ask.house, None if everybody else ask.rep.login

    def read(tx: Transaction) -> tuple[Amiss, list[Trouble]] | None:
        shown = amiss(tx, login, ask.key, ask.now)
        if known and known == _version(ask, shown):
            return None
        return shown, troubles(tx, house.queue, shown.ids, ask.words.texts)

    given = await house.database.read(read)
    if given is None:
        return None
    shown, found = given
    every = _SELDOM if everybody and len(found) > _LONG else _OFTEN
    return Listed(found, _cut(ask, shown), _version(ask, shown), every)


def _version(ask: Ask, shown: Amiss) -> str:
    return f"{shown.version}-{today(ask)}"


def _cut(ask: Ask, shown: Amiss) -> str:
    if shown.total == len(shown.ids):
        return ""
    count = f"{ask.words.number(MOST)}+" if shown.total > MOST else ask.words.number(shown.total)
    return ask.words("attention.cut", shown=ask.words.number(len(shown.ids)), count=count)


async def show(ask: Ask) -> Response:
    """Show what waits for the rep, grouped by reason."""
    listed = await troubles_of(ask)
    assert listed is not None, "no list is known to be there"
    return ask.render("attention.html", 200, **_values(ask, listed))


async def show_list(ask: Ask) -> Response:
    """Give the list alone, or 204 while it is what the browser has."""
    listed = await troubles_of(ask, known=ask.query("version"))
    if listed is None:
        return Response(status_code=204)
    return ask.render("attention_list.html", 200, **_values(ask, listed))


def _values(ask: Ask, listed: Listed) -> dict[str, object]:
    return {
        "listed": listed,
        "groups": grouped(listed.found),
        "coming": [one for one in listed.found if not one.waits_for_somebody],
        "may_exclude": may_change(ask, "exclude"),
        "salesforce": ask.house.actions.salesforce() is not None,
    }


# What can be done


def _chosen(ask: Ask) -> tuple[DeliveryId, ...]:
    """Give the deliveries that the form names; whose they are is looked at where they are selected."""
    texts = [one for one in ask.fields("delivery") if one.isdecimal() and len(one) < 19]
    if not texts:
        raise ask.refuse()
    return tuple(DeliveryId(int(one)) for one in texts[:500])


async def _mine(ask: Ask, states: tuple[State, ...] = _OPEN) -> list[ListedDelivery]:
    """Give those of them that are this rep's log copies and records, in these states.

    Raises 404 when none is the rep's at all; that none is in these states any more is no fault: two tabs, two clicks.
    """
    selection = Selection(ids=_chosen(ask), login=ask.rep.login, states=tuple(State))
    listed = await ask.house.database.read(lambda tx: ask.house.queue.list(tx, selection, 500))
    found = [one for one in listed if one.role is not Role.RECIPIENT]
    if not found:
        raise ask.refuse()
    return [one for one in found if one.state in states]


def _back(ask: Ask, said: str) -> Response:
    return ask.redirect("/diagnostics" if ask.field("back") == "diagnostics" else "/attention", said=said)


async def retry(ask: Ask) -> Response:
    """Try one, or a whole group, again now."""
    chosen = await _mine(ask)
    await _release(ask, chosen)
    return _back(ask, "retried" if chosen else "too_late")


async def _release(ask: Ask, chosen: Sequence[ListedDelivery]) -> None:
    house = ask.house

    def unit(tx: Transaction) -> None:
        for act, state in ((by_hand.release(), State.HELD), (by_hand.retry(), State.DEFERRED)):
            ids = tuple(one.id for one in chosen if one.state is state)
            if ids:
                _carry_out(tx, ask, ids, act)

    await house.database.write(unit)
    house.actions.wake()


def _carry_out(tx: Transaction, ask: Ask, ids: tuple[DeliveryId, ...], act: Act) -> None:
    selection = Selection(ids=ids, login=ask.rep.login)
    changed = by_hand.carry_out(
        tx, ask.house.queue, ask.house.mail_log, selection, act, ask.rep.login, ask.now
    )
    for one in changed:
        ask.audit(tx, f"delivery.{act.verb}", one.message)


async def dismiss(ask: Ask) -> Response:
    """Show these no more; what is held is given up, and says so."""
    chosen = await _mine(ask, (*_OPEN, State.BOUNCED, State.EXPIRED))

    def unit(tx: Transaction) -> None:
        for one in chosen:
            ask.house.store.mark(tx, ask.key, DISMISSED, str(one.id), ask.now)
        held = tuple(one.id for one in chosen if one.state is State.HELD)
        if held:
            _carry_out(tx, ask, held, by_hand.cancel(ask.rep.login, in_english("dismissed")))

    await ask.house.database.write(unit)
    return _back(ask, "dismissed" if chosen else "too_late")


async def relate(ask: Ask) -> Response:
    """Have mail recorded on a record that the rep names by its id or by its address in Salesforce."""
    waiting = await _mine(ask)
    chosen = [one for one in waiting if one.role is Role.RECORD]
    target = record_id(ask.field("record", 300))
    if not waiting:
        return _back(ask, "too_late")
    if not target or not chosen:
        return _back(ask, "no_record_id")
    await _name(ask, chosen, target)
    return _back(ask, "related")


async def _name(ask: Ask, chosen: Sequence[ListedDelivery], target: str) -> None:
    """Keep the record that mail stands on, and have it recorded now."""

    def unit(tx: Transaction) -> None:
        for one in chosen:
            RecordStore().name(tx, one.id, one.message, one.login, [target], ask.now)
            ask.audit(tx, "record.related", one.message, record=target)

    await ask.house.database.write(unit)
    ids = [one.id for one in chosen]
    known = await ask.house.database.read(lambda tx: RecordStore().recordings(tx, ids))
    ask.house.actions.forget([address for row in known.values() for address in row.unmatched])
    await _release(ask, chosen)


async def create_lead(ask: Ask) -> Response:
    """Make a lead of somebody whom Salesforce does not know, and record the mail on it; asked twice, once."""
    client, address = ask.house.actions.salesforce(), ask.field("address", 320)
    await _mine(ask, tuple(State))
    if client is None:
        raise ask.refuse()
    by = Asking(ask.house.database, client, ask.house.clock)
    async with ask.house.leads.turn(address):
        # Looked at only now: who had the turn before may have made the lead, and had this mail recorded.
        chosen = await _of_nobody(ask, address)
        waiting = [one for one in chosen if one.state in _OPEN]
        if not waiting and not (chosen and await is_made(by, address)):
            raise ask.refuse()
        return _back(ask, await _lead_of(ask, by, address, waiting) if waiting else "lead_made")


async def _lead_of(ask: Ask, by: Asking, address: str, waiting: Sequence[ListedDelivery]) -> str:
    """Make a lead and have what waits recorded on it; give what is said of it."""
    try:
        rules = ask.house.configuration.settings.logging.match
        lead = await make_lead(by, rules, ask.rep, waiting[0].message, address)
    except SalesforceError:  # it was asked for before, and cannot be looked for
        return "lead_unsure"
    match lead:
        case Deferred():
            return "lead_unsure"
        case Fault():
            return "lead_failed"
        case str():
            await _name(ask, waiting, lead)
            return "lead_made"
        case _:
            assert_never(lead)


async def _of_nobody(ask: Ask, address: str) -> list[ListedDelivery]:
    """Give the chosen records, when an address that one of them went to is one that nobody has."""
    chosen = [one for one in await _mine(ask, tuple(State)) if one.role is Role.RECORD]
    ids = [one.id for one in chosen]
    known = await ask.house.database.read(lambda tx: RecordStore().recordings(tx, ids))
    return chosen if any(address in row.unmatched for row in known.values()) else []


async def ignore(ask: Ask) -> Response:
    """Leave mail to an address, or to a whole domain, out from now on, and give up what waits for it."""
    pattern = ask.field("pattern", 320).lower()
    try:
        parse_mailbox(pattern.replace("*", "x", 1), smtputf8=True)
    except AddressError:
        raise ask.refuse(400) from None
    if glob_problem(pattern) or pattern.count("*") > 1 or ("*" in pattern and not pattern.startswith("*@")):
        raise ask.refuse(400)
    chosen = await _mine(ask)
    await change_within(ask, "exclude", partial(_excluding, pattern))
    ids = tuple(one.id for one in chosen if one.state is State.HELD)
    reason = in_english("ignored", pattern=pattern)
    if ids:
        await ask.house.database.write(
            lambda tx: _carry_out(tx, ask, ids, by_hand.cancel(ask.rep.login, reason))
        )
    return _back(ask, "ignored")


def _excluding(pattern: str, kept: object) -> dict[str, list[str]]:
    """Add a pattern to what the rep excluded on the page so far."""
    lists: dict[str, list[str]] = dict(kept) if isinstance(kept, dict) else {}
    return {**lists, "recipients": list(dict.fromkeys([*lists.get("recipients", []), pattern]))}
