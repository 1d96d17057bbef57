"""*Diagnostics*: every mail that Salesforce did not take, or not yet, by category, with what it means and what happens next."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.responses import Response

from relay.delivery_kind import Role
from relay.ids import DeliveryId, QueueId, number_of
from relay.queue.rows import integer
from relay.salesforce.record_rows import RecordRow, RecordState
from relay.salesforce.store import RecordStore
from relay.storage.database import Transaction
from relay.storage.portions import execute_in
from relay.web.access import Access, Entry, PageRoute, get
from relay.web.asking import Ask
from relay.web.attention import Trouble
from relay.web.pages.attention import Listed, troubles_of
from relay.web.records import instance_of, record_link

RECIPIENTS = """
    SELECT id, (SELECT group_concat(target, ', ') FROM (SELECT target FROM delivery
            WHERE delivery.message = message.id AND role = 'recipient' ORDER BY id LIMIT 3)),
        (SELECT count(*) FROM delivery WHERE delivery.message = message.id AND role = 'recipient')
    FROM message WHERE id IN ({marks})
"""
"""Whom some messages went to: the first of them, and to how many."""
_NAMED = 3


@dataclass(frozen=True, slots=True)
class About:
    """Whom a mail went to, and what it is, or is to be, in Salesforce."""

    recipients: str
    beyond: int
    """How many recipients there are beyond those."""
    records: tuple[tuple[str, str, str], ...]
    """The object, the id and the address in Salesforce; the last two are "" for what is not made."""


def routes() -> Sequence[PageRoute]:
    """Give the routes; what can be done stands with *Needs attention*."""
    return (
        get("/diagnostics", diagnostics, Access.SIGNED_IN, entry=Entry("settings", "nav.diagnostics")),
        get("/diagnostics/list", show_list, Access.SIGNED_IN),
    )


async def diagnostics(ask: Ask) -> Response:
    """Show every trouble as a row: admins and auditors see everybody's."""
    listed = await troubles_of(ask, everybody=_everybody(ask))
    assert listed is not None, "no list is known to be there"
    return ask.render("diagnostics.html", 200, **await _values(ask, listed))


async def show_list(ask: Ask) -> Response:
    """Give the list alone, or 204 while it is what the browser has."""
    listed = await troubles_of(ask, everybody=_everybody(ask), known=ask.query("version"))
    if listed is None:
        return Response(status_code=204)
    return ask.render("diagnostics_list.html", 200, **await _values(ask, listed))


def _everybody(ask: Ask) -> bool:
    return ask.role in ("admin", "auditor")


async def _values(ask: Ask, listed: Listed) -> dict[str, object]:
    wanted, instance = ask.query("category"), instance_of(ask)
    found = [one for one in listed.found if not wanted or one.category == wanted]
    return {
        "listed": listed,
        "found": found,
        "about": await ask.house.database.read(lambda tx: _about(tx, found, instance)),
        "categories": Counter(one.category for one in listed.found),
        "wanted": wanted,
        "query": urlencode({"category": wanted} if wanted else {}),
        "everybody": _everybody(ask),
    }


def _about(tx: Transaction, found: Sequence[Trouble], instance: str) -> Mapping[DeliveryId, About]:
    """Tell it of each, in few statements however many there are."""
    messages = {number_of(one.delivery.message): one.delivery.message for one in found}
    sent_to: dict[QueueId, tuple[str, int]] = {
        messages[integer(number)]: (str(targets or "—"), max(integer(count) - _NAMED, 0))
        for number, targets, count in execute_in(tx, RECIPIENTS, (), list(messages))
    }
    records = RecordStore().of_deliveries(
        tx, [one.delivery.id for one in found if one.delivery.role is Role.RECORD]
    )
    return {
        one.delivery.id: About(
            *sent_to.get(one.delivery.message, ("—", 0)),
            _records(records.get(one.delivery.id, ()), _related(one), instance),
        )
        for one in found
    }


def _related(one: Trouble) -> Sequence[str]:
    return one.recording.related_to if one.recording else ()


def _records(
    rows: Sequence[RecordRow], named: Sequence[str], instance: str
) -> tuple[tuple[str, str, str], ...]:
    """Give the records that a mail came to or was to come to, then those that they stand on, each once."""
    own = [(row.object, row.salesforce_id or "" if row.state is RecordState.MADE else "") for row in rows]
    related = dict.fromkeys([*(one for row in rows for one in row.related), *named])
    told = [*own, *(("", one) for one in related)]
    return tuple((object, id, record_link(instance, id)) for object, id in dict.fromkeys(told))
