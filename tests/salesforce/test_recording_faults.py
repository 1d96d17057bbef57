"""Whatever Salesforce does, no record is made twice, none is missing, and nothing is silent."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from relay.demo.salesforce import faults
from relay.demo.salesforce.faults import Action, Injected
from relay.demo.salesforce.simulator import Simulator
from relay.queue.model import State
from relay.queue.selection import Selection
from relay.salesforce.record_rows import RecordState
from tests.support.recording_house import OUT, RecordingHouse, recording_house
from tests.support.salesforce import WatchedSimulator, people
from tests.support.salesforce import salesforce as salesforce


def once(house: RecordingHouse, count: int = 1) -> None:
    """Each mail is in Salesforce once, with its sender."""
    made = house.salesforce.rows("EmailMessage")
    assert len(made) == len({row["MessageIdentifier"] for row in made}) == count
    senders = [
        row for row in house.salesforce.rows("EmailMessageRelation") if row["RelationType"] == "FromAddress"
    ]
    assert len(senders) == count


WRITE_FAULTS: dict[str, Callable[..., Injected]] = {
    "503": faults.unavailable,
    "unknown": faults.unknown,
    "maintenance": faults.maintenance,
    "reset before": lambda **more: Injected(Action.RESET_BEFORE, **more),
    "reset after commit": lambda **more: Injected(Action.RESET_AFTER_COMMIT, **more),
    "truncated": lambda **more: Injected(Action.TRUNCATE, **more),
    "answered 503 after commit": lambda **more: Injected(Action.ANSWER_AFTER, status=503, **more),
    "bad gateway": lambda **more: Injected(
        Action.ANSWER_AFTER, status=502, body=faults.HTML.format("Bad Gateway"), **more
    ),
    "too many at once": faults.too_many_at_once,
}


@pytest.mark.parametrize("fault", sorted(WRITE_FAULTS))
async def test_the_creation_fails(tmp_path: Path, salesforce: Simulator, fault: str) -> None:
    """The call that makes the record fails, done or not: the next attempt looks, and the mail is there once."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, start=False) as house:
        salesforce.inject(WRITE_FAULTS[fault](path=r"/composite/?$", nth=2))
        house.start()
        message = await house.accept()
        found = await house.tried(message)
        assert "Salesforce" in found.reason
        assert await house.events(message, "log.failed")
        house.later(1000)
        house.try_now()
        await house.recorded(message)
        once(house)


async def test_a_timeout(tmp_path: Path, salesforce: Simulator) -> None:
    """The answer does not come in time, but the record is made: it is found."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, start=False, more="  timeout: 3s\n") as house:
        salesforce.inject(Injected(Action.SLOW, path=r"/composite/?$", nth=2, seconds=30.0))
        house.start()
        message = await house.accept()
        await house.tried(message)
        house.later(60)
        await house.recorded(message)
        once(house)


async def test_made_after_nobody_waited_any_more(tmp_path: Path, salesforce: Simulator) -> None:
    """Salesforce goes on with a call that was given up: tried at once by hand, the mail still is there once."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, start=False, more="  timeout: 8s\n") as house:
        salesforce.inject(Injected(Action.LATE, path=r"/composite/?$", nth=2, seconds=600.0))
        house.start()
        message = await house.accept()
        await house.tried(message)
        await house.database.write(
            lambda tx: house.queue.retry(tx, Selection(message=message), house.clock.now())
        )
        house.try_now()
        async with asyncio.timeout(30):
            while "not known yet" not in (await house.delivery(message)).reason:  # noqa: ASYNC110 - it is in the store
                await asyncio.sleep(0.01)
        assert (await house.row(message)).state is RecordState.STARTED
        salesforce.advance(timedelta(seconds=600))
        async with asyncio.timeout(30):
            while not salesforce.rows("EmailMessage"):  # noqa: ASYNC110 - it is in another thread
                await asyncio.sleep(0.01)
        house.later(60)
        await house.recorded(message)
        once(house)


async def test_the_session_expires_in_the_middle(tmp_path: Path, salesforce: Simulator) -> None:
    """A dead token is renewed once, and nobody notices."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, start=False) as house:
        salesforce.inject(Injected(Action.EXPIRED_SESSION, path=r"/composite/?$", nth=2))
        house.start()
        await house.recorded(await house.accept())
        once(house)


async def test_401_for_ever(tmp_path: Path, salesforce: Simulator) -> None:
    """The identity pauses: no attempt is counted, no call wasted; when it may sign in again the mail is recorded."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce) as house:
        salesforce.inject(Injected(Action.EXPIRED_SESSION, times=None))
        message = await house.accept()
        found = await house.wait_for(message, State.DEFERRED)
        assert found.attempts == 0
        assert "INVALID_SESSION_ID" in found.reason
        again = await house.accept()
        await house.wait_for(again, State.DEFERRED)
        asked = len(salesforce.calls)
        assert house.recording.status()["paused"]  # type: ignore[index]
        salesforce.clear_faults()
        assert len(salesforce.calls) == asked
        house.later(4000)
        house.try_now()
        await house.recorded(message, again)
        once(house, 2)


async def test_html_401(tmp_path: Path, salesforce: Simulator) -> None:
    """A proxy's page in place of an answer is no answer: it is tried again."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce) as house:
        page = faults.HTML.format("Sign in to the network")
        salesforce.inject(Injected(Action.ANSWER, status=401, body=page, times=4))
        message = await house.accept()
        await house.wait_for(message, State.DEFERRED)
        salesforce.clear_faults()
        house.later(4000)
        house.try_now()
        await house.recorded(message)
        once(house)


async def test_the_day_is_used_up(tmp_path: Path, salesforce: Simulator) -> None:
    """The daily limit: no attempt is counted, and what waited is recorded once the calls come back."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce) as house:
        await house.recorded(await house.accept())
        salesforce.inject(faults.over_limit(times=None))
        message = await house.accept()
        found = await house.wait_for(message, State.DEFERRED)
        assert found.attempts == 0
        assert "REQUEST_LIMIT_EXCEEDED" in found.reason
        salesforce.clear_faults()
        house.later(86_400)
        house.try_now()
        await house.recorded(message)
        once(house, 2)


@pytest.mark.parametrize("code", ["UNABLE_TO_LOCK_ROW", "REQUEST_RUNNING_TOO_LONG"])
async def test_one_record_of_a_batch_is_locked(tmp_path: Path, salesforce: Simulator, code: str) -> None:
    """A partial failure is that message's alone, and is tried again."""
    people(salesforce, 30)
    async with recording_house(tmp_path, salesforce, start=False) as house:
        salesforce.inject(Injected(Action.ITEM, code=code, message="busy", record="Unlucky"))
        messages = [
            await house.accept(f"person{n}@buyer.example", subject="Unlucky" if n == 7 else "Lucky")
            for n in range(1, 31)
        ]
        house.start()
        unlucky = messages.pop(6)
        await house.tried(unlucky)
        await house.recorded(*messages)
        house.later(60)
        await house.recorded(unlucky)
        once(house, 30)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("FIELD_CUSTOM_VALIDATION_EXCEPTION", "Say why"),
        ("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient"),
        ("REQUIRED_FIELD_MISSING", "missing"),
        ("STORAGE_LIMIT_EXCEEDED", "storage"),
        ("MALFORMED_ID", "malformed"),
    ],
)
async def test_what_salesforce_never_takes_is_held(
    tmp_path: Path, salesforce: Simulator, code: str, words: str
) -> None:
    """A refusal for good: held with Salesforce's own words, kept for the page, and made when somebody has mended it."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, "  record: task") as house:
        salesforce.inject(Injected(Action.ITEM, code=code, message=words, record="The offer", times=None))
        salesforce.inject(
            Injected(Action.ANSWER, status=400, code=code, message=words, path="/sobjects/Task/?$")
        )
        message = await house.accept()
        found = await house.held(message)
        assert code in found.reason
        assert words in found.reason
        (told,) = await house.events(message, "log.failed")
        assert told.data["code"] == code
        salesforce.clear_faults()
        await house.database.write(
            lambda tx: house.queue.release(tx, Selection(message=message), house.clock.now())
        )
        house.try_now()
        await house.recorded(message)
        assert len(salesforce.rows("Task")) == 1


async def test_an_unknown_error_is_tried_three_times(tmp_path: Path, salesforce: Simulator) -> None:
    """What nobody foresaw is tried three times, then held with the whole answer."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, "  record: task") as house:
        salesforce.inject(
            Injected(
                Action.ANSWER,
                status=400,
                code="SOMETHING_NEW",
                message="odd",
                path="/sobjects/Task/?$",
                times=None,
            )
        )
        message = await house.accept()
        for attempt in (1, 2):
            await house.tried(message, attempt)
            house.later(400)
        found = await house.held(message)
        assert found.attempts == 3
        assert "SOMETHING_NEW" in found.reason


async def test_a_hidden_field_is_left_out(tmp_path: Path, salesforce: Simulator) -> None:
    """An optional field that was hidden since the description is dropped, once, and the record says so."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, "  record: task") as house:
        assert house.recording._tools is not None
        await house.recording._tools.organization.shape()
        salesforce.toggles.read_only_fields = frozenset({"Task.TaskSubtype"})
        message = await house.accept()
        await house.recorded(message)
        assert len(salesforce.rows("Task")) == 1
        assert "TaskSubtype" in (await house.row(message)).reason


async def test_a_text_is_too_long_all_the_same(tmp_path: Path, salesforce: Simulator) -> None:
    """STRING_TOO_LONG despite the description: the text is cut to nine tenths, once."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, "  record: task") as house:
        salesforce.inject(
            Injected(
                Action.ANSWER,
                status=400,
                body=[
                    {
                        "errorCode": "STRING_TOO_LONG",
                        "message": "Subject: data value too large",
                        "fields": ["Subject"],
                    }
                ],
                path="/sobjects/Task/?$",
            )
        )
        await house.recorded(await house.accept(subject="0123456789"))
        assert [row["Subject"] for row in salesforce.rows("Task")] == ["012345678"]


async def test_email_messages_turn_out_to_be_for_cases_only(tmp_path: Path, salesforce: Simulator) -> None:
    """Describe was too kind: the first refusal switches to Tasks, and no mail is missing."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce) as house:
        assert house.recording._tools is not None
        await house.recording._tools.organization.shape()
        salesforce.inject(
            Injected(
                Action.ITEM,
                code="INSUFFICIENT_ACCESS_OR_READONLY",
                message="no",
                record="MessageIdentifier",
                times=None,
            )
        )
        message = await house.accept()
        await house.wait_for(message, State.DEFERRED, State.SENT)
        house.later(5)
        await house.recorded(message)
        assert len(salesforce.rows("Task")) == 1
        assert not salesforce.rows("EmailMessage")


async def test_somebody_went_away_since_they_were_looked_up(
    tmp_path: Path, salesforce: WatchedSimulator
) -> None:
    """The contact was deleted and entered anew: the mail is matched anew."""
    salesforce.expect_refused("ENTITY_IS_DELETED")
    (old,) = people(salesforce, 1)
    async with recording_house(tmp_path, salesforce) as house:
        await house.recorded(await house.accept())
        salesforce.remove("Contact", old)
        (new,) = people(salesforce, 1)
        message = await house.accept()
        await house.tried(message)
        house.later(60)
        await house.recorded(message)
        assert (await house.row(message)).related[0] == new


async def test_tasks_are_looked_for_too(tmp_path: Path, salesforce: Simulator) -> None:
    """Without a key field a Task is found again by when it was made, on whom, and its subject."""
    people(salesforce, 2)
    async with recording_house(tmp_path, salesforce, "  record: task") as house:
        salesforce.inject(Injected(Action.RESET_AFTER_COMMIT, path="/composite|/sobjects/Task/?$", nth=2))
        message = await house.accept(OUT, "person2@buyer.example")
        await house.tried(message)
        house.later(60)
        await house.recorded(message)
        assert len(salesforce.rows("Task")) == 2


async def test_with_a_key_field(tmp_path: Path, salesforce: Simulator) -> None:
    """With the relay's own key field a record is found by it."""
    salesforce.toggles.relay_key_field = True
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, "  record: task") as house:
        salesforce.inject(Injected(Action.RESET_AFTER_COMMIT, path="/sobjects/Task/?$"))
        message = await house.accept()
        await house.tried(message)
        house.later(60)
        await house.recorded(message)
        (task,) = salesforce.rows("Task")
        assert task["Relay_Key__c"] == (await house.row(message)).key
