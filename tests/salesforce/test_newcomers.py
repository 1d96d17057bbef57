"""Who is made a lead or a contact, since nobody has the address (logging.match.nobody), is made once."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from relay.demo.salesforce.faults import Action, Injected
from relay.demo.salesforce.simulator import Simulator
from relay.queue.selection import Selection
from tests.support.recording_house import recording_house
from tests.support.salesforce import salesforce as salesforce

STRANGER = "stranger@new.example"


async def test_a_newcomer_of_many_mails_is_made_once(tmp_path: Path, salesforce: Simulator) -> None:
    """Many mails to a stranger make one lead, and all stand on it."""
    async with recording_house(tmp_path, salesforce, "  match: {nobody: create_lead}", start=False) as house:
        messages = [await house.accept(STRANGER, login=login) for login in ("ana", "bo", "ana")]
        house.start()
        await house.recorded(*messages)
        (lead,) = salesforce.rows("Lead")
        assert {(await house.row(one)).related for one in messages} == {(lead["Id"],)}


async def test_a_newcomer_that_was_made_unseen(tmp_path: Path, salesforce: Simulator) -> None:
    """The answer to the creation of a lead is lost: the next attempt finds the lead, and makes no second one."""
    async with recording_house(tmp_path, salesforce, "  match: {nobody: create_lead}") as house:
        salesforce.inject(Injected(Action.RESET_AFTER_COMMIT, path="/sobjects/Lead/?$"))
        message = await house.accept(STRANGER)
        await house.tried(message)
        house.later(60)
        await house.recorded(message)
        assert len(salesforce.rows("Lead")) == 1


@pytest.mark.parametrize("nobody", ["create_lead", "create_contact"])
async def test_a_newcomer_that_is_made_late(tmp_path: Path, salesforce: Simulator, nobody: str) -> None:
    """Salesforce makes the lead after nobody waited any more: all mail to the address waits, and it is there once."""
    object = {"create_lead": "Lead", "create_contact": "Contact"}[nobody]
    match = f"  match: {{nobody: {nobody}}}"
    async with recording_house(
        tmp_path, salesforce, match, start=False, more="  timeout: 8s\n", kind="jwt"
    ) as house:
        salesforce.inject(Injected(Action.LATE, path=f"/sobjects/{object}/?$", seconds=600.0))
        house.start()
        message = await house.accept(STRANGER)
        await house.tried(message)
        await house.database.write(
            lambda tx: house.queue.retry(tx, Selection(message=message), house.clock.now())
        )
        house.try_now()
        other = await house.accept(STRANGER, login="bo")
        async with asyncio.timeout(30):
            for one in (message, other):
                while "not known yet" not in (await house.delivery(one)).reason:  # noqa: ASYNC110 - it is in the store
                    await asyncio.sleep(0.01)
        salesforce.advance(timedelta(seconds=600))
        async with asyncio.timeout(30):
            while not salesforce.rows(object):  # noqa: ASYNC110 - it is in another thread
                await asyncio.sleep(0.01)
        house.later(60)
        await house.recorded(message, other)
        (person,) = salesforce.rows(object)
        assert {(await house.row(one)).related[0] for one in (message, other)} == {person["Id"]}


async def test_a_newcomer_that_is_not_seen_by_who_looks_up(tmp_path: Path, salesforce: Simulator) -> None:
    """Whom the rep has made, and another rep does not see: the rep's next mail stands on the same lead."""
    salesforce.toggles.private_objects = frozenset({"Lead"})
    match = "  match: {nobody: create_lead}"
    async with recording_house(tmp_path, salesforce, match, kind="jwt") as house:
        first = await house.accept(STRANGER, login="bo")
        await house.recorded(first)
        again = await house.accept(STRANGER, login="bo")
        await house.recorded(again)
        (lead,) = salesforce.rows("Lead")
        assert {(await house.row(one)).related for one in (first, again)} == {(lead["Id"],)}


async def test_a_newcomer_that_was_deleted(tmp_path: Path, salesforce: Simulator) -> None:
    """Who was made and then deleted is made anew for the next mail."""
    async with recording_house(tmp_path, salesforce, "  match: {nobody: create_lead}") as house:
        await house.recorded(await house.accept(STRANGER))
        (lead,) = salesforce.rows("Lead")
        salesforce.remove("Lead", str(lead["Id"]))
        house.later(900)
        await house.recorded(await house.accept(STRANGER))
        (anew,) = salesforce.rows("Lead")
        assert anew["Id"] != lead["Id"]


async def test_a_newcomer_of_somebody_who_may_not_sign_in_any_more(
    tmp_path: Path, salesforce: Simulator
) -> None:
    """Who was made by a rep that has left, and then deleted: the mail of others to the address does not wait for that rep."""
    match = "  match: {nobody: create_lead}"
    async with recording_house(tmp_path, salesforce, match, kind="jwt") as house:
        strangers = [STRANGER, "another@new.example"]
        await house.recorded(*[await house.accept(one, login="bo") for one in strangers])
        for lead in salesforce.rows("Lead"):
            salesforce.remove("Lead", str(lead["Id"]))
        (user,) = [row for row in salesforce.rows("User") if row["Username"] == "bo@example.com.crm"]
        salesforce.edit("User", str(user["Id"]), IsActive=False)
        salesforce.expire_tokens()
        for one in strangers:
            message = await house.accept(one, login="ana")
            await house.recorded(message)
            (anew,) = [row for row in salesforce.rows("Lead") if row["Email"] == one]
            assert (await house.row(message)).related == (anew["Id"],)
