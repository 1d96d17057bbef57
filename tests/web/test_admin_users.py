"""*Users*: what an admin does for and about reps, and what is noted of it."""

from pathlib import Path

from relay.config.model import Mode
from relay.directory.credentials import Verdict, Wrong
from relay.directory.store import DirectoryStore, RepChange
from tests.support.builders import new_message, to_recipient
from tests.support.page import APP_PASSWORD, PASSWORD, SETTINGS, Page, link_in, open_page

HERE = "/admin/users"


async def sign_in(page: Page, secret: str) -> Verdict:
    """Sign ana in at SMTP."""
    return await page.credentials.verify("ana", secret.encode(), "192.0.2.1")


async def entering(page: Page) -> bool:
    """Sign ana in at the page by password; tell whether that worked."""
    visitor = page.visitor()
    await visitor.get("/sign-in")
    return (await visitor.post("/sign-in", login="ana", password=PASSWORD)).status == 303


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


async def test_who_has_no_address_is_not_invited(tmp_path: Path) -> None:
    """There is nowhere to mail a link to: no such button, and no fault where it is pressed nevertheless."""
    async with open_page(tmp_path) as page:
        nowhere = RepChange(mode=Mode.OFF, addresses=())
        await page.house.database.write(lambda tx: DirectoryStore().add(tx, "eve", nowhere, page.clock.now()))
        await page.actions.take_changes()
        bea = await page.signed_in("bea")
        assert "/admin/users/invite" not in (await bea.get("/admin/users?q=eve")).text
        assert (await bea.post("/admin/users/invite", login="eve")).status == 400


async def test_a_lost_account_is_shut(tmp_path: Path) -> None:
    """Signed out everywhere, no app password left, and for a rep of the store: disabled. Each is noted."""
    async with open_page(tmp_path) as page:
        bea, ana = await page.signed_in("bea"), await page.signed_in("ana")
        await bea.post(f"{HERE}/sign-out", login="ana")
        assert (await ana.get("/settings/account")).status == 303
        await bea.post(f"{HERE}/revoke", login="ana")
        assert isinstance(await page.credentials.verify("ana", APP_PASSWORD.encode(), "192.0.2.1"), Wrong)
        await bea.post(f"{HERE}/disable", login="dan", do="enable")
        assert not page.rep("dan").disabled
        dan = await page.signed_in("dan")
        await bea.post(f"{HERE}/disable", login="dan", do="disable")
        assert (await dan.get("/settings/account")).status == 303
        assert isinstance(await page.credentials.verify("dan", PASSWORD.encode(), "192.0.2.1"), Wrong)
        told = ["bea signed_out ana", "bea tokens.revoked ana", "bea enabled dan", "bea disabled dan"]
        assert await page.audited() == told


async def test_a_rep_of_the_settings_is_disabled_and_enabled(tmp_path: Path) -> None:
    """At once: no session, no sign-in by any password, no link; it is shown who did it; what ended stays ended."""
    async with open_page(tmp_path) as page:
        bea, ana = await page.signed_in("bea"), await page.signed_in("ana")
        assert not isinstance(await sign_in(page, APP_PASSWORD), Wrong)
        await bea.post(f"{HERE}/invite", login="ana")
        link = link_in((await page.mail())[-1])
        assert (await bea.post(f"{HERE}/disable", login="ana", do="disable")).status == 303
        assert (await ana.get("/settings/account")).location.startswith("/sign-in")
        for secret in (APP_PASSWORD, PASSWORD):
            assert isinstance(await sign_in(page, secret), Wrong)
        assert await entering(page) is False
        sent = len(await page.mail())
        await ana.post("/forgot", login="ana")
        assert len(await page.mail()) == sent
        text = (await bea.get(HERE)).text
        assert "disabled" in text
        assert "page: bea" in text

        await bea.post(f"{HERE}/disable", login="ana", do="enable")
        assert page.rep("ana").changed_by("disabled") == ""
        assert not isinstance(await sign_in(page, APP_PASSWORD), Wrong)
        assert await entering(page) is True
        assert (await ana.get("/settings/account")).status == 303
        assert (await page.visitor().get(link)).status == 404
        assert (await page.audited())[-2:] == ["bea enabled ana", "ana sign_in ana"]


async def test_who_may_disable_whom(tmp_path: Path) -> None:
    """Admins alone, and not themselves; nobody lets themselves in again, by whatever form."""
    async with open_page(tmp_path) as page:
        bea, ana, cid = [await page.signed_in(one) for one in ("bea", "ana", "cid")]
        for browser in (ana, cid):
            assert (await browser.post(f"{HERE}/disable", login="bo", do="disable")).status == 403
        assert (await bea.post(f"{HERE}/disable", login="BEA", do="disable")).status == 400
        assert (await bea.post(f"{HERE}/disable", login="nobody", do="disable")).status == 404
        assert not any(page.rep(one).disabled for one in ("ana", "bo", "bea", "cid"))
        await bea.post(f"{HERE}/disable", login="ana", do="disable")
        for target in (f"{HERE}/disable", "/settings/account", "/settings/exclusions"):
            answer = await ana.post(target, login="ana", do="enable", disabled="false", language="sv")
            assert answer.status in (303, 403)
        assert page.rep("ana").disabled
        assert page.rep("ana").language == "en"


async def test_the_settings_may_keep_it_from_the_page(tmp_path: Path) -> None:
    """With web.may_disable: false no button, no change; one that was made before does not count meanwhile."""
    async with open_page(tmp_path) as page:
        bea = await page.signed_in("bea")
        await bea.post(f"{HERE}/disable", login="ana", do="disable")
        assert page.rep("ana").disabled
    async with open_page(tmp_path, SETTINGS + "web: {may_disable: false}\n") as page:
        assert not page.rep("ana").disabled
        bea = await page.signed_in("bea")
        assert (await bea.post(f"{HERE}/disable", login="ana", do="disable")).status == 400
        assert (await bea.get(HERE)).text.count('value="enable"') == 1  # dan, of the store
        await bea.post(f"{HERE}/disable", login="dan", do="enable")
        assert not page.rep("dan").disabled


async def test_a_rep_who_was_entered_disabled(tmp_path: Path) -> None:
    """The settings say it, an admin may lift it, and the page says who did."""
    settings = SETTINGS.replace(
        "addresses: [bo@example.com],", "addresses: [bo@example.com], disabled: true,"
    )
    async with open_page(tmp_path, settings) as page:
        assert page.rep("bo").disabled
        bea = await page.signed_in("bea")
        await bea.post(f"{HERE}/disable", login="bo", do="enable")
        assert (page.rep("bo").disabled, page.rep("bo").changed_by("disabled")) == (False, "page: bea")
        await bea.post(f"{HERE}/disable", login="bo", do="disable")
        assert (page.rep("bo").disabled, page.rep("bo").changed_by("disabled")) == (True, "")
