"""Whatever was done before and after the switch was turned, what stood here before is never sent by itself."""

from collections.abc import Sequence
from datetime import date

import apsw
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.reminders.links import Context, LinkStore
from relay.reminders.model import Link, ReminderId, RemoteTask, RepKey, State, SubjectRule, Values
from relay.reminders.outgoing import OutgoingStore
from relay.reminders.store import Edit, NewReminder, ReminderStore, Wanted
from relay.reminders.switches import SwitchStore
from relay.storage.connection import SqliteTransaction
from relay.storage.migrate import migrate, migrations

ANA = RepKey("ana")
STORE, SWITCHES, OUTGOING, LINKS = ReminderStore(), SwitchStore(), OutgoingStore(), LinkStore()
FAR = 2**60

ACTS = st.lists(
    st.tuples(
        st.sampled_from(["add", "title", "done", "due", "delete", "off", "on", "pull"]), st.integers(0, 9)
    ),
    max_size=25,
)


def _transaction() -> SqliteTransaction:
    connection = apsw.Connection(":memory:")
    migrate(connection, migrations())
    return SqliteTransaction(connection)


def _ids(tx: SqliteTransaction) -> list[ReminderId]:
    return [one.id for one in STORE.list(tx, Wanted(ANA, tuple(State)))]


@settings(max_examples=60, deadline=None)
@given(ACTS)
def test_what_stood_here_before_is_never_sent(acts: Sequence[tuple[str, int]]) -> None:
    """A reminder that was never in Salesforce is sent only when it was made while the switch was on, since."""
    tx = _transaction()
    on, made_since = False, set[ReminderId]()
    context = Context({"005": ANA}, {ANA: "005"}, SubjectRule.BOTH, 0, 0)
    for now, (act, number) in enumerate(acts, 1):
        ids = _ids(tx)
        some = ids[number % len(ids)] if ids else None
        match act:
            case "add":
                made = STORE.add(tx, NewReminder(ANA, f"Reminder {now}"), on=on, now=now)
                if on:
                    made_since.add(made.id)
            case "on" | "off":
                on = act == "on"
                if SWITCHES.turn(tx, ANA, on, now) and on:
                    made_since.clear()
            case "pull":
                LINKS.absorb(
                    tx, [RemoteTask(f"00T{number}", "005", Values(f"Task {now}"), now, now)], context
                )
            case "title" if some is not None:
                STORE.edit(tx, some, Edit(title=f"Edited {now}"), now)
            case "done" if some is not None:
                STORE.edit(tx, some, Edit(state=State.DONE), now)
            case "due" if some is not None:
                STORE.edit(tx, some, Edit(due=date(2026, 11, 30)), now)
            case "delete" if some is not None:
                STORE.delete(tx, some, now)
        new = {
            one.id
            for one in OUTGOING.due(tx, {ANA: "005000000000001AAA"}, FAR, 1000)
            if one.salesforce_id is None
        }
        if on:
            assert new <= made_since
            for one in STORE.list(tx, Wanted(ANA, tuple(State))):
                if one.salesforce_id is None and one.id not in made_since:
                    assert one.link is Link.NEVER_PUSH
