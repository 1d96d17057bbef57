"""*Queue*: what waits, by destination and age and by reason with what helps; for admins also in bulk, after a typed word."""

from collections.abc import Mapping, Sequence

from starlette.responses import Response

from relay.ids import DeliveryId
from relay.queue import by_hand
from relay.queue.by_hand import Act
from relay.queue.model import State
from relay.queue.operations import SLICE
from relay.queue.selection import Selection
from relay.queue.survey import AGES, By, Causes, Shape, go_through
from relay.storage.database import Transaction
from relay.web.access import Access, Entry, PageRoute, get, post
from relay.web.asking import Ask
from relay.web.attention import advice_of

_ROWS = 100
_GROUPS = 20
_SLICES = 200
"""Slices that one request changes at most; a page says when there is more."""
VERBS = ("retry", "hold", "release", "cancel")


def routes() -> Sequence[PageRoute]:
    """Give the routes."""
    return (
        get("/admin/queue", show, Access.OVERSIGHT, entry=Entry("admin", "nav.queue")),
        post("/admin/queue/change", change, Access.ADMIN),
    )


async def show(ask: Ask) -> Response:
    """Show the queue as it is selected."""
    selection = selection_of(ask.request.query_params)
    causes, shape = Causes(selection), Shape(By.DOMAIN, ask.now, selection, lambda own, sender, domain: "")
    await go_through(ask.house.database, causes)
    await go_through(ask.house.database, shape)
    listed = await ask.house.database.read(lambda tx: ask.house.queue.list(tx, selection, _ROWS))
    return ask.render(
        "admin_queue.html",
        200,
        causes=causes.largest(_GROUPS),
        advice=lambda play: advice_of(play, ask.words.texts),
        ages=AGES,
        shape=shape.largest(_GROUPS),
        listed=listed,
        chosen={name: ask.query(name) for name in ("to", "from", "state", "reason")},
        states=[state for state in State if state.value in ("waiting", "queued", "deferred", "held")],
        verbs=VERBS,
        may_change=ask.role == "admin",
        full=len(listed) == _ROWS,
    )


def selection_of(told: Mapping[str, str]) -> Selection:
    """Read a selection out of a form or a link; what was left empty selects everything."""

    def text(name: str) -> str | None:
        return told.get(name, "").strip()[:320] or None

    states = {state.value: state for state in State}
    state = states.get(told.get("state", ""))
    ids = told.get("delivery", "")
    return Selection(
        ids=(DeliveryId(int(ids)),) if ids.isdecimal() and len(ids) < 19 else (),
        sender=text("from"),
        recipient=text("to"),
        states=() if state is None else (state,),
        reason=text("reason"),
    )


async def change(ask: Ask) -> Response:
    """Retry, hold, release or cancel what is selected; more than one delivery only after its verb was typed."""
    told = {name: ask.field(name) for name in ("to", "from", "state", "reason", "delivery")}
    selection, verb = selection_of(told), ask.field("verb")
    if verb not in VERBS:
        raise ask.refuse(400)
    if not selection.ids and ask.field("confirm").lower() != verb:
        return ask.redirect("/admin/queue", said="type_the_verb")
    count = await _carry_out(ask, selection, _act(verb, ask))
    if count:
        ask.house.actions.wake()
    return ask.redirect("/admin/queue", said="changed" if count else "nothing_changed")


def _act(verb: str, ask: Ask) -> Act:
    by, because = ask.rep.login, ask.field("because", 200)
    match verb:
        case "retry":
            return by_hand.retry(because)
        case "hold":
            return by_hand.hold(by, because)
        case "release":
            return by_hand.release(because)
        case _:
            return by_hand.cancel(by, because)


async def _carry_out(ask: Ask, selection: Selection, act: Act) -> int:
    house, count = ask.house, 0

    def unit(tx: Transaction) -> int:
        changed = by_hand.carry_out(tx, house.queue, house.mail_log, selection, act, ask.rep.login, ask.now)
        if changed:
            ask.audit(tx, f"queue.{act.verb}", "queue", deliveries=len(changed))
        return len(changed)

    for _ in range(_SLICES):
        some = await house.database.write(unit)
        count += some
        if some < SLICE:
            break
    return count
