"""The courier that tests of the queue use answers as it is told."""

from relay.queue.content import MemoryContent
from relay.queue.model import Batch, StoredContent
from tests.support.couriers import BUSY, SENT, ScriptedCourier
from tests.unit.queue.test_settlement import BOB, CARL, message


async def test_it_answers_by_target_and_in_order() -> None:
    """An outcome always, a list one after the other with the last repeated, None not at all, and else sent."""
    courier = ScriptedCourier()
    batch = Batch(message(), (BOB, CARL), MemoryContent(StoredContent(b"", (), 2, b"x\r\n", None), b"x\r\n"))
    assert await courier.attempt([batch]) == {BOB.id: SENT, CARL.id: SENT}
    courier.answers = {BOB.target: [BUSY, SENT], CARL.target: None}
    assert await courier.attempt([batch]) == {BOB.id: BUSY}
    assert await courier.attempt([batch]) == {BOB.id: SENT}
    assert await courier.attempt([batch]) == {BOB.id: SENT}
    assert courier.contents == [b"x\r\n"] * 4
    assert courier.attempts[0] == (batch.message.id, (BOB.target, CARL.target))
    assert courier.most_under_way == 2
    assert courier.under_way == 0


def test_it_splits_by_its_key() -> None:
    """All together, unless told what sets deliveries apart."""
    courier = ScriptedCourier()
    assert courier.split(message(), (BOB, CARL)) == [[BOB, CARL]]
    courier.key = lambda delivery: delivery.target
    assert courier.split(message(), (BOB, CARL)) == [[BOB], [CARL]]
    assert courier.route(message(), [BOB]) == "main"
