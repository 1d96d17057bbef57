"""The queue at a glance: counted by age and destination, and by reason."""

from dataclasses import replace

import pytest

from relay.queue.model import State
from relay.queue.selection import Selection
from relay.queue.store import QueueStore
from relay.queue.survey import AGES, OTHERS, By, Causes, Shape, go_through
from relay.storage.database import Database
from tests.store.test_queue_store import US, accept, ended, settle
from tests.support.builders import (
    LOG_COPY_ADDRESS,
    NOW,
    envelope,
    log_copy,
    new_message,
    record,
    to_recipient,
)

MINUTE = 60_000_000


def shape(by: By = By.DOMAIN, selection: Selection | None = None) -> Shape:
    """Give an empty count; every domain of y.test goes by route y."""
    return Shape(
        by, NOW, selection or Selection(), lambda own, sender, domain: "y" if domain == "y.test" else "main"
    )


async def fill(database: Database, store: QueueStore) -> None:
    """Fill a queue: x.test and y.test at several ages, a log copy, a record, the relay's own mail."""
    for minutes, target in [(1, "a@x.test"), (6, '"b@c"@X.TEST'), (70, "d@y.test"), (5000, "e@x.test")]:
        at = NOW - minutes * MINUTE
        await accept(database, store, to_recipient(target), message=new_message(accepted_at=at))
    old = new_message(accepted_at=NOW - 15 * MINUTE, login=None, envelope=envelope(None))
    await accept(database, store, to_recipient("f@y.test"), message=old)
    mail = new_message(accepted_at=NOW - 30 * MINUTE, login=None)
    await accept(database, store, log_copy(), record(), message=mail)


@pytest.mark.parametrize("size", [1, 2, 1000])
async def test_ages_by_domain(database: Database, store: QueueStore, size: int) -> None:
    """Each delivery stands in one column, domains in one case; a quoted @ is no domain; log copies have no name."""
    await fill(database, store)
    counted = shape()
    await go_through(database, counted, size)
    assert counted.rows == {
        "x.test": [1, 1, 0, 0, 0, 0, 0, 0, 0, 1],
        "y.test": [0, 0, 1, 0, 1, 0, 0, 0, 0, 0],
        "(log copies)": [0, 0, 0, 1, 0, 0, 0, 0, 0, 0],
        "(records)": [0, 0, 0, 1, 0, 0, 0, 0, 0, 0],
    }
    assert counted.largest(1) == [("x.test", counted.rows["x.test"])]
    assert counted.total() == [1, 1, 1, 2, 1, 0, 0, 0, 0, 1]
    assert len(counted.total()) == len(AGES) + 1


@pytest.mark.parametrize(
    ("by", "rows"),
    [
        (By.ROUTE, {"main": 4, "y": 2, "salesforce": 1}),
        (By.USER, {"ana": 4, "(the relay)": 1, "(no rep)": 2}),
        (By.REASON, {"(queued)": 6, "(waiting)": 1}),
    ],
)
async def test_other_rows(database: Database, store: QueueStore, by: By, rows: dict[str, int]) -> None:
    """By route as the settings pick it, by rep, and by reason."""
    await fill(database, store)
    counted = shape(by)
    await go_through(database, counted)
    assert {name: sum(ages) for name, ages in counted.rows.items()} == rows


async def test_what_is_final_is_not_counted(database: Database, store: QueueStore) -> None:
    """Neither closed messages nor the deliveries of open ones that are done."""
    done, _ = await accept(database, store, to_recipient("a@x.test"), to_recipient("b@x.test"), under=US)
    await settle(database, store, done.message, ended(done, State.SENT))
    counted = shape()
    await go_through(database, counted)
    assert {name: sum(ages) for name, ages in counted.rows.items()} == {"x.test": 1}


async def test_a_selection_narrows_the_shape(database: Database, store: QueueStore) -> None:
    """The selectors of the other commands hold here, too."""
    await fill(database, store)
    counted = shape(selection=Selection(domain="y.*"))
    await go_through(database, counted)
    assert list(counted.rows) == ["y.test"]
    counted = shape(selection=Selection(login="ana"))  # type: ignore[arg-type]
    await go_through(database, counted)
    assert {name: sum(ages) for name, ages in counted.rows.items()} == {"x.test": 3, "y.test": 1}


async def test_the_number_of_rows_is_bounded(
    database: Database, store: QueueStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A queue to a million domains does not fill the memory: what comes late is counted together."""
    monkeypatch.setattr("relay.queue.survey.MOST_GROUPS", 2)
    await accept(database, store, *(to_recipient(f"a@d{n}.test") for n in range(5)))
    counted = shape()
    await go_through(database, counted)
    assert {name: sum(ages) for name, ages in counted.rows.items()} == {"d0.test": 1, "d1.test": 1, OTHERS: 3}
    causes = Causes(Selection())
    causes.add_rows(
        [("deferred", "recipient", "smtp", f"45{n} {'x' * n}", "d.test", 1, NOW, NOW) for n in range(5)]
    )
    assert max((cause.count, cause.reason) for cause in causes.largest(9)) == (3, OTHERS)


async def test_what_waits_is_grouped_by_its_reason(database: Database, store: QueueStore) -> None:
    """Reasons that differ only in numbers are one, with the oldest, the next attempt and the destinations."""
    due = NOW + 7 * MINUTE
    for number, target in enumerate(["a@x.test", "b@x.test", "c@y.test"]):
        at = NOW - number * MINUTE
        (given,) = await accept(
            database, store, to_recipient(target), message=new_message(accepted_at=at), under=US
        )
        reason = f"451 4.7.1 Greylisted for {number}0 seconds"
        change = replace(ended(given, State.DEFERRED, due + number), reason=reason)
        await settle(database, store, given.message, change)
    await accept(database, store, log_copy())
    causes = Causes(Selection())
    await go_through(database, causes)
    first, second = causes.largest(10)
    assert (first.count, first.state, first.play.kind) == (3, State.DEFERRED, "greylisting")
    assert first.reason == "451 4.7.1 Greylisted for … seconds"
    assert first.example.startswith("451 4.7.1 Greylisted for ")
    assert (first.oldest, first.next_attempt_at) == (NOW - 2 * MINUTE, due)
    assert first.destinations == {"x.test": 2, "y.test": 1}
    assert (second.count, second.play.kind, second.reason) == (1, "due", "")
    assert list(second.destinations) == ["(log copies)"]
    assert LOG_COPY_ADDRESS not in repr(causes)
