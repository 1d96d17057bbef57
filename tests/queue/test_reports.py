"""Delivery reports end to end: who is told what, once, and never a word of the log copy (RFC 3461, RFC 3464)."""

import email
import email.policy
from dataclasses import replace

import pytest

from relay.config.types import Rate
from relay.delivery_kind import Role
from relay.outcome import Bounced, Sent
from relay.queue.model import NewMessage, State
from relay.queue.selection import Selection
from relay.status import Reply
from tests.support.builders import LOG_COPY_ADDRESS, envelope, log_copy, new_message, to_recipient
from tests.support.couriers import BUSY, REFUSED, SENT
from tests.support.queue_house import RULES, queue_house

PASSED_ON = Sent(Reply(250, "2.0.0", "Ok"), "old.example.org", hop_reports=False)
ANA = "ana@example.com"


@pytest.fixture
async def house(tmp_path):
    """Give a queue at work over an empty folder."""
    async with queue_house(tmp_path) as built:
        built.start()
        yield built


def message_from(house, **options: object) -> NewMessage:
    """Give a message with this envelope."""
    number = house.runner.next_number()
    return new_message(number=number, accepted_at=house.clock.now(), envelope=envelope(**options))


async def the_report(house, queue_id):
    """Give the one report about a message: parsed, with how it is queued."""
    await house.wait_for_event(queue_id, "report.queued")
    [(queued, content)] = await house.reports(queue_id)
    assert content is None or content.inline is not None
    sent = house.courier.contents[-1] if content is None else content.inline
    return queued, email.message_from_bytes(sent, policy=email.policy.default), sent


async def test_one_failed_recipient_is_reported_and_no_other(house):
    """250 for all, then one refused: one report names that one alone (RFC 5321 §4.4, RFC 3464 §2.1)."""
    house.courier.answers["bob@example.org"] = REFUSED
    queue_id = await house.accept(to_recipient(), to_recipient("bob@example.org"), log_copy())
    queued, report, wire = await the_report(house, queue_id)
    assert report.get_content_type() == "multipart/report"
    assert report["To"] == ANA
    status = list(report.iter_parts())[1]
    finals = [group["Final-Recipient"] for group in status.get_payload() if group["Final-Recipient"]]
    assert finals == ["rfc822; bob@example.org"]
    assert b"customer@example.org" not in wire
    assert queued.envelope.reverse_path is None


async def test_a_report_goes_out_from_the_null_path_and_asks_for_nothing(house):
    """MAIL FROM:<>, to the reverse-path, NOTIFY=NEVER (RFC 3461 §6.1), by the queue like any mail."""
    house.courier.answers["customer@example.org"] = REFUSED
    queue_id = await house.accept()
    queued, report, _ = await the_report(house, queue_id)
    await house.wait_for(queued.id, "sent")
    assert house.courier.attempts[-1] == (queued.id, (ANA,))
    assert queued.login is None
    assert [(one.address.local, one.notify) for one in queued.envelope.recipients] == [("ana", "NEVER")]
    assert report["Message-ID"] == f"<{queued.id}@relay.example.com>"
    names = await house.names(queued.id)
    assert names == ["message.accepted", "delivery.sent", "message.closed"]
    [told] = await house.wait_for_event(queue_id, "report.queued")
    assert told.data == {"report": queued.id, "action": "failed", "recipients": ["customer@example.org"]}


async def test_the_log_copy_stands_in_no_report(house):
    """The address is nowhere: not as a recipient, not in a hop's words, not in the returned header (S15)."""
    said = Bounced(Reply(550, "5.7.1", f"Refused: {LOG_COPY_ADDRESS.upper()} and others"), "mx")
    house.courier.answers = {"customer@example.org": said, LOG_COPY_ADDRESS: said}
    bcc = f"Bcc: {LOG_COPY_ADDRESS}\r\n".encode()
    content = bcc + b"Subject: The offer\r\n\r\nDear customer,\r\n"
    number = house.runner.next_number()
    whole = new_message(number=number, content=content, skips=((0, len(bcc)),), envelope=envelope(ret="FULL"))
    queue_id = await house.accept(to_recipient(), log_copy(), message=whole)
    _, _, wire = await the_report(house, queue_id)
    assert LOG_COPY_ADDRESS.encode() not in wire.lower()
    assert b"5.7.1 Refused: EMAILTOSALESFORCE@A1" not in wire
    assert b"Dear customer" in wire
    for event in await house.events(queue_id):
        assert LOG_COPY_ADDRESS not in str(event.data).lower()
    for listed in await house.listed(Selection(message=queue_id, states=tuple(State))):
        assert LOG_COPY_ADDRESS not in listed.reason.lower()


async def test_a_log_copy_that_fails_is_nobodys_bounce(house):
    """Whatever becomes of the log copy, its sender gets no report."""
    house.courier.answers[LOG_COPY_ADDRESS] = REFUSED
    queue_id = await house.accept(to_recipient(), log_copy())
    await house.wait_for(queue_id, "sent", "bounced")
    assert await house.reports(queue_id) == []


async def test_what_expires_is_reported(house):
    """A delivery that is deferred until its lifetime ends is tried once more at the end, expired, and reported."""
    house.courier.answers["customer@example.org"] = BUSY
    house.courier.answers[ANA] = SENT
    queue_id = await house.accept(to_recipient(notify="FAILURE"))
    await house.wait_for(queue_id, "deferred")
    accepted_at = house.clock.now()
    while house.clock.now() < accepted_at + RULES.retry.delivery.lifetime:
        [delivery] = await house.listed(Selection(message=queue_id, role=Role.RECIPIENT))
        tried = len(house.courier.attempts)
        house.pass_time((delivery.next_attempt_at - house.clock.now()) / 1_000_000)
        if house.clock.now() < accepted_at + RULES.retry.delivery.lifetime:
            await house.wait_for_event(queue_id, "delivery.deferred", tried + 1)
    await house.wait_for(queue_id, "expired")
    assert house.clock.now() == accepted_at + RULES.retry.delivery.lifetime
    _, report, _ = await the_report(house, queue_id)
    status = list(report.iter_parts())[1].get_payload()[1]
    assert status["Status"] == "4.3.0"
    assert status["Action"] == "failed"
    assert "given up" in next(iter(report.iter_parts())).get_content()
    assert (await house.names(queue_id))[-3:] == ["delivery.expired", "report.queued", "message.closed"]


@pytest.mark.parametrize(
    ("notify", "answer", "action"),
    [
        (None, REFUSED, "failed"),
        ("FAILURE", REFUSED, "failed"),
        ("SUCCESS,FAILURE", REFUSED, "failed"),
        ("SUCCESS", REFUSED, None),
        ("DELAY", REFUSED, None),
        ("NEVER", REFUSED, None),
        ("SUCCESS", PASSED_ON, "relayed"),
        ("FAILURE,SUCCESS", PASSED_ON, "relayed"),
        ("SUCCESS", SENT, None),
        (None, PASSED_ON, None),
        ("FAILURE", PASSED_ON, None),
        ("NEVER", PASSED_ON, None),
    ],
)
async def test_notify_is_followed(house, notify, answer, action):
    """NOTIFY decides what is reported (RFC 3461 §4.1); a hop with DSN reports successes itself (§5.2)."""
    house.courier.answers["customer@example.org"] = answer
    queue_id = await house.accept(to_recipient(notify=notify))
    await house.wait_for_event(queue_id, "message.closed")
    told = [event for event in await house.events(queue_id) if event.name == "report.queued"]
    assert [event.data["action"] for event in told] == ([action] if action else [])


@pytest.mark.parametrize(
    ("notify", "told"),
    [(None, True), ("DELAY", True), ("FAILURE,DELAY", True), ("FAILURE", False), ("NEVER", False)],
)
async def test_a_delay_is_told_once(house, notify, told):
    """After warn_after the sender hears of the delay, once, when DELAY was asked for or NOTIFY is absent (§5.2.5)."""
    house.courier.answers["customer@example.org"] = BUSY
    queue_id = await house.accept(to_recipient(notify=notify))
    for count, seconds in enumerate((60, 4 * 3600, 3600, 3600), start=1):
        await house.wait_for_event(queue_id, "delivery.deferred", count)
        house.pass_time(seconds)
    await house.wait_for_event(queue_id, "delivery.deferred", 5)
    reports = await house.wait_for_event(queue_id, "report.queued", 1 if told else 0)
    assert [event.data["action"] for event in reports] == (["delayed"] if told else [])
    if told:
        # 60 s is before the four hours, and what follows must not tell again.
        assert reports[0].at == house.clock.now() - 2 * 3600 * 1_000_000


async def test_no_delay_is_told_when_it_is_switched_off(tmp_path):
    """warn_after: 0s keeps delays to the relay."""
    async with queue_house(tmp_path, replace(RULES, warn_after=None)) as house:
        house.start()
        house.courier.answers["customer@example.org"] = BUSY
        queue_id = await house.accept()
        await house.wait_for(queue_id, "deferred")
        house.pass_time(5 * 3600)
        await house.wait_for_event(queue_id, "delivery.deferred", 2)
        assert await house.reports(queue_id) == []


async def test_nobody_is_told_about_mail_from_the_null_path(house):
    """No report for <>; an event at the level error instead (RFC 3461 §5.2)."""
    house.courier.answers["customer@example.org"] = REFUSED
    queue_id = await house.accept(to_recipient(), message=message_from(house, sender=None))
    [event] = await house.wait_for_event(queue_id, "report.undeliverable")
    assert event.data["recipients"] == ["customer@example.org"]
    assert await house.reports(queue_id) == []


async def test_a_delay_of_mail_from_the_null_path_is_no_matter(house):
    """Only failures of such mail need anybody's eye."""
    house.courier.answers["customer@example.org"] = BUSY
    queue_id = await house.accept(to_recipient(), message=message_from(house, sender=None))
    await house.wait_for(queue_id, "deferred")
    house.pass_time(5 * 3600)
    await house.wait_for_event(queue_id, "delivery.deferred", 2)
    assert "report.undeliverable" not in await house.names(queue_id)


async def test_a_report_that_fails_is_dropped_with_an_event(house):
    """Nothing is ever sent about a report that cannot be delivered (RFC 5321 §4.5.5); an admin is told."""
    house.courier.answers = {"customer@example.org": REFUSED, ANA: REFUSED}
    queue_id = await house.accept()
    queued, _, _ = await the_report(house, queue_id)
    [event] = await house.wait_for_event(queued.id, "report.undeliverable")
    assert event.data["recipients"] == [ANA]
    await house.wait_for(queued.id, "bounced")
    assert await house.reports(queued.id) == []
    assert len(house.courier.attempts) == 2


async def test_reports_to_one_sender_are_capped(tmp_path):
    """Past reports_per_sender the failure is an event, not another report (S13); others get theirs."""
    async with queue_house(tmp_path, replace(RULES, reports=Rate(2, 3600.0))) as house:
        house.start()
        house.courier.answers["customer@example.org"] = REFUSED
        ids = [await house.accept() for _ in range(3)]
        for queue_id in ids:
            await house.wait_for_event(queue_id, "message.closed")
        names = [name for queue_id in ids for name in await house.names(queue_id)]
        assert names.count("report.queued") == 2
        assert names.count("report.undeliverable") == 1
        other = await house.accept(to_recipient(), message=message_from(house, sender="kim@example.com"))
        await house.wait_for_event(other, "report.queued")
        house.pass_time(3600)
        later = await house.accept()
        await house.wait_for_event(later, "report.queued")


async def test_a_report_is_stored_with_what_caused_it(house):
    """Settlement and report are one transaction: the bounce is never there without its report."""
    house.courier.answers["customer@example.org"] = REFUSED
    accept = house.store.accept

    def refuse_reports(tx, message, plan, *, lease):
        if message.envelope.reverse_path is None and failing.pop():
            raise ValueError("no room for the report")
        return accept(tx, message, plan, lease=lease)

    failing = [False, True, True]
    house.store.accept = refuse_reports
    queue_id = await house.accept()
    await house.wait_for_event(queue_id, "report.queued")
    names = await house.names(queue_id)
    assert names == ["delivery.bounced", "report.queued", "message.closed"]
    assert failing == []
    assert len([attempt for attempt in house.courier.attempts if attempt[0] == queue_id]) == 1


async def test_a_report_without_the_original_is_better_than_none(house):
    """When the content cannot be read any more, the report goes out without it."""
    house.courier.answers["customer@example.org"] = REFUSED

    answered = house.courier.attempt

    async def attempt(batches):
        outcomes = await answered(batches)
        house.spool.remove(name)
        return outcomes

    spooled = house.spool.create()
    spooled.write(b"Subject: gone\r\n\r\n")
    await spooled.sync()
    name, house.courier.attempt = spooled.name, attempt
    number = house.runner.next_number()
    queue_id = await house.accept(message=new_message(number=number, spool_name=name))
    _, report, _ = await the_report(house, queue_id)
    assert report["Subject"] == "Not delivered: (no subject)"


async def test_a_large_message_is_returned_as_its_header_section(house):
    """RET=FULL of a message in the spool returns its header section, its subject in the report's."""
    house.courier.answers["customer@example.org"] = REFUSED
    spooled = house.spool.create()
    spooled.write(
        b"Subject: A large\r\n one\r\nX-Long: " + b"y" * 500 + b"\r\n\r\n" + b"x" * 70 * 1024 + b"\r\n"
    )
    await spooled.sync()
    message = replace(
        new_message(
            number=house.runner.next_number(), spool_name=spooled.name, envelope=envelope(ret="FULL")
        ),
        octets=72_000,
    )
    queue_id = await house.accept(message=message)
    _, report, wire = await the_report(house, queue_id)
    assert report["Subject"] == "Not delivered: A large one"
    assert b"X-Long" in wire
    assert b"xxxx" not in wire
