"""Tests for relay.queue.notices: reports as messages, and how many a sender may get."""

from dataclasses import replace

from relay.config.types import Rate
from relay.ids import QueueId
from relay.maillog.events import MessageAccepted, ReportQueued
from relay.queue.model import QueuedMessage
from relay.queue.notices import ReportQuota, notice_of, report_of, untold
from relay.queue.report import Action, Original, Reported, Reporter
from relay.queue.settlement import Telling
from tests.support.builders import NOW, envelope, mailbox
from tests.support.queue_house import HOUR, RULES

REPORTER = Reporter("postmaster@relay.example.com", "relay.example.com")
MESSAGE = QueuedMessage(QueueId("01HQ8Z5W6K3RT"), envelope(), None, NOW, 10, False, False, None)
BOB = Reported("bob@example.org", None, "5.1.1", "550 No", "mx")
FAILED = Telling(Action.FAILED, (BOB,))
ORIGINAL = Original(b"Subject: x\r\n", None, "x")
HOURLY = Rate(2, 3600.0)


def notice(message: QueuedMessage = MESSAGE, original: Original = ORIGINAL):
    """Give the notice about one failure."""
    return notice_of(report_of(message, FAILED, original, RULES.retry, NOW), REPORTER, 7 << 40, "b")


def test_a_notice_is_a_message_from_the_null_path_to_the_sender():
    """Its envelope, its one delivery and its size are right, and it asks for no report about itself."""
    made = notice()
    assert made.message.envelope.reverse_path is None
    assert [str(one.address) for one in made.message.envelope.recipients] == ["ana@example.com"]
    [planned] = made.plan
    assert (planned.target, planned.notify, planned.rule) == ("ana@example.com", "NEVER", "notices")
    assert made.message.login is None
    assert made.message.mode == ""
    assert not made.message.has_8bit
    assert made.message.octets == len(made.message.content)


def test_dots_of_transparency_do_not_count_as_octets():
    """The size is that of RFC 1870 §5."""
    dotted = Original(b"Subject: x\r\n", b"\r\n.\r\n.x\r\n..y\r\n", "x")
    full = replace(MESSAGE, envelope=envelope(ret="FULL"))
    made = notice(full, dotted)
    assert b"\r\n..\r\n..x\r\n...y\r\n" in made.message.content
    assert made.message.octets == len(made.message.content) - 3


def test_the_events_tie_report_and_message_together():
    """The message's trace names the report, the report's names the message."""
    queued, accepted = notice().events
    assert isinstance(queued, ReportQueued)
    assert isinstance(accepted, MessageAccepted)
    assert queued.message == MESSAGE.id
    assert queued.report == accepted.message
    assert MESSAGE.id in accepted.decision


def test_a_sender_beyond_ascii_needs_smtputf8():
    """Only then is the report an internationalised message."""
    path = replace(envelope(smtputf8=True), reverse_path=mailbox("añá@example.com"))
    made = notice(replace(MESSAGE, envelope=path)).message
    assert made.envelope.smtputf8
    assert made.utf8_header
    assert made.has_8bit


def test_a_delay_says_until_when():
    """Only a delayed report has a retry_until, the end of the message's lifetime."""
    late = report_of(MESSAGE, Telling(Action.DELAYED, (BOB,)), Original(b"", None), RULES.retry, NOW)
    assert late.retry_until == NOW + RULES.retry.delivery.lifetime
    assert report_of(MESSAGE, FAILED, Original(b"", None), RULES.retry, NOW).retry_until is None


def test_failures_that_are_not_told_become_an_event():
    """Failures must be looked at; a delay that nobody hears of is no matter."""
    [event] = untold(MESSAGE, [FAILED], "too many", NOW)
    assert event.recipients == ("bob@example.org",)
    assert "ana@example.com is not told of a failure: too many" in event.reason
    assert untold(MESSAGE, [Telling(Action.DELAYED, (BOB,))], "too many", NOW) == []


def test_the_quota_counts_by_sender_and_span():
    """So many reports to one sender in a span; the next span starts anew, other senders have their own."""
    quota = ReportQuota()
    now = NOW - NOW % HOUR
    assert [quota.take("ana", HOURLY, now) for _ in range(3)] == [True, True, False]
    assert quota.take("kim", HOURLY, now)
    assert not quota.take("ana", HOURLY, now + HOUR - 1)
    assert quota.take("ana", HOURLY, now + HOUR)


def test_a_quota_of_nothing_is_no_limit():
    """0/h: as many as there are failures."""
    quota = ReportQuota()
    assert all(quota.take("ana", Rate(0, 3600.0), NOW) for _ in range(1000))


def test_the_quota_remembers_a_bounded_number_of_senders():
    """Whoever was reported to longest ago is forgotten first."""
    quota = ReportQuota()
    for number in range(10_001):
        quota.take(f"rep{number}", HOURLY, NOW)
    assert len(quota._counts) == 10_000
    assert "rep0" not in quota._counts
