"""How SQLite goes about the statements that mail waits for: none of them may look at the whole history or queue."""

import re
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from relay.maillog import store as maillog
from relay.queue import ending, listing, operations, settling, store, survey
from relay.queue.model import State
from relay.queue.selection import OPEN, Selection, where
from relay.salesforce import doubt_store
from relay.storage.connection import LAST_ID, connect
from relay.storage.migrate import migrate, migrations
from relay.web import amiss, center, sent_mail
from relay.web.pages import diagnostics

QUEUE = where(Selection(sender="ana@*"), OPEN)[0]
EVENTS_SINCE = "id > ? AND id >= ? AND at >= ?"


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[apsw.Connection]:
    """Give a database without statistics, as every installation has it."""
    path: Path = tmp_path_factory.mktemp("plans") / "relay.db"
    path.touch()
    opened = connect(path)
    migrate(opened, migrations())
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("sql", "steps"),
    [
        (LAST_ID.format(table="delivery"), ["SEARCH delivery"]),
        (LAST_ID.format(table="event"), ["SEARCH event"]),
        (store.DUE, ["SEARCH delivery USING INDEX delivery_due (transport=? AND next_attempt_at<?)"]),
        (store.NEXT_DUE, ["SEARCH delivery USING INDEX delivery_due (transport=?)"]),
        (store.PULL_IN, ["SEARCH delivery USING INDEX delivery_due (transport=? AND next_attempt_at>?)"]),
        (store.CLAIM, ["SEARCH delivery USING INDEX delivery_of_message (message=?)"]),
        (store.RECIPIENTS, ["SEARCH delivery USING INDEX delivery_of_message (message=?)"]),
        (settling.SETTLE.format(marks="?, ?"), ["SEARCH delivery USING INTEGER PRIMARY KEY (rowid=?)"]),
        (store.SPOOL_NAMES, ["SEARCH content USING COVERING INDEX content_spooled (spool_name>?)"]),
        (
            store.OLD_CONTENT,
            [
                "SEARCH content USING INTEGER PRIMARY KEY (rowid<?)",
                "SEARCH message USING INTEGER PRIMARY KEY (rowid=?)",
            ],
        ),
        (doubt_store.DUE, ["SEARCH record_doubt USING INDEX record_doubt_due (look_at<?)"]),
        (store.OLD_MESSAGES, ["SEARCH message USING INTEGER PRIMARY KEY (rowid<?)"]),
        (ending.STATES.format(marks="?, ?"), ["SEARCH delivery USING INDEX delivery_of_message (message=?)"]),
        (ending.CLOSE.format(marks="?, ?"), ["SEARCH message USING INTEGER PRIMARY KEY (rowid=?)"]),
        (ending.FORGET_CONTENT.format(marks="?, ?"), ["SEARCH content USING INTEGER PRIMARY KEY (rowid=?)"]),
        (
            operations.MOVE.format(states="'queued', 'deferred'"),
            ["SEARCH delivery USING INTEGER PRIMARY KEY (rowid=?)"],
        ),
        (
            listing.LIST.format(conditions=QUEUE),
            [
                "SEARCH m USING INDEX message_open (closed_at=?)",
                "SEARCH d USING INDEX delivery_of_message (message=?)",
            ],
        ),
        (
            listing.COUNT.format(conditions=QUEUE),
            [
                "SEARCH m USING INDEX message_open (closed_at=?)",
                "SEARCH d USING INDEX delivery_of_message (message=?)",
            ],
        ),
        (
            listing.STANDING,
            [
                "SEARCH m USING COVERING INDEX message_open (closed_at=?)",
                "SEARCH d USING INDEX delivery_of_message (message=?)",
                "USE TEMP B-TREE FOR GROUP BY",
            ],
        ),
        (
            survey.WHY.format(conditions=QUEUE),
            [
                "SEARCH m USING INDEX message_open (closed_at=? AND rowid>? AND rowid<?)",
                "SEARCH d USING INDEX delivery_of_message (message=?)",
                "USE TEMP B-TREE FOR GROUP BY",
            ],
        ),
        (maillog.OF_MESSAGE, ["SEARCH event USING INDEX event_of_message (message=?)"]),
        (
            maillog.SELECT.format(conditions=EVENTS_SINCE),
            ["SEARCH event USING INTEGER PRIMARY KEY (rowid>?)"],
        ),
    ],
)
def test_a_statement_goes_by_its_index(connection: apsw.Connection, sql: str, steps: list[str]) -> None:
    """Each is a search by the index named, with no sorting beside it but that of a slice of the survey."""
    marks = (None,) * sql.count("?")
    plan = [str(row[3]) for row in connection.execute("EXPLAIN QUERY PLAN " + sql, marks).fetchall()]
    assert plan == steps


@pytest.mark.parametrize("sql", [store.GIVE_BACK_OWN, store.GIVE_BACK_OTHERS])
def test_recovery_walks_the_open_messages_only(connection: apsw.Connection, sql: str) -> None:
    """The start after a crash does not read years of history."""
    plan = [str(row[3]) for row in connection.execute("EXPLAIN QUERY PLAN " + sql, (None,)).fetchall()]
    assert "SEARCH delivery USING INDEX delivery_of_message (message=?)" in plan
    assert "SEARCH message USING COVERING INDEX message_open (closed_at=?)" in plan
    assert not [step for step in plan if step.startswith("SCAN")]


@pytest.mark.parametrize(
    "sql",
    [
        *(sent_mail.LISTED.format(chosen=one) for one in (sent_mail.OF_REP, sent_mail.OF_ALL, sent_mail.ONE)),
        *(
            each.format(those=those)
            for each in (amiss.CHOSEN, amiss.COUNT)
            for those in (amiss.OF_FEW, amiss.OF_MANY, amiss.OF_ALL)
        ),
        amiss.ARE_FEW,
        center.ALL_FOLLOW_UPS,
        diagnostics.RECIPIENTS.format(marks="?, ?"),
    ],
)
def test_a_list_of_the_page_walks_no_table(connection: apsw.Connection, sql: str) -> None:
    """Mail, deliveries, records and reminders are found by their indexes, whatever the history holds."""
    marks = (None,) * max(map(int, re.findall(r"\?(\d)", sql)), default=sql.count("?"))
    plan = [str(row[3]) for row in connection.execute("EXPLAIN QUERY PLAN " + sql, marks).fetchall()]
    walked = [step for step in plan if re.match(r"SCAN (message|delivery|record|reminder)\b", step)]
    assert not walked


def test_a_claim_costs_the_same_in_a_long_queue(connection: apsw.Connection) -> None:
    """With a hundred times as many deliveries due SQLite takes as many steps to claim one message."""

    def steps_of_claim(first: int, deliveries: int) -> int:
        rows = [(first + n, 1_000 + n) for n in range(deliveries)]
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO delivery (message, role, transport, target, state, next_attempt_at, created_at) "
            f"VALUES (?, 'recipient', 'smtp', 'a@x.example', '{State.QUEUED}', ?, 0)",
            rows,
        )
        connection.execute("COMMIT")
        taken = 0

        def count() -> bool:
            nonlocal taken
            taken += 1
            return False

        connection.set_progress_handler(count, 10)
        message = connection.execute(store.DUE, ("smtp", 10**9, 1)).fetchall()[0][0]
        connection.execute(store.CLAIM, ("us", 1, "boot", message, "smtp", 10**9)).fetchall()
        connection.set_progress_handler(None)
        return taken

    assert steps_of_claim(1, 100) == steps_of_claim(1_000, 10_000)
