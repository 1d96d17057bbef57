"""Signing in and out: who gets in, who is kept out, and what an attacker can do with cookies and forms."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from relay.directory.model import Directory
from relay.web.ending import end_fallen
from relay.web.store import digest
from tests.support.page import APP_PASSWORD, PASSWORD, SETTINGS, Page, link_in, open_page


async def test_a_password_signs_in_and_a_sign_out_ends_it(tmp_path: Path) -> None:
    """Login and password give a session; after signing out the cookie is worth nothing, wherever it was copied to."""
    async with open_page(tmp_path) as page:
        ana = page.visitor()
        shown = await ana.get("/sign-in")
        assert shown.status == 200
        answer = await ana.post("/sign-in", login="Ana", password=PASSWORD)
        assert (answer.status, answer.location) == (303, "/")
        copied = dict(ana.cookies)
        assert "Ana Berg" in (await ana.get("/settings/account")).text
        assert (await ana.post("/sign-out")).location.startswith("/sign-in")
        thief = page.visitor(cookies=copied)
        assert (await thief.get("/settings")).location.startswith("/sign-in?next=")
        assert await page.audited() == ["ana sign_in ana", "ana sign_out ana"]


@pytest.mark.parametrize(
    ("login", "password"),
    [("ana", "wrong"), ("nobody", PASSWORD), ("dan", PASSWORD), ("ana", APP_PASSWORD), ("", "")],
)
async def test_what_proves_nobody_signs_nobody_in(tmp_path: Path, login: str, password: str) -> None:
    """A wrong password, an unknown or disabled login, and an app password give no session."""
    async with open_page(tmp_path) as page:
        visitor = page.visitor()
        await visitor.get("/sign-in")
        answer = await visitor.post("/sign-in", login=login, password=password)
        assert answer.status == 422
        assert "relay" not in visitor.cookies
        assert (await visitor.get("/settings")).status == 303


async def test_a_session_has_a_new_id_at_each_sign_in(tmp_path: Path) -> None:
    """A cookie that an attacker planted is worth nothing after the victim signed in (session fixation)."""
    async with open_page(tmp_path) as page:
        victim = page.visitor()
        await victim.get("/sign-in")
        planted = "A" * 43
        victim.cookies["relay"] = planted
        await victim.post("/sign-in", login="ana", password=PASSWORD)
        assert victim.cookies["relay"] != planted
        attacker = page.visitor(cookies={"relay": planted})
        assert (await attacker.get("/settings/account")).status == 303
        old = page.visitor(cookies=dict(victim.cookies))
        await victim.post("/sign-in", login="ana", password=PASSWORD)
        assert (await old.get("/settings/account")).status == 303
        assert (await victim.get("/settings/account")).status == 200


async def test_guessing_passwords_is_slowed_and_stopped(tmp_path: Path) -> None:
    """After a handful of wrong passwords even the right one is not looked at for a while (brute force)."""
    async with open_page(tmp_path) as page:
        attacker = page.visitor(address="192.0.2.7")
        await attacker.get("/sign-in")
        statuses = []
        for number in range(30):
            answer = await attacker.post("/sign-in", login=f"nobody{number}", password="guess")
            statuses.append(answer.status)
            if answer.status == 429:
                break
        assert statuses[-1] == 429
        assert (await attacker.post("/sign-in", login="ana", password=PASSWORD)).status == 429
        assert (await page.visitor(address="198.51.100.1").get("/sign-in")).status == 200


async def test_over_tls_the_cookie_is_tied_to_the_host(tmp_path: Path) -> None:
    """__Host-, Secure, HttpOnly and SameSite over TLS; without TLS, on loopback, a plain name."""
    async with open_page(tmp_path) as page:
        secure = page.visitor(scheme="https")
        await secure.get("/sign-in")
        answer = await secure.post("/sign-in", login="ana", password=PASSWORD)
        cookie = answer.header("set-cookie")
        assert cookie.startswith("__Host-relay=")
        assert {"Path=/", "HttpOnly", "Secure", "SameSite=Lax"} <= set(cookie.split("; "))
        assert "Domain" not in cookie
        assert answer.header("strict-transport-security")
        plain = page.visitor()
        await plain.get("/sign-in")
        cookie = (await plain.post("/sign-in", login="ana", password=PASSWORD)).header("set-cookie")
        assert cookie.startswith("relay=")
        assert "HttpOnly" in cookie
        # A cookie that came without TLS is none over TLS.
        mixed = page.visitor(scheme="https", cookies=dict(plain.cookies))
        assert (await mixed.get("/settings/account")).status == 303


async def test_sessions_end_with_time_with_the_rep_and_everywhere(tmp_path: Path) -> None:
    """After web.session, when the rep is disabled, and by "everywhere", whatever browser it is."""
    async with open_page(tmp_path) as page:
        one, other = await page.signed_in("ana"), await page.signed_in("ana")
        await one.post("/sign-out-everywhere")
        assert (await other.get("/settings/account")).status == 303
        late = page.visitor()
        await late.get("/sign-in")
        await late.post("/sign-in", login="ana", password=PASSWORD)
        page.clock.advance(12 * 3600 - 1)
        assert (await late.get("/settings/account")).status == 200
        page.clock.advance(2)
        assert (await late.get("/settings/account")).status == 303
        gone = await page.signed_in("dan")
        assert (await gone.get("/settings/account")).status == 303


async def test_a_forgotten_password_is_chosen_anew_by_a_mailed_link(tmp_path: Path) -> None:
    """The link goes to the rep's own address, works once, ends every session, and the new password counts at once."""
    async with open_page(tmp_path) as page:
        elsewhere = await page.signed_in("ana")
        visitor = page.visitor()
        await visitor.get("/forgot")
        answer = await visitor.post("/forgot", login="ana")
        assert answer.location == "/sign-in?said=link_sent"
        mail = (await page.mail())[-1]
        assert mail["to"] == "ana@example.com"
        link = link_in(mail)
        assert link.rpartition("/")[2] not in str(mail["subject"])
        assert (await visitor.get(link)).status == 200
        for password, repeated in (("short", "short"), ("long enough for all", "and not the same")):
            assert (await visitor.post(link, password=password, repeated=repeated)).status == 422
        answer = await visitor.post(
            link, password="quite another passphrase", repeated="quite another passphrase"
        )
        assert answer.status == 303
        assert (await visitor.get("/settings/account")).status == 200
        assert (await elsewhere.get("/settings/account")).status == 303
        assert (await visitor.get(link)).status == 404
        fresh = page.visitor()
        await fresh.get("/sign-in")
        assert (await fresh.post("/sign-in", login="ana", password=PASSWORD)).status == 422
        assert (await fresh.post("/sign-in", login="ana", password="quite another passphrase")).status == 303


async def test_asking_for_a_link_tells_nothing(tmp_path: Path) -> None:
    """Whether a login is known, disabled or unknown, the answer is the same; mail goes to a known one only, and seldom."""
    async with open_page(tmp_path) as page:
        answers = set()
        for login in ("bo", "nobody", "dan", ""):
            visitor = page.visitor(address=f"192.0.2.{len(login)}")
            await visitor.get("/forgot")
            answer = await visitor.post("/forgot", login=login)
            answers.add((answer.status, answer.location, answer.body))
        assert len(answers) == 1
        assert [mail["to"] for mail in await page.mail()] == ["bo@example.com"]
        for number in range(8):
            visitor = page.visitor(address=f"198.51.100.{number}")
            await visitor.get("/forgot")
            await visitor.post("/forgot", login="ana")
        assert [mail["to"] for mail in await page.mail()].count("ana@example.com") == 3


async def test_a_link_is_for_a_while(tmp_path: Path) -> None:
    """An hour later it is worth nothing; one that never was neither."""
    async with open_page(tmp_path) as page:
        visitor = page.visitor()
        await visitor.get("/forgot")
        await visitor.post("/forgot", login="ana")
        link = link_in((await page.mail())[-1])
        page.clock.advance(3601)
        assert (await visitor.get(link)).status == 404
        assert (
            await visitor.post(link, password="a new long password", repeated="a new long password")
        ).status == 404
        assert (await visitor.get("/choose-password/" + "A" * 43)).status == 404


async def test_choosing_a_password_ends_every_other_link(tmp_path: Path) -> None:
    """Somebody who read the rep's mail in between cannot choose once more."""
    async with open_page(tmp_path) as page:
        visitor = page.visitor()
        await visitor.get("/forgot")
        for _ in range(2):
            await visitor.post("/forgot", login="ana")
        first, second = [link_in(mail) for mail in (await page.mail())[-2:]]
        new = "quite another passphrase"
        assert (await visitor.post(first, password=new, repeated=new)).status == 303
        assert (await page.visitor().get(second)).status == 404


async def test_changing_the_password_needs_the_present_one(tmp_path: Path) -> None:
    """Whoever finds an open browser cannot take the account over; other browsers are signed out."""
    async with open_page(tmp_path) as page:
        ana, other = await page.signed_in("ana"), await page.signed_in("ana")
        new = {"password": "quite another passphrase", "repeated": "quite another passphrase"}
        answer = await ana.post("/settings/password", present="wrong", **new)
        assert answer.location.endswith("said=password_wrong")
        answer = await ana.post("/settings/password", present=PASSWORD, **new)
        assert answer.location.endswith("said=password_changed")
        assert (await ana.get("/settings/account")).status == 200
        assert (await other.get("/settings/account")).status == 303


@pytest.mark.parametrize(
    "where",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/%0d%0aSet-Cookie:x",
        "/x\r\ny",
        "javascript:alert(1)",
        "/\t/evil.example",
    ],
)
async def test_nobody_is_sent_elsewhere(tmp_path: Path, where: str) -> None:
    """What `next` says is a path of ours, or nothing (open redirect, header injection)."""
    async with open_page(tmp_path) as page:
        visitor = page.visitor()
        await visitor.get("/sign-in")
        answer = await visitor.post("/sign-in", login="ana", password=PASSWORD, next=where)
        assert answer.status == 303
        assert re.fullmatch(r"/(%0d%0aSet-Cookie:x)?", answer.location)
        assert "evil" not in answer.location


async def test_passwords_can_be_turned_off(tmp_path: Path) -> None:
    """With passwords: false the form is not shown, and what is sent to it is refused."""
    oidc = 'oidc: {issuer: "https://login.example", client_id: x, client_secret: {env: X}}'
    async with open_page(tmp_path, SETTINGS + f"web: {{passwords: false, {oidc}}}\n") as page:
        visitor = page.visitor()
        assert 'type="password"' not in (await visitor.get("/sign-in")).text
        assert (await visitor.post("/sign-in", login="ana", password=PASSWORD)).status == 403
        await visitor.post("/forgot", login="ana")
        assert await page.mail() == []


async def test_how_long_an_answer_takes_does_not_tell_who_is_known(tmp_path: Path) -> None:
    """Whoever asks for a link is answered before it is looked up whose it is, and before anything is mailed."""
    async with open_page(tmp_path) as page:
        mailed: list[int] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            async def sent(message: Message) -> None:
                mailed.append(len(page.actions.sent))
                await send(message)

            await page.app(scope, receive, sent)

        visitor = page.visitor(app=app)
        await visitor.get("/sign-in")
        await visitor.post("/forgot", login="ana")
        assert set(mailed) == {0}
        assert len(await page.mail()) == 1


def keep_out(page: Page) -> None:
    """Go by a directory in which ana has another password and bo is disabled, as settings read anew may say."""
    ana, bo, *others = page.actions.built.directory.reps()
    assert (ana.login, bo.login) == ("ana", "bo")
    changed = [replace(ana, password="$argon2id$another"), replace(bo, disabled=True), *others]
    directory = Directory(changed, version=page.actions.built.directory.version)
    page.actions.built = page.actions.built.with_directory(directory)


async def test_a_session_is_worth_nothing_once_its_rep_is_kept_out(tmp_path: Path) -> None:
    """Whichever way another password or `disabled` came about; who came through the provider needs no password here."""
    async with open_page(tmp_path) as page:
        visitors = [await page.signed_in(login) for login in ("ana", "bo", "bea")]
        by_provider = await page.signed_in("ana")
        await page.house.database.write(
            lambda tx: tx.execute(
                "UPDATE page_session SET how = 'oidc' WHERE id_hash = ?",
                (digest(by_provider.cookies["relay"]),),
            )
        )
        keep_out(page)
        for visitor, status in zip([*visitors, by_provider], (303, 303, 200, 200), strict=True):
            assert (await visitor.get("/settings/account")).status == status


async def test_a_link_is_worth_nothing_once_the_password_is_another(tmp_path: Path) -> None:
    """Who was mailed one before cannot choose over what was chosen since."""
    async with open_page(tmp_path) as page:
        visitor = page.visitor()
        await visitor.get("/forgot")
        await visitor.post("/forgot", login="ana")
        link = link_in((await page.mail())[-1])
        assert (await visitor.get(link)).status == 200
        keep_out(page)
        assert (await visitor.get(link)).status == 404


async def test_what_new_settings_keep_out_is_ended_for_good(tmp_path: Path) -> None:
    """When the rep is enabled, or has the earlier password again, neither session nor link works; others' go on."""
    async with open_page(tmp_path) as page:
        visitors = [await page.signed_in(login) for login in ("ana", "bo", "bea")]
        visitor = page.visitor()
        await visitor.get("/forgot")
        for login in ("ana", "bo", "bea"):
            await visitor.post("/forgot", login=login)
        links = [link_in(mail) for mail in await page.mail()]
        before = page.actions.built
        keep_out(page)
        await page.house.database.write(lambda tx: end_fallen(tx, page.actions.directory()))
        page.actions.built = before
        for one, status in zip(visitors, (303, 303, 200), strict=True):
            assert (await one.get("/settings/account")).status == status
        assert [(await visitor.get(link)).status for link in links] == [404, 404, 200]
