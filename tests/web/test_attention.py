"""Needs attention and Diagnostics: failed and unmatched mail, and what its rep can do about it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from relay.clock import SystemClock
from relay.delivery_kind import Role, Transport
from relay.demo.salesforce.faults import Action, Injected
from relay.demo.salesforce.simulator import Simulator
from relay.ids import DeliveryId, Login, QueueId, queue_id_of
from relay.queue.model import Change, State
from relay.reminding import client_of
from relay.salesforce.client import SalesforceClient
from relay.salesforce.composed import Intended
from relay.salesforce.model import Category, Fault, FaultKind
from relay.salesforce.record_rows import Intention, Told
from relay.salesforce.store import RecordStore
from relay.storage.database import Transaction
from relay.web.amiss import LIMIT, LIMIT_OF_ALL, amiss
from relay.web.pages.attention import record_id
from tests.support.builders import lease, new_message, record, to_recipient
from tests.support.page import SETTINGS, Page, open_page
from tests.support.salesforce import settings as salesforce_settings

RULE = Fault(
    FaultKind.RULE, Category.ACCESS, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "Say <i>why</i>", ("Subject",), 400
)


async def held(
    page: Page, *, login: str = "ana", fault: Fault | None = RULE, unmatched: tuple[str, ...] = ()
) -> tuple[QueueId, DeliveryId]:
    """Put a message into the queue that was delivered and whose record is held."""
    number = page.actions.next_number()
    queue_id = queue_id_of(number)

    def keep(tx: Transaction) -> DeliveryId:
        message = new_message(number=number, login=login, subject=f"Offer of {login}")
        recipient, waiting = page.house.store.accept(tx, message, [to_recipient(), record()], lease=lease())
        page.house.store.settle(tx, queue_id, [Change(recipient.id, 1, State.SENT, None, "250 ok")])
        (claimed,) = page.house.store.claim(tx, waiting.transport, page.clock.now() + 10**9, 10, lease())
        (one,) = claimed.deliveries
        page.house.store.settle(tx, queue_id, [Change(one.id, one.fence, State.HELD, None, "Say <i>why</i>")])
        told = Told(one.id, queue_id, Login(login), unmatched=unmatched, fault=fault)
        RecordStore().tell(tx, [told], page.clock.now())
        return one.id

    return queue_id, await page.house.database.write(keep)


async def state_of(page: Page, message: QueueId) -> State:
    """Give how the record of a message stands."""
    found = await page.house.database.read(lambda tx: page.house.store.message(tx, message))
    assert found is not None
    return next(one.state for one in found.deliveries if one.role is Role.RECORD)


@asynccontextmanager
async def asked_by(page: Page) -> AsyncIterator[SalesforceClient]:
    """Give the page a client of Salesforce for as long as this lasts."""
    page.actions.client = client_of(page.actions.configuration(), SystemClock(), page.house.database)
    assert page.actions.client is not None
    try:
        yield page.actions.client
    finally:
        await page.actions.client.close()


async def related_to(page: Page, delivery: DeliveryId) -> tuple[str, ...]:
    """Give the records that somebody named for a message."""
    told = await page.house.database.read(lambda tx: RecordStore().recordings(tx, [delivery]))
    return told[delivery].related_to


async def lead_said(page: Page, delivery: DeliveryId, address: str) -> str:
    """Press *Create lead* as ana; give what is said of it."""
    ana = await page.signed_in("ana")
    answer = await ana.post("/attention/lead", delivery=str(delivery), address=address)
    return answer.location.rpartition("=")[2]


async def test_what_failed_is_explained_and_offered_again(tmp_path: Path) -> None:
    """Grouped by its code, with what it means in plain words; retrying the group queues it."""
    async with open_page(tmp_path) as page:
        message, key = await held(page)
        ana = await page.signed_in("ana")
        text = (await ana.get("/attention")).text
        assert "FIELD_CUSTOM_VALIDATION_EXCEPTION" in text
        assert "Say &lt;i&gt;why" in text
        answer = await ana.follow(await ana.post("/attention/retry", delivery=[str(key)]))
        assert "It is being tried again." in answer.text
        assert await state_of(page, message) is State.QUEUED
        assert page.actions.woken == 1


async def given_up(page: Page, state: State, reason: str, at: int | None = None) -> DeliveryId:
    """Put a message of ana's into the queue whose record stands so."""
    number = page.actions.next_number()
    queue_id = queue_id_of(number)

    def keep(tx: Transaction) -> DeliveryId:
        message = new_message(number=number, login="ana", subject=f"No. {number}")
        recipient, waiting = page.house.store.accept(tx, message, [to_recipient(), record()], lease=lease())
        page.house.store.settle(tx, queue_id, [Change(recipient.id, 1, State.SENT, None, "250 ok")])
        (claimed,) = page.house.store.claim(tx, waiting.transport, page.clock.now() + 10**9, 10, lease())
        (one,) = claimed.deliveries
        page.house.store.settle(tx, queue_id, [Change(one.id, one.fence, state, at, reason)])
        return one.id

    return await page.house.database.write(keep)


def asked_of(text: str) -> str:
    """Give what the list of a page asks for again."""
    return text.split('hx-get="')[1].split('"')[0].replace("&amp;", "&")


@pytest.mark.parametrize("path", ["/attention", "/diagnostics"])
async def test_the_list_is_live(tmp_path: Path, path: str) -> None:
    """It is answered 204 until mail fails, is tried again or is dismissed; mail that goes well changes nothing."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        first = (await ana.get(path)).text
        assert 'hx-trigger="every 1500ms"' in first
        seen = [asked_of(first)]
        assert (await ana.get(seen[-1])).status == 204
        _, key = await held(page)
        deferred = await given_up(page, State.DEFERRED, "451 later", page.clock.now() + 10**10)
        text = (await ana.get(seen[-1], hx_request="true")).text
        assert "FIELD_CUSTOM_VALIDATION_EXCEPTION" in text
        assert "1 mail needs attention." in text
        assert "<h1>" not in text
        for change in (
            lambda: given_up(page, State.BOUNCED, "550 never"),
            lambda: ana.post("/attention/dismiss", delivery=[str(key)]),
            lambda: ana.post("/attention/retry", delivery=[str(deferred)]),
        ):
            seen.append(asked_of((await ana.get(seen[-1])).text))
            assert (await ana.get(seen[-1])).status == 204
            await given_up(page, State.SENT, "201 Created")
            await held(page, login="bo")
            assert (await ana.get(seen[-1])).status == 204
            await change()
            assert (await ana.get(seen[-1])).status == 200


@pytest.mark.parametrize("login", ["bea", "cid"])
async def test_everybodys_diagnostics_are_live(tmp_path: Path, login: str) -> None:
    """Answered 204 until mail of anybody fails, or is tried again; mail that goes well changes nothing."""
    async with open_page(tmp_path) as page:
        reader, ana = await page.signed_in(login), await page.signed_in("ana")
        first = (await reader.get("/diagnostics?category=Access/Validation")).text
        assert 'hx-trigger="every 1500ms"' in first
        seen = asked_of(first)
        _, key = await held(page)
        deferred = await given_up(page, State.DEFERRED, "451 later", page.clock.now() + 10**10)
        for change in (
            lambda: held(page, login="bo"),
            lambda: ana.post("/attention/dismiss", delivery=[str(key)]),
            lambda: ana.post("/attention/retry", delivery=[str(deferred)]),
        ):
            answer = await reader.get(seen, hx_request="true")
            assert "FIELD_CUSTOM_VALIDATION_EXCEPTION" in answer.text
            seen = asked_of(answer.text)
            assert "category=Access" in seen
            await given_up(page, State.SENT, "201 Created")
            assert (await reader.get(seen)).status == 204
            await change()
            assert (await reader.get(seen)).status == 200


async def accepted(page: Page, count: int) -> None:
    """Put messages of ana's into the queue that were delivered, and whose records are due."""
    numbers = [page.actions.next_number() for _ in range(count)]

    def keep(tx: Transaction) -> None:
        for number in numbers:
            message = new_message(number=number, login="ana", subject=f"No. {number}")
            (recipient, _) = page.house.store.accept(tx, message, [to_recipient(), record()], lease=lease())
            sent = Change(recipient.id, 1, State.SENT, None, "250 ok")
            page.house.store.settle(tx, queue_id_of(number), [sent])

    await page.house.database.write(keep)


async def end(page: Page, state: State, count: int = 1) -> list[DeliveryId]:
    """Have the records that are due the longest end so."""

    def settle(tx: Transaction) -> list[DeliveryId]:
        claimed = page.house.store.claim(tx, Transport.SALESFORCE, page.clock.now() + 10**9, count, lease())
        for one in claimed:
            (each,) = one.deliveries
            change = Change(each.id, each.fence, state, None, "Say <i>why</i>")
            page.house.store.settle(tx, each.message, [change])
        return [one.deliveries[0].id for one in claimed]

    return await page.house.database.write(settle)


@pytest.mark.parametrize("path", ["/attention", "/diagnostics"])
async def test_an_old_mail_whose_log_fails_is_shown_however_many_newer_ones_there_are(
    tmp_path: Path, path: str
) -> None:
    """A thousand newer mails beside it, the open list shows what is held, bounced and given up at its next asking."""
    async with open_page(tmp_path) as page:
        await accepted(page, 3)
        page.clock.advance(86_400)
        await accepted(page, 1000)
        ana = await page.signed_in("ana")
        seen = asked_of((await ana.get(path)).text)
        for state in (State.HELD, State.BOUNCED, State.EXPIRED):
            assert (await ana.get(seen)).status == 204
            (key,) = await end(page, state)
            answer = await ana.get(seen)
            assert answer.status == 200
            assert f'id="mail-{key}"' in answer.text
            seen = asked_of(answer.text)
        await end(page, State.SENT, 1000)
        assert (await ana.get(seen)).status == 204
        assert (await ana.get(path)).text.count('id="mail-') == 3


@pytest.mark.parametrize("few", [0, 5000])
async def test_the_same_is_found_however_much_is_amiss(tmp_path: Path, few: int) -> None:
    """Whether all that is amiss is gone through or all mail of the rep: what is open, and what failed in thirty days."""
    async with open_page(tmp_path) as page:
        _, old = await held(page)
        await given_up(page, State.BOUNCED, "550 long ago")
        page.clock.advance(31 * 86_400)
        _, key = await held(page)
        bounced = await given_up(page, State.BOUNCED, "550 never")
        later = await given_up(page, State.DEFERRED, "451 later", page.clock.now() + 10**10)
        await held(page, login="bo")
        await given_up(page, State.SENT, "201 Created")
        found = await page.house.database.read(
            lambda tx: amiss(tx, Login("ana"), "ana", page.clock.now(), few=few)
        )
        assert found.ids == (old, key, bounced, later)


async def test_a_long_list_of_everybodys_asks_less_often(tmp_path: Path) -> None:
    """A rep's own is as quick as ever, and all of it is there."""
    async with open_page(tmp_path) as page:
        await accepted(page, 101)
        await end(page, State.HELD, 101)
        for login, every in (("bea", "6s"), ("ana", "1500ms")):
            text = (await (await page.signed_in(login)).get("/diagnostics")).text
            assert f'hx-trigger="every {every}"' in text
            assert text.count('id="mail-') == 101


async def test_a_flood_of_retries_does_not_hide_what_was_given_up(tmp_path: Path) -> None:
    """What nothing more is tried for stands before what is tried again by itself."""
    async with open_page(tmp_path) as page:
        for _ in range(LIMIT):
            await given_up(page, State.DEFERRED, "451 later", page.clock.now() + 10**10)
        await given_up(page, State.BOUNCED, "550 never")
        assert "550 never" in (await (await page.signed_in("ana")).get("/attention")).text


async def test_what_waits_for_somebody_is_shown_beside_an_outage(tmp_path: Path) -> None:
    """However much is only to be tried again, what needs the person stands there."""
    async with open_page(tmp_path) as page:
        for _ in range(LIMIT):
            await given_up(page, State.DEFERRED, "451 later", page.clock.now() + 10**10)
        await held(page)
        text = (await (await page.signed_in("ana")).get("/attention")).text
        assert "FIELD_CUSTOM_VALIDATION_EXCEPTION" in text


async def test_a_list_that_is_cut_says_so(tmp_path: Path) -> None:
    """How many there are stands beside how many are shown, for one rep and for all, and not where all are shown."""
    said = f"{{}} of {LIMIT + 2} are shown, oldest first"
    async with open_page(tmp_path) as page:
        for _ in range(LIMIT):
            await given_up(page, State.DEFERRED, "451 later", page.clock.now() + 10**10)
        ana, bea = await page.signed_in("ana"), await page.signed_in("bea")
        assert "are shown" not in (await ana.get("/attention")).text
        for _ in range(2):
            await held(page)
        lists = (ana, "/attention", LIMIT), (ana, "/diagnostics", LIMIT), (bea, "/diagnostics", LIMIT_OF_ALL)
        for visitor, path, shown in lists:
            assert said.format(shown) in (await visitor.get(path)).text, path


async def test_nothing_is_offered_again_that_nothing_more_is_tried_for(tmp_path: Path) -> None:
    """A group whose mails were all given up has no button that would do nothing."""
    async with open_page(tmp_path) as page:
        for _ in range(2):
            await given_up(page, State.BOUNCED, "550 5.1.1 gone")
        text = (await (await page.signed_in("ana")).get("/attention")).text
        assert "550 5.1.1 gone" in text
        assert "/attention/dismiss" in text
        assert "/attention/retry" not in text


async def test_diagnostics_shows_a_row_with_category_code_and_advice(tmp_path: Path) -> None:
    """To its rep, and to admins for everybody; not to another rep."""
    async with open_page(tmp_path) as page:
        await held(page)
        for login, there in (("ana", True), ("bea", True), ("cid", True), ("bo", False)):
            text = (await (await page.signed_in(login)).get("/diagnostics?category=Access/Validation")).text
            assert ("FIELD_CUSTOM_VALIDATION_EXCEPTION" in text) is there, login


async def test_diagnostics_shows_recipient_and_record(tmp_path: Path, salesforce: Simulator) -> None:
    """Whom the mail went to, what was to be made, and where what it stands on is in Salesforce."""
    async with open_page(tmp_path, SETTINGS + salesforce_settings(salesforce, tmp_path)) as page:
        message, key = await held(page)
        await held(page)
        made = Intended("key1", "Task", {}, related=("003000000000001AAA",))
        intention = Intention(key, message, Login("ana"), "", [made])
        await page.house.database.write(
            lambda tx: RecordStore().intend(tx, [intention], page.clock.now()) and None
        )
        text = (await (await page.signed_in("ana")).get("/diagnostics")).text
        assert text.count("To customer@example.org") == 2
        assert f'href="/messages/{message}"' in text
        assert "Task not made" in text
        assert f'href="{salesforce.url}/003000000000001AAA"' in text
        assert "Record: none yet" in text


async def test_advice_is_given_in_the_reader_s_language(tmp_path: Path) -> None:
    """Of a fault of Salesforce's, and of the playbook where there is no fault; commands stay as they are typed."""
    async with open_page(tmp_path) as page:
        await held(page)
        await held(page, fault=None)
        ana = await page.signed_in("ana")
        await ana.post("/settings/account", language="sv", time_zone="Europe/Stockholm")
        text = (await ana.get("/attention")).text
        assert "En valideringsregel i din organisation" in text
        assert "Någon har hållit kvar det" in text
        assert "<code>relay queue release</code>" in text
        assert "Somebody held it" not in text


async def test_an_unmatched_mail_is_related_by_the_address_of_a_record(tmp_path: Path) -> None:
    """What was named is kept for its delivery, which is due at once."""
    async with open_page(tmp_path) as page:
        message, key = await held(page, fault=None, unmatched=("anna@customer.example",))
        ana = await page.signed_in("ana")
        target = "https://example.lightning.force.com/lightning/r/Contact/003000000000001AAA/view"
        await ana.post("/attention/relate", delivery=str(key), record=target)
        rows = await page.house.database.read(lambda tx: RecordStore().recordings(tx, [key]))
        assert rows[key].related_to == ("003000000000001AAA",)
        assert await state_of(page, message) is State.QUEUED


async def test_whoever_is_related_or_made_a_lead_is_looked_up_anew(
    tmp_path: Path, salesforce: Simulator
) -> None:
    """What recording knew of the address before does not count any more."""
    async with open_page(tmp_path, SETTINGS + salesforce_settings(salesforce, tmp_path)) as page:
        _, first = await held(page, fault=None, unmatched=("anna@customer.example",))
        _, second = await held(page, fault=None, unmatched=("olle@customer.example",))
        ana = await page.signed_in("ana")
        client = client_of(page.actions.configuration(), SystemClock(), page.house.database)
        page.actions.client = client
        try:
            answer = await ana.post("/attention/lead", delivery=str(first), address="anna@customer.example")
        finally:
            await client.close()
        assert answer.location.endswith("said=lead_made")
        assert page.actions.forgotten == ["anna@customer.example"]
        await ana.post("/attention/relate", delivery=str(second), record="003000000000001AAA")
        assert page.actions.forgotten == ["anna@customer.example", "olle@customer.example"]


async def test_two_clicks_and_two_mails_make_one_lead(tmp_path: Path, salesforce: Simulator) -> None:
    """What is sent again while Salesforce is asked, or afterwards for another mail, is answered with the lead that was made."""
    async with open_page(tmp_path, SETTINGS + salesforce_settings(salesforce, tmp_path)) as page:
        address = "anna@customer.example"
        kept = [await held(page, fault=None, unmatched=(address,)) for _ in range(3)]
        first, second, third = (str(key) for _, key in kept)
        ana = await page.signed_in("ana")
        client = client_of(page.actions.configuration(), SystemClock(), page.house.database)
        page.actions.client = client
        try:
            answers = await asyncio.gather(
                *(
                    ana.post("/attention/lead", delivery=one, address=address)
                    for one in (first, first, second)
                )
            )
            answers.append(await ana.post("/attention/lead", delivery=third, address="Anna@customer.example"))
            answers.append(await ana.post("/attention/lead", delivery=third, address=address))
        finally:
            await client.close()
        said = [one.location.rpartition("=")[2] for one in answers]
        assert said == ["lead_made", "lead_made", "lead_made", "", "lead_made"]
        (lead,) = salesforce.rows("Lead")
        rows = await page.house.database.read(
            lambda tx: RecordStore().recordings(tx, [key for _, key in kept])
        )
        assert {row.related_to for row in rows.values()} == {(lead["Id"],)}
        assert [await state_of(page, message) for message, _ in kept] == [State.QUEUED] * 3


@pytest.mark.parametrize("elsewhere", [False, True], ids=["the same page", "after a restart"])
async def test_a_lead_whose_answer_was_lost_is_found_again(
    tmp_path: Path, salesforce: Simulator, elsewhere: bool
) -> None:
    """The connection breaks after Salesforce has made it: pressed again, the mail is related to it, and there is one."""
    settings, address = SETTINGS + salesforce_settings(salesforce, tmp_path), "anna@customer.example"
    async with open_page(tmp_path, settings) as page, asked_by(page):
        kept = await held(page, fault=None, unmatched=(address,))
        salesforce.inject(Injected(Action.RESET_AFTER_COMMIT, path="/sobjects/Lead/?$"))
        assert await lead_said(page, kept[1], address) == "lead_unsure"
        if not elsewhere:
            assert await lead_said(page, kept[1], address) == "lead_made"
    if elsewhere:
        async with open_page(tmp_path, settings) as page, asked_by(page):
            assert await lead_said(page, kept[1], address) == "lead_made"
            assert await lead_said(page, kept[1], address) == "lead_made"
            assert await related_to(page, kept[1]) == (salesforce.rows("Lead")[0]["Id"],)
    assert len(salesforce.rows("Lead")) == 1


async def test_a_lead_that_may_yet_be_made_is_waited_for(tmp_path: Path, salesforce: Simulator) -> None:
    """Without an answer nothing is asked for again until Salesforce cannot be at it any more; then it is."""
    address = "anna@customer.example"
    async with open_page(tmp_path, SETTINGS + salesforce_settings(salesforce, tmp_path)) as page:
        kept = await held(page, fault=None, unmatched=(address,))
        async with asked_by(page) as client:
            salesforce.inject(Injected(Action.RESET_BEFORE, path="/sobjects/Lead/?$"))
            said = [await lead_said(page, kept[1], address) for _ in range(2)]
            assert (said, salesforce.rows("Lead")) == (["lead_unsure"] * 2, [])
            page.clock.advance(client.answers_within + 1)
            assert await lead_said(page, kept[1], address) == "lead_made"
            assert len(salesforce.rows("Lead")) == 1


async def test_no_lead_is_made_beside_who_has_the_address_by_now(
    tmp_path: Path, salesforce: Simulator
) -> None:
    """Somebody has entered a contact in Salesforce since: the mail is related to that one."""
    settings, address = SETTINGS + salesforce_settings(salesforce, tmp_path), "anna@customer.example"
    async with open_page(tmp_path, settings) as page, asked_by(page):
        _, key = await held(page, fault=None, unmatched=(address,))
        contact = salesforce.add("Contact", LastName="Anna", Email=address)
        await lead_said(page, key, address)
        assert salesforce.rows("Lead") == []
        assert await related_to(page, key) == (contact,)


async def test_two_processes_make_one_lead(tmp_path: Path, salesforce: Simulator) -> None:
    """Whoever comes second sees in the store that it was asked for, and finds it when asked again."""
    settings, address = SETTINGS + salesforce_settings(salesforce, tmp_path), "anna@customer.example"
    async with open_page(tmp_path, settings) as page, open_page(tmp_path, settings) as other:
        kept = await held(page, fault=None, unmatched=(address,))
        async with asked_by(page), asked_by(other):
            salesforce.toggles.latency = 0.3
            said = await asyncio.gather(*(lead_said(one, kept[1], address) for one in (page, other)))
            salesforce.toggles.latency = 0.0
            assert {"lead_made"} <= set(said) <= {"lead_made", "lead_unsure"}
            assert await lead_said(other, kept[1], address) == "lead_made"
        assert len(salesforce.rows("Lead")) == 1


async def test_a_text_that_is_no_record_changes_nothing(tmp_path: Path) -> None:
    """The page says what is expected."""
    async with open_page(tmp_path) as page:
        message, key = await held(page, fault=None, unmatched=("anna@customer.example",))
        ana = await page.signed_in("ana")
        answer = await ana.follow(await ana.post("/attention/relate", delivery=str(key), record="Anna"))
        assert "no record of Salesforce" in answer.text
        assert await state_of(page, message) is State.HELD


@pytest.mark.parametrize("pattern", ["anna@customer.example", "*@customer.example"])
async def test_ignoring_leaves_such_mail_out_from_now_on(tmp_path: Path, pattern: str) -> None:
    """An address or a domain becomes a personal exclusion, and what waited for it is given up with that reason."""
    async with open_page(tmp_path) as page:
        message, key = await held(page, fault=None, unmatched=("anna@customer.example",))
        ana = await page.signed_in("ana")
        await ana.post("/attention/ignore", delivery=str(key), pattern=pattern)
        exclude = page.rep("ana").exclude
        assert exclude is not None
        assert pattern in exclude.recipients
        assert await state_of(page, message) is State.CANCELLED


async def test_nothing_is_lost_that_two_tabs_ignore_at_once(tmp_path: Path) -> None:
    """Each adds to the personal exclusions what it was asked to, beside what the other adds."""
    async with open_page(tmp_path) as page:
        addresses = [f"somebody{n}@customer{n}.example" for n in range(4)]
        kept = [await held(page, fault=None, unmatched=(address,)) for address in addresses]
        ana = await page.signed_in("ana")
        await asyncio.gather(
            *(
                ana.post("/attention/ignore", delivery=str(key), pattern=address)
                for (_, key), address in zip(kept, addresses, strict=True)
            )
        )
        exclude = page.rep("ana").exclude
        assert exclude is not None
        assert sorted(exclude.recipients) == addresses


async def test_odd_patterns_are_refused(tmp_path: Path) -> None:
    """Nobody leaves everything out by accident."""
    async with open_page(tmp_path) as page:
        message, key = await held(page, fault=None, unmatched=("anna@customer.example",))
        ana = await page.signed_in("ana")
        for pattern in ("*", "*@*", "a*@customer.example", "", "<script>", '"a b"@x.example'):
            assert (await ana.post("/attention/ignore", delivery=str(key), pattern=pattern)).status == 400
        assert await state_of(page, message) is State.HELD


async def test_dismissing_gives_up_and_hides(tmp_path: Path) -> None:
    """It is cancelled with that reason, and is in neither list any more."""
    async with open_page(tmp_path) as page:
        message, key = await held(page)
        ana = await page.signed_in("ana")
        await ana.post("/attention/dismiss", delivery=str(key))
        assert await state_of(page, message) is State.CANCELLED
        assert message not in (await ana.get("/attention")).text
        assert message not in (await ana.get("/diagnostics")).text


@pytest.mark.parametrize(
    ("verb", "more", "said"),
    [
        ("retry", {}, ("retried", "too_late")),
        ("dismiss", {}, ("dismissed", "too_late")),
        ("relate", {"record": "003000000000001AAA"}, ("related", "too_late")),
        ("ignore", {"pattern": "anna@customer.example"}, ("ignored", "ignored")),
    ],
)
async def test_what_is_sent_twice_is_done_once(
    tmp_path: Path, verb: str, more: dict[str, str], said: tuple[str, str]
) -> None:
    """From another tab, after a restart: the second changes nothing, and says so instead of failing."""
    seen = []
    for number, expected in enumerate(said):
        async with open_page(tmp_path) as page:
            if number == 0:
                message, key = await held(page, fault=None, unmatched=("anna@customer.example",))
            ana = await page.signed_in("ana")
            other = {"record": "003000000000002AAA"} if number else {}
            answer = await ana.post(f"/attention/{verb}", delivery=str(key), **(more | other))
            assert answer.location.endswith(f"said={expected}")
            done = [one for one in await page.audited() if "settings.changed" not in one]
            seen.append(
                (await state_of(page, message), await related_to(page, key), page.rep("ana").exclude, done)
            )
    assert seen[0] == seen[1]


async def test_nobody_acts_on_anothers_mail(tmp_path: Path) -> None:
    """Every verb answers 404 to everybody else, admins among them, and changes nothing."""
    async with open_page(tmp_path) as page:
        message, key = await held(page, fault=None, unmatched=("anna@customer.example",))
        for login in ("bo", "bea"):
            other = await page.signed_in(login)
            for verb, more in (
                ("retry", {}),
                ("dismiss", {}),
                ("relate", {"record": "003000000000001AAA"}),
                ("lead", {"address": "anna@customer.example"}),
                ("ignore", {"pattern": "anna@customer.example"}),
            ):
                answer = await other.post(f"/attention/{verb}", delivery=str(key), **more)
                assert answer.status == 404, (login, verb)
        assert await state_of(page, message) is State.HELD
        assert page.rep("bo").exclude is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("003000000000001AAA", "003000000000001AAA"),
        ("https://x.lightning.force.com/lightning/r/Lead/00Q000000000001AAA/view", "00Q000000000001AAA"),
        ("https://x.my.salesforce.com/006000000000001?x=1", "006000000000001"),
        ("005000000000001AAA", ""),
        ("Anna Berg", ""),
        ("", ""),
    ],
)
def test_a_record_is_found_in_what_was_typed(text: str, found: str) -> None:
    """An id or the address of a page; a user is no record that mail stands on."""
    assert record_id(text) == found


async def test_mail_that_is_matched_again_says_when_and_its_page_leads_here(tmp_path: Path) -> None:
    """Diagnostics shows the next automatic try; the page of the mail has the way to what can be done."""
    async with open_page(tmp_path) as page:
        message, key = await held(page, fault=None, unmatched=("kim@buyer.example",))
        again = page.clock.now() + 3600 * 10**6
        told = Told(key, message, Login("ana"), unmatched=("kim@buyer.example",), rematch_at=again)
        await page.house.database.write(lambda tx: RecordStore().tell(tx, [told], page.clock.now()))
        ana = await page.signed_in("ana")
        shown = (await ana.get("/diagnostics")).text
        assert "needs action" not in shown
        assert "15:13" in shown
        assert 'class="button" href="/attention"' in (await ana.get(f"/messages/{message}")).text
