"""*Users*: what an admin does for and about reps, and what is noted of it."""

from pathlib import Path

from relay.directory.credentials import Wrong
from tests.support.builders import new_message, to_recipient
from tests.support.page import APP_PASSWORD, PASSWORD, link_in, open_page

HERE = "/admin/users"


async def test_all_reps_are_listed(tmp_path: Path) -> None:
    """Each with where they were entered, how their mail is logged, and when they last sent; found by a word."""
    async with open_page(tmp_path) as page:
        message = new_message(number=page.house.runner.next_number())
        await page.house.accept(to_recipient(), message=message)
        cid = await page.signed_in("cid")
        text = (await cid.get(HERE)).text
        assert "5 users" in text
        assert text.count("never") == 4
        assert "config.yaml:" in text
        assert "relay user add" in text
        assert "Actions" not in text
        assert "1 user<" in (await cid.get(f"{HERE}?q=berg")).text


async def test_an_invitation_lets_a_rep_choose_a_password(tmp_path: Path) -> None:
    """The link is mailed to the rep, who chooses a password by it and is signed in."""
    async with open_page(tmp_path) as page:
        bea, bo = await page.signed_in("bea"), page.visitor()
        assert (await bea.post(f"{HERE}/invite", login="bo")).status == 303
        mail = (await page.mail())[-1]
        assert mail["to"] == "bo@example.com"
        link = link_in(mail)
        await bo.get(link)
        new = "quite another passphrase"
        assert (await bo.post(link, password=new, repeated=new)).status == 303
        assert (await bo.get("/settings/account")).status == 200
        assert (await bea.post(f"{HERE}/invite", login="dan")).status == 400
        assert (await bea.post(f"{HERE}/invite", login="nobody")).status == 404


async def test_a_lost_account_is_shut(tmp_path: Path) -> None:
    """Signed out everywhere, no app password left, and for a rep of the store: disabled. Each is noted."""
    async with open_page(tmp_path) as page:
        bea, ana = await page.signed_in("bea"), await page.signed_in("ana")
        await bea.post(f"{HERE}/sign-out", login="ana")
        assert (await ana.get("/settings/account")).status == 303
        await bea.post(f"{HERE}/revoke", login="ana")
        assert isinstance(await page.credentials.verify("ana", APP_PASSWORD.encode(), "192.0.2.1"), Wrong)
        assert (await bea.post(f"{HERE}/disable", login="ana", do="disable")).status == 400
        await bea.post(f"{HERE}/disable", login="dan", do="enable")
        assert not page.rep("dan").disabled
        dan = await page.signed_in("dan")
        await bea.post(f"{HERE}/disable", login="dan", do="disable")
        assert (await dan.get("/settings/account")).status == 303
        assert isinstance(await page.credentials.verify("dan", PASSWORD.encode(), "192.0.2.1"), Wrong)
        told = ["bea signed_out ana", "bea tokens.revoked ana", "bea enabled dan", "bea disabled dan"]
        assert await page.audited() == told
