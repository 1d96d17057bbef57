"""Set up my mail, "Send me a test": a real mail of the rep's, walked from accepted to verified."""

import asyncio
import re
from pathlib import Path

import pytest

from relay.delivery_kind import Transport
from relay.demo.salesforce.simulator import Simulator
from relay.ids import QueueId
from relay.queue.model import Change, State
from relay.salesforce.composed import Intended
from relay.salesforce.model import Made
from relay.salesforce.record_rows import Intention
from relay.salesforce.store import RecordStore
from relay.storage.database import Transaction
from tests.support.builders import lease
from tests.support.couriers import BUSY, REFUSED
from tests.support.page import BCC, Page, Visitor, open_page
from tests.support.salesforce import people, rep, salesforce
from tests.web.test_sync_salesforce import connected_page

__all__ = ["salesforce"]

HERE = "/settings/mail"
CUSTOMER = "person1@buyer.example"


async def send(visitor: Visitor, recipient: str) -> QueueId:
    """Press the button; give the queue id of the mail."""
    answer = await visitor.post(f"{HERE}/test", recipient=recipient)
    assert answer.status == 303, answer.text
    return QueueId(answer.location.partition("test=")[2])


async def steps(visitor: Visitor, message: QueueId) -> dict[str, str]:
    """Give the verdict of each step as the page without JavaScript shows it."""
    shown = (await visitor.get(f"{HERE}?test={message}")).text
    found = re.findall(r'<li><strong>(\w+)</strong> <span class="state (\w+)">', shown)
    return dict(found)


async def test_a_test_to_a_customer_goes_the_whole_way(tmp_path: Path) -> None:
    """Accepted, decided, delivered and copied to the CRM as any mail of the rep's; what cannot be seen is said."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        page.house.courier.gate.clear()
        message = await send(ana, CUSTOMER)
        before = {"Accept": "ok", "Decide": "ok", "Deliver": "wait", "Log": "wait", "Verify": "wait"}
        assert await steps(ana, message) == before
        page.house.courier.gate.set()
        page.house.start()
        await page.house.wait_for(message, "sent")
        assert page.house.courier.attempts == [(message, (CUSTOMER, BCC))]
        assert b"From: Ana Berg <ana@example.com>" in page.house.courier.contents[0]
        after = {"Accept": "ok", "Decide": "ok", "Deliver": "ok", "Log": "ok", "Verify": "skip"}
        assert await steps(ana, message) == after
        shown = (await ana.get(f"{HERE}?test={message}")).text
        assert "cannot be seen from here" in shown
        assert BCC not in shown
        assert await page.audited() == [f"ana test.sent {message}"]
        assert await page.house.names(message) != []


async def test_a_log_that_is_delayed_says_until_when(tmp_path: Path) -> None:
    """Within logging.delay the step names the time, and where it can still be stopped; the address stays in the form."""
    delay = "UPDATE delivery SET state = 'queued', next_attempt_at = ? WHERE role = 'log_copy'"
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        page.house.courier.gate.clear()
        message, later = await send(ana, CUSTOMER), page.clock.now() + 600 * 10**6
        await page.house.database.write(lambda tx: tx.execute(delay, (later,)))
        shown = (await ana.get(f"{HERE}?test={message}")).text
        assert "It is logged at 21 September 2026, 14:23; until then Today can still stop it." in shown
        assert f'value="{CUSTOMER}"' in shown


async def test_a_test_to_oneself_is_internal_and_the_page_says_so(tmp_path: Path) -> None:
    """It is forwarded and not logged; what to do instead stands there before and after."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        assert "Mail to yourself is internal" in (await ana.get(HERE)).text
        message = await send(ana, "ana@example.com")
        page.house.start()
        await page.house.wait_for(message, "sent", "skipped")
        assert await steps(ana, message) == {
            "Accept": "ok",
            "Decide": "skip",
            "Deliver": "ok",
            "Log": "skip",
            "Verify": "skip",
        }
        shown = (await ana.get(f"{HERE}?test={message}")).text
        assert "Send the test to an address as a customer has it" in shown
        assert "logging.exclude.internal" in shown


@pytest.mark.parametrize(
    ("outcome", "verdict", "told"),
    [(BUSY, "wait", "Nothing is lost"), (REFUSED, "bad", "Check the address")],
)
async def test_a_step_that_does_not_come_says_why(
    tmp_path: Path, outcome: object, verdict: str, told: str
) -> None:
    """The other server's answer, and what to do."""
    async with open_page(tmp_path) as page:
        page.house.courier.answers[CUSTOMER] = outcome  # type: ignore[assignment]
        bo = await page.signed_in("bo")
        message = await send(bo, CUSTOMER)
        page.house.start()
        await page.house.wait_for(message, "deferred" if verdict == "wait" else "bounced", "skipped")
        assert (await steps(bo, message))["Deliver"] == verdict
        shown = (await bo.get(f"{HERE}?test={message}")).text
        assert told in shown
        assert outcome.reply.text in shown  # type: ignore[attr-defined]
        assert "Activate the API or Email to Salesforce" in shown


async def test_the_steps_ask_for_themselves_until_nothing_is_awaited(tmp_path: Path) -> None:
    """204 while nothing has changed; at the end nothing asks any more."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        page.house.courier.gate.clear()
        message = await send(ana, CUSTOMER)
        shown = (await ana.get(f"{HERE}?test={message}")).text
        poll = re.search(r'hx-get="([^"]+)"', shown)
        assert poll is not None
        assert (await ana.get(poll[1])).status == 204
        page.house.courier.gate.set()
        page.house.start()
        await page.house.wait_for(message, "sent")
        async with asyncio.timeout(30):  # the log copy may be settled a moment after the recipient
            while "hx-get" in (after := await ana.get(poll[1])).text:  # noqa: ASYNC110 - over the page itself
                await asyncio.sleep(0.01)
        assert after.status == 200
        assert "<html" not in after.text


async def test_nobody_walks_the_mail_of_somebody_else(tmp_path: Path) -> None:
    """404 for another rep, an admin, and what is no id; the same as for a mail that does not exist."""
    async with open_page(tmp_path) as page:
        message = await send(await page.signed_in("ana"), CUSTOMER)
        for who in ("bo", "bea", "cid"):
            other = await page.signed_in(who)
            for target in (f"{HERE}?test={message}", f"{HERE}/test/{message}", f"{HERE}/test/..%2f"):
                assert (await other.get(target)).status == 404, (who, target)


@pytest.mark.parametrize(
    "recipient", ["", "nobody", "a@b@c", "x@example.com\r\nBcc: y@example.com", "a" * 400]
)
async def test_what_is_no_address_is_refused(tmp_path: Path, recipient: str) -> None:
    """422, and nothing is queued."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        assert (await ana.post(f"{HERE}/test", recipient=recipient)).status == 422
        assert page.actions.sent == []


async def test_tests_have_an_end(tmp_path: Path) -> None:
    """After ten in an hour the page says so: it is no way to send mail."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        answers = [(await ana.post(f"{HERE}/test", recipient=CUSTOMER)).status for _ in range(12)]
        assert set(answers) == {303, 429}
        assert len(page.actions.sent) == answers.count(303) <= 10


async def record_of(page: Page, message: QueueId, made: str) -> None:
    """Have the mail delivered and recorded as this EmailMessage."""
    page.house.start()
    await page.house.wait_for(message, "sent", "queued")

    def keep(tx: Transaction) -> None:
        (claimed,) = page.house.store.claim(tx, Transport.SALESFORCE, page.clock.now() + 10**9, 10, lease())
        (one,) = claimed.deliveries
        intended = Intended("key1", "EmailMessage", {}, related=(), summary="Email")
        login = page.rep("ana").login
        store, now = RecordStore(), page.clock.now()
        store.intend(tx, [Intention(one.id, message, login, "", [intended])], now)
        store.start(tx, [("key1", False)], now)
        store.made(tx, [("key1", Made(made, "EmailMessage"), False, "")], now)
        page.house.store.settle(tx, message, [Change(one.id, one.fence, State.SENT, None, "logged")])

    await page.house.database.write(keep)


async def test_the_record_is_looked_for_in_salesforce(tmp_path: Path, salesforce: Simulator) -> None:
    """In API mode the record stands in Salesforce, with its link; deleted there, the step says so."""
    user = rep(salesforce)
    people(salesforce, 1)
    async with connected_page(tmp_path, salesforce, user) as page:
        ana = await page.signed_in("ana")
        assert (await ana.post("/settings/salesforce/sync/api", do="activate")).status == 303
        message = await send(ana, CUSTOMER)
        assert (await steps(ana, message))["Log"] == "wait"
        made = salesforce.add("EmailMessage", Subject="Test", Status="3")
        await record_of(page, message, made)
        assert set((await steps(ana, message)).values()) == {"ok"}
        assert f'href="{salesforce.url}/{made}"' in (await ana.get(f"{HERE}?test={message}")).text
        salesforce.remove("EmailMessage", made)
        assert (await steps(ana, message))["Verify"] == "bad"


async def test_the_email_of_the_copy_is_looked_for_by_its_message_id(
    tmp_path: Path, salesforce: Simulator
) -> None:
    """In BCC mode with an organisation in the settings: not there yet, then there."""
    async with connected_page(tmp_path, salesforce, rep(salesforce)) as page:
        ana = await page.signed_in("ana")
        message = await send(ana, CUSTOMER)
        page.house.start()
        await page.house.wait_for(message, "sent")
        assert (await steps(ana, message))["Verify"] == "warn"
        salesforce.add("EmailMessage", Status="3", MessageIdentifier=f"<{message}@relay.example.com>")
        assert (await steps(ana, message))["Verify"] == "ok"
