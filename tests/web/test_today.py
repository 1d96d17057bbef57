"""Today and Message: what a rep sees of the mail they sent, and what they can do about it."""

import re
from pathlib import Path

from relay.delivery_kind import Role
from relay.ids import DeliveryId, QueueId, number_of, queue_id_of
from relay.queue.model import Change, State
from tests.support.builders import lease, log_copy, new_message, to_recipient
from tests.support.page import Page, open_page

CONTENT = b"From: ana@example.com\r\nSubject: Offer\r\nContent-Type: text/html\r\n\r\n<p>Hello <script>alert(1)</script>Anna</p><img src=x onerror=alert(2)>\r\n"


async def sent(
    page: Page, *, login: str = "ana", subject: str = "Offer", logging: State = State.HELD
) -> QueueId:
    """Put a message into the queue of which the recipient has been sent and the log copy stands as told."""
    number = page.actions.next_number()
    message = new_message(
        number=number, login=login, subject=subject, content=CONTENT, accepted_at=page.clock.now()
    )

    def keep(tx):  # type: ignore[no-untyped-def]  # a short unit of work
        given = page.house.store.accept(tx, message, [to_recipient(), log_copy()], lease=lease())
        changes = [
            Change(
                one.id, 1, State.SENT if one.role is Role.RECIPIENT else logging, None, "because of <b>it</b>"
            )
            for one in given
        ]
        page.house.store.settle(tx, queue_id_of(number), changes)

    await page.house.database.write(keep)
    return queue_id_of(number)


async def copy_of(page: Page, message: QueueId) -> tuple[DeliveryId, State]:
    """Give the log copy of a message and how it stands."""
    found = await page.house.database.read(lambda tx: page.house.store.message(tx, message))
    assert found is not None
    (one,) = (each for each in found.deliveries if each.role is Role.LOG_COPY)
    return one.id, one.state


async def test_ones_own_mail_is_listed_by_what_became_of_it(tmp_path: Path) -> None:
    """Held logging needs the rep; it is in that list and not among the logged."""
    async with open_page(tmp_path) as page:
        await sent(page, subject="Held offer")
        await sent(page, subject="Logged offer", logging=State.SENT)
        ana = await page.signed_in("ana")
        needs, logged = await ana.get("/today?show=needs_you"), await ana.get("/today?show=logged")
    assert "Held offer" in needs.text
    assert "Logged offer" not in needs.text
    assert "Logged offer" in logged.text
    assert "because of &lt;b&gt;it" in needs.text


async def test_nobody_elses_mail_is_listed(tmp_path: Path) -> None:
    """A rep sees their own, an admin's Today is the admin's own, too."""
    async with open_page(tmp_path) as page:
        await sent(page, subject="Secret offer")
        for login in ("bo", "bea"):
            answer = await (await page.signed_in(login)).get("/today")
            assert "Secret offer" not in answer.text


async def test_the_list_is_answered_204_until_something_changes(tmp_path: Path) -> None:
    """What asks every second or two costs next to nothing, and shows a change at the next time."""
    async with open_page(tmp_path) as page:
        message = await sent(page)
        ana = await page.signed_in("ana")
        first = await ana.get("/today/list")
        asked = first.text.split('hx-get="')[1].split('"')[0].replace("&amp;", "&")
        assert (await ana.get(asked)).status == 204
        key, _ = await copy_of(page, message)
        await ana.post(f"/deliveries/{key}/stop", role="log_copy")
        assert (await ana.get(asked)).status == 200


async def test_what_changes_is_shown_within_two_seconds(tmp_path: Path) -> None:
    """Today and the command center ask again so often, and what is held a moment before is in the answer."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        for path in ("/today", "/center"):
            text = (await ana.get(path)).text
            every = re.findall(r'hx-trigger="every (\d+)(ms|s)"', text)
            assert [int(number) * (1 if unit == "ms" else 1000) <= 2000 for number, unit in every] == [True]
            asked = text.split('hx-get="')[1].split('"')[0].replace("&amp;", "&")
            await sent(page, subject=f"Failed for {path}")
            assert f"Failed for {path}" in (await ana.get(asked)).text


async def test_a_rep_decides_that_a_mail_is_not_logged(tmp_path: Path) -> None:
    """The log copy is cancelled, the message closed, the page says so, and it is audited."""
    async with open_page(tmp_path) as page:
        message = await sent(page)
        key, _ = await copy_of(page, message)
        ana = await page.signed_in("ana")
        answer = await ana.follow(await ana.post(f"/deliveries/{key}/stop", role="log_copy"))
        assert "It will not be logged." in answer.text
        assert (await copy_of(page, message))[1] is State.CANCELLED
        assert f"ana delivery.cancelled {message}" in await page.audited()


async def test_a_rep_retries_a_held_log_copy(tmp_path: Path) -> None:
    """It is queued again and the service is woken."""
    async with open_page(tmp_path) as page:
        message = await sent(page)
        key, _ = await copy_of(page, message)
        ana = await page.signed_in("ana")
        await ana.post(f"/deliveries/{key}/retry", role="log_copy")
        assert (await copy_of(page, message))[1] is State.QUEUED
        assert page.actions.woken == 1
        await ana.post(f"/deliveries/{key}/stop", role="log_copy")
        for verb in ("retry", "stop"):  # from another tab
            answer = await ana.post(f"/deliveries/{key}/{verb}", role="log_copy")
            assert answer.location.endswith("said=too_late")
        assert (await copy_of(page, message))[1] is State.CANCELLED


async def test_nobody_touches_anothers_delivery(tmp_path: Path) -> None:
    """Neither another rep nor an admin, by the rep's own verbs; nothing is changed."""
    async with open_page(tmp_path) as page:
        message = await sent(page)
        key, _ = await copy_of(page, message)
        for login in ("bo", "bea", "cid"):
            other = await page.signed_in(login)
            await other.post(f"/deliveries/{key}/stop", role="log_copy")
            assert (await other.post(f"/deliveries/{key}/retry", role="log_copy")).status == 404
        assert (await copy_of(page, message))[1] is State.HELD


async def test_a_message_is_shown_to_its_rep_and_to_overseers_alone(tmp_path: Path) -> None:
    """Others learn no more than that there is nothing; the log copy's address is in no page."""
    async with open_page(tmp_path) as page:
        message = await sent(page)
        for login, status in (("ana", 200), ("bea", 200), ("cid", 200), ("bo", 404)):
            answer = await (await page.signed_in(login)).get(f"/messages/{message}")
            assert answer.status == status, login
            assert "a1b2c3d4e5" not in answer.text


async def test_the_body_is_for_its_owner_alone_and_reading_it_is_recorded(tmp_path: Path) -> None:
    """Not even an admin reads it; scripts are taken out, and the frame's policy forbids the rest."""
    async with open_page(tmp_path) as page:
        message = await sent(page)
        for login in ("bo", "bea", "cid"):
            assert (await (await page.signed_in(login)).get(f"/messages/{message}/body")).status == 404
        assert await page.audited() == []
        answer = await (await page.signed_in("ana")).get(f"/messages/{message}/body")
        assert "Anna" in answer.text
        assert "script" not in answer.text
        assert "onerror" not in answer.text
        assert "sandbox" in answer.header("content-security-policy")
        assert await page.audited() == [f"ana body.read {message}"]


async def test_no_odd_id_makes_trouble(tmp_path: Path) -> None:
    """Paths that name nothing are answered 404."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        for odd in ("x", "0" * 13, "Z" * 13, "..%2f..%2fetc", "' OR 1=1"):
            assert (await ana.get(f"/messages/{odd}")).status == 404
        for odd in ("x", "9" * 30, "-1"):
            assert (await ana.post(f"/deliveries/{odd}/stop", role="log_copy")).status in (303, 404)


async def test_a_countdown_goes_on_while_the_page_is_open(tmp_path: Path) -> None:
    """What waits for a time is shown with the seconds left, so the list is answered anew when one has passed."""
    async with open_page(tmp_path) as page:
        await sent(page, logging=State.DEFERRED)
        ana = await page.signed_in("ana")
        first = await ana.get("/today/list")
        asked = first.text.split('hx-get="')[1].split('"')[0].replace("&amp;", "&")
        assert (await ana.get(asked)).status == 204
        page.clock.advance(1)
        assert (await ana.get(asked)).status == 200


async def test_a_record_that_is_taken_back_changes_the_list(tmp_path: Path) -> None:
    """Only its record changes then, not the message or its deliveries; the open page shows it all the same."""
    async with open_page(tmp_path) as page:
        message = await sent(page, logging=State.SENT)
        ana = await page.signed_in("ana")
        first = await ana.get("/today/list")
        asked = first.text.split('hx-get="')[1].split('"')[0].replace("&amp;", "&")
        key, _ = await copy_of(page, message)
        add = "INSERT INTO record (key, message, delivery, login, identity, object, state, created_at, changed_at) VALUES ('k', ?, ?, 'ana', 'main', 'Task', 'undone', 1, 2)"
        await page.house.database.write(lambda tx: tx.execute(add, (number_of(message), key)))
        assert (await ana.get(asked)).status == 200


async def test_a_subject_is_shown_as_it_was_written(tmp_path: Path) -> None:
    """Quotes, backslashes and whatever else JSON writes otherwise come out as they went in."""
    async with open_page(tmp_path) as page:
        await sent(page, subject='Say "yes" \\u0041 \x01 é 🎉')
        assert (
            "Say &#34;yes&#34; \\u0041 \x01 é 🎉" in (await (await page.signed_in("ana")).get("/today")).text
        )
