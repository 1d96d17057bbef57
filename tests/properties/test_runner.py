"""Property of the queue at work: whatever couriers, stores and restarts do, every delivery ends once, and is told once."""

import asyncio
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from relay.ids import QueueId
from relay.queue.model import FINAL, State
from relay.queue.selection import Selection
from tests.support.builders import log_copy, to_recipient
from tests.support.couriers import BUSY, REFUSED, SENT
from tests.support.queue_house import QueueHouse, queue_house

ANSWERS = st.sampled_from([SENT, BUSY, REFUSED, None])
MESSAGES = st.lists(
    st.lists(st.lists(ANSWERS, min_size=1, max_size=3), min_size=1, max_size=3), min_size=1, max_size=5
)
LOST = frozenset({"bounced", "expired"})


@dataclass(frozen=True)
class Story:
    """What happens in one run: what each recipient's hop answers, attempt by attempt, and when the service restarts."""

    messages: list
    restarts: list
    apart: bool


STORIES = st.builds(Story, MESSAGES, st.lists(st.booleans(), min_size=4, max_size=4), st.booleans())


@settings(max_examples=25, deadline=None)
@given(STORIES)
def test_every_delivery_ends_once_and_is_told_once(story):
    """However often it is deferred, forgotten or restarted: one end for each, one report for each failed recipient."""
    asyncio.run(play(story))


async def play(story: Story) -> None:
    """Play a story to its end, and look at what is left."""
    with tempfile.TemporaryDirectory() as folder:
        async with queue_house(Path(folder)) as house:
            if story.apart:
                house.courier.key = lambda delivery: delivery.target
            house.start()
            accepted = [await accept(house, number, plan) for number, plan in enumerate(story.messages)]
            for restart in story.restarts:
                if restart:
                    await house.stop(grace=0)
                    house.runner = house.another_runner()
                    house.start()
                house.pass_time(3 * 3600)
                await house.let_it_look()
            await finish(house)
            for queue_id in accepted:
                await look_at(house, queue_id)


async def accept(house: QueueHouse, number: int, plan: list) -> QueueId:
    """Take in a message to recipients whose hops answer as planned, with a log copy."""
    targets = [f"r{number}-{n}@example.org" for n in range(len(plan))]
    for target, answers in zip(targets, plan, strict=True):
        house.courier.answers[target] = list(answers)
    return await house.accept(*map(to_recipient, targets), log_copy(f"log{number}@example.net"))


async def finish(house: QueueHouse) -> None:
    """Let time pass until nothing is open any more; two lifetimes are enough for whatever was asked."""
    for _ in range(40):
        if not await house.listed(Selection()):
            return
        house.pass_time(3600)
        await house.let_it_look()
    raise AssertionError(await house.listed(Selection()))


async def look_at(house: QueueHouse, queue_id: QueueId) -> None:
    """Every delivery has one end and one event of it, every failed recipient one report, the message one closing."""
    deliveries = await house.listed(Selection(message=queue_id, states=tuple(State)))
    assert all(one.state in FINAL for one in deliveries)
    events = await house.events(queue_id)
    ends = Counter(
        target
        for event in events
        if event.name in ("delivery.sent", "delivery.bounced", "delivery.expired")
        for target in event.data["targets"]
    )
    assert ends == Counter(one.target for one in deliveries)
    failed = [one.target for one in deliveries if one.state in LOST and one.role == "recipient"]
    told = [
        target
        for event in events
        if event.name == "report.queued" and event.data["action"] == "failed"
        for target in event.data["recipients"]
    ]
    assert sorted(told) == sorted(failed)
    assert [event.name for event in events].count("message.closed") == 1
