"""Tests for relay.queue.settlement: what the store is told of an attempt."""

import pytest

from relay.delivery_kind import Role, Transport
from relay.ids import DeliveryId, Login, QueueId
from relay.maillog.events import (
    DeliveryBounced,
    DeliveryDeferred,
    DeliveryHeld,
    DeliverySent,
    DeliverySkipped,
    ReportUndeliverable,
)
from relay.outcome import Bounced, Deferred, Held, Sent, Skipped
from relay.queue.model import Change, Closing, Delivery, QueuedMessage, State
from relay.queue.report import Action
from relay.queue.settlement import TOLD_AT_ONCE, closed, settlement_of, shown_target, without_secret
from relay.status import Reply
from tests.support.builders import LOG_COPY_ADDRESS, NOW, envelope
from tests.support.couriers import BUSY, REFUSED, SENT
from tests.support.queue_house import HOUR, MINUTE, RULES

QUEUE_ID = QueueId("01HQ8Z5W6K3RT")


def message(sender: str | None = "ana@example.com") -> QueuedMessage:
    """Give a message from this sender."""
    return QueuedMessage(QUEUE_ID, envelope(sender), Login("ana"), NOW, 100, False, False, "<1@example.com>")


def delivery(number: int, target: str, role: Role = Role.RECIPIENT, **options: object) -> Delivery:
    """Give a delivery under claim 3."""
    return Delivery(
        DeliveryId(number), QUEUE_ID, role, Transport.SMTP, target, State.ACTIVE,
        attempts=options.pop("attempts", 0), next_attempt_at=None, created_at=NOW, fence=3, **options,
    )  # fmt: skip


BOB = delivery(1, "bob@example.org")
CARL = delivery(2, "carl@example.org")
COPY = delivery(3, LOG_COPY_ADDRESS, Role.LOG_COPY)


def settled(outcomes: dict, *deliveries: Delivery, sender: str | None = "ana@example.com", now: int = NOW):
    """Give the settlement of deliveries by their outcomes."""
    by_id = {one.id: outcome for one, outcome in outcomes.items()}
    return settlement_of(message(sender), deliveries or tuple(outcomes), by_id, RULES, now, 0.5)


def test_each_delivery_has_its_change_under_its_fence():
    """Every delivery is changed once, under the number of its claim, with the reply as its reason."""
    settlement = settled({BOB: SENT, CARL: BUSY, COPY: REFUSED})
    assert settlement.changes == [
        Change(BOB.id, 3, State.SENT, None, "250 2.0.0 Ok"),
        Change(CARL.id, 3, State.DEFERRED, NOW + MINUTE, "451 4.3.0 Try again later"),
        Change(COPY.id, 3, State.BOUNCED, None, "550 5.1.1 No such user"),
    ]


def test_deliveries_that_share_everything_share_an_event():
    """One event names all recipients with the same outcome; a log copy has its own, masked."""
    settlement = settled({BOB: SENT, CARL: SENT, COPY: SENT})
    first, second = settlement.events
    assert isinstance(first, DeliverySent)
    assert first.targets == ("bob@example.org", "carl@example.org")
    assert (first.role, first.reply, first.hop, first.attempt) == (
        "recipient",
        "250 2.0.0 Ok",
        "mx.example.org",
        1,
    )
    assert isinstance(second, DeliverySent)
    assert second.role == "log_copy"
    assert second.targets == ("emailtosalesforce@a1…om",)


def test_events_differ_where_outcomes_differ():
    """Another attempt number, reply or hop makes another event."""
    again = delivery(4, "dora@example.org", attempts=2)
    elsewhere = Sent(SENT.reply, "mx2.example.org")
    settlement = settled({BOB: SENT, again: SENT, CARL: elsewhere, COPY: REFUSED})
    assert [type(event) for event in settlement.events] == [DeliverySent] * 3 + [DeliveryBounced]


def test_a_deferral_says_when_it_is_tried_again():
    """The event carries the instant of the next try."""
    [event] = settled({BOB: BUSY}).events
    assert isinstance(event, DeliveryDeferred)
    assert event.next_attempt_at == NOW + MINUTE


def test_held_and_skipped_have_reasons_but_no_hop():
    """What a courier holds or skips is told with its reason, and is nobody's failure."""
    settlement = settled({BOB: Held("nobody matches"), CARL: Skipped("logged already")})
    assert [(type(event), event.reply, event.hop) for event in settlement.events] == [
        (DeliveryHeld, "nobody matches", ""),
        (DeliverySkipped, "logged already", ""),
    ]
    assert [change.state for change in settlement.changes] == [State.HELD, State.SKIPPED]
    assert settlement.tellings == ()


def test_a_missing_answer_is_a_deferral():
    """A delivery that nobody answered for is tried again."""
    settlement = settled({BOB: SENT}, BOB, CARL)
    assert settlement.changes[1].state is State.DEFERRED
    assert "no answer" in settlement.changes[1].reason


def test_a_multi_line_reply_is_kept_on_one_line():
    """What hops say over several lines stands on one, without controls."""
    said = Bounced(Reply(550, "5.7.1", "Go\naway\x1b[2J"), "mx")
    assert settled({BOB: said}).changes[0].reason == "550 5.7.1 Go away [2J"


@pytest.mark.parametrize("spelling", [LOG_COPY_ADDRESS, LOG_COPY_ADDRESS.upper(), f"<{LOG_COPY_ADDRESS}>"])
def test_a_hops_words_about_the_log_copy_are_masked_everywhere(spelling):
    """Its address is in no reason, event or report, though a hop may name it to every recipient."""
    said = Bounced(Reply(554, "5.7.1", f"no relaying to {spelling}"), "mx")
    settlement = settled({BOB: said, COPY: said})
    assert LOG_COPY_ADDRESS not in str(settlement).lower()
    assert "…" in settlement.changes[0].reason
    assert without_secret("nothing", "") == "nothing"


def test_only_failed_recipients_are_told_of():
    """The sender is told of a failed recipient; never of a log copy, nor of what went well."""
    settlement = settled({BOB: REFUSED, CARL: SENT, COPY: REFUSED})
    [telling] = settlement.tellings
    assert telling.action is Action.FAILED
    assert [(one.address, one.status, one.hop) for one in telling.recipients] == [
        ("bob@example.org", "5.1.1", "mx.example.org")
    ]


@pytest.mark.parametrize(
    ("outcome", "now", "notify", "status"),
    [
        (Bounced(Reply(550, "", "No"), "mx"), NOW, None, "5.0.0"),
        (Bounced(Reply(552, "5.2.2", "Full"), "mx"), NOW, None, "5.2.2"),
        (Bounced(Reply(550, "4.2.2", "Odd"), "mx"), NOW, None, "5.0.0"),
        (Deferred(Reply(451, "", "Later"), "mx"), NOW + 13 * HOUR, None, "4.4.7"),
        (Deferred(Reply(451, "4.2.2", "Full"), "mx"), NOW + 13 * HOUR, None, "4.2.2"),
        (Deferred(Reply(451, "", "Later"), "mx"), NOW + 5 * HOUR, None, "4.0.0"),
        (Sent(Reply(250, "", "Ok"), "mx", hop_reports=False), NOW, "SUCCESS", "2.0.0"),
    ],
)
def test_a_report_has_a_status_that_fits_its_action(outcome, now, notify, status):
    """A hop without enhanced codes, or with one of another class, gets the class's own (RFC 3464 §2.3.4)."""
    one = delivery(1, "bob@example.org", notify=notify)
    [telling] = settled({one: outcome}, now=now).tellings
    assert telling.recipients[0].status == status


def test_a_delay_that_was_told_stays_told():
    """The mark is never taken away, and no second report is made."""
    warned = delivery(1, "bob@example.org", delay_warned=True)
    settlement = settled({warned: BUSY}, now=NOW + 5 * HOUR)
    assert settlement.tellings == ()
    assert settlement.changes[0].delay_warned
    fresh = settled({BOB: BUSY}, now=NOW + 5 * HOUR)
    assert fresh.changes[0].delay_warned
    assert fresh.tellings[0].action is Action.DELAYED


def test_failures_of_mail_from_the_null_path_are_events():
    """NOTIFY=NEVER or not: somebody must see that nobody can be told; a failed log copy is no such matter."""
    never = delivery(1, "bob@example.org", notify="NEVER")
    settlement = settled({never: REFUSED, COPY: REFUSED}, sender=None)
    assert settlement.tellings == ()
    undeliverable = [event for event in settlement.events if isinstance(event, ReportUndeliverable)]
    assert [event.recipients for event in undeliverable] == [("bob@example.org",)]
    assert not any(
        isinstance(event, ReportUndeliverable) for event in settled({BOB: SENT}, sender=None).events
    )


def test_the_closing_line_tells_the_whole_story():
    """Counts, what became of the log copy, and how long it took; never a negative span."""
    closing = Closing(Login("ana"), NOW, 2, 1, "sent")
    line = closed(QUEUE_ID, closing, NOW + 1_500_000)
    assert (line.login, line.sent, line.failed, line.logged, line.seconds) == ("ana", 2, 1, "sent", 1.5)
    assert closed(QUEUE_ID, closing, NOW - 5).seconds == 0


def test_only_a_log_copys_target_is_masked():
    """Recipients are shown in full."""
    assert shown_target(BOB) == "bob@example.org"
    assert "le.salesforce" not in shown_target(COPY)


def test_a_log_copy_that_was_deferred_with_its_recipients_goes_again_with_them():
    """Deferred in one transaction, it is due when they are; alone, it has a schedule of its own."""
    together = {
        change.delivery: change.next_attempt_at for change in settled({BOB: BUSY, COPY: BUSY}).changes
    }
    assert together[COPY.id] == together[BOB.id]
    alone = {change.delivery: change.next_attempt_at for change in settled({BOB: SENT, COPY: BUSY}).changes}
    assert alone[BOB.id] is None
    assert alone[COPY.id] is not None
    assert alone[COPY.id] != together[COPY.id]


def test_what_was_no_attempt_is_not_counted():
    """Mail that was kept back by the route's own limits has its number of attempts as before."""
    paced = Deferred(Reply(451, "4.4.5", "paced"), "mx", 2.0, attempted=False)
    settlement = settled({delivery(1, "bob@example.org", attempts=1): paced})
    (change,) = settlement.changes
    assert (change.attempted, change.next_attempt_at) == (False, NOW + 2_000_000)
    (event,) = settlement.events
    assert isinstance(event, DeliveryDeferred)
    assert event.attempt == 1


def test_a_report_names_no_more_than_a_mail_can_hold():
    """Past that there are several, each recipient in one of them."""
    many = [delivery(number, f"r{number}@example.org") for number in range(1, TOLD_AT_ONCE + 2)]
    first, second = settled(dict.fromkeys(many, REFUSED)).tellings
    assert (len(first.recipients), len(second.recipients)) == (TOLD_AT_ONCE, 1)
    assert {one.address for one in (*first.recipients, *second.recipients)} == {one.target for one in many}
