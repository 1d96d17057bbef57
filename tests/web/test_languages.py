"""Every page in Swedish and Spanish, with all that can be shown on it: no English sentence, no key without its text."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from relay.clock import SystemClock
from relay.demo.salesforce.simulator import Simulator
from relay.reminding import client_of
from relay.texts import read_texts
from relay.web.app import all_routes
from tests.support.page import SETTINGS, Answer, Page, Visitor, open_page
from tests.support.page_full import SUBJECT, WRITTEN, full
from tests.support.page_texts import runs, texts_of
from tests.support.salesforce import people, rep, settings

SYNC = "/settings/salesforce/sync"
_KEY = re.compile(r"[a-z_]+(?:\.[A-Za-z0-9_-]+)+")
_GROUPS = {key.partition(".")[0] for key in read_texts("en")}
MAIL = "From: ana@example.com\r\nTo: {to}\r\nSubject: {subject}\r\n\r\nHello\r\n"
NOT_WALKED = {
    "/sign-in/oidc": "leads to the provider",
    "/sign-in/oidc/callback": "leads to a page, or to /sign-in with a problem",
    "/calendar/{token}": "a calendar file",
    "/settings/salesforce/connected": "leads to Sync Settings",
    "/admin/messages/export": "a file",
    "/today/list": "a part of /today",
    "/attention/list": "a part of /attention",
    "/diagnostics/list": "a part of /diagnostics",
    "/center/list": "a part of /center",
    "/settings/mail/test/{id}": "a part of /settings/mail",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that somebody asks for."""

    who: str
    path: str
    form: Mapping[str, str] | None = None
    """None: GET."""
    file: bytes = b""

    async def ask(self, visitor: Visitor) -> Answer:
        """Ask for it, and go where the answer leads."""
        if self.file:
            return await visitor.upload(self.path, "file", "mail.eml", self.file)
        answer = await (visitor.get(self.path) if self.form is None else visitor.post(self.path, **self.form))
        return await visitor.follow(answer) if answer.status == 303 and self.who else answer


def steps(messages: list[str], reminder: int) -> list[Step]:
    """Give all pages, by whoever may see them, and what forms answer that do not like what was sent."""
    shown = [
        *(
            "/",
            "/settings",
            "/settings/salesforce",
            "/today",
            "/today?show=needs_you",
            "/today?show=skipped",
            "/attention",
            "/diagnostics",
            "/try",
        ),
        *(f"/center?section={one}" for one in ("delivered", "in_progress", "failed", "bounced", "archived")),
        *("/reminders", "/reminders?show=done", "/reminders/new", f"/reminders/{reminder}"),
        *(f"/messages/{one}" for one in messages),
        *(f"/messages/{messages[0]}/body", f"/reminders/new?message={messages[0]}"),
        *(f"{SYNC}?tab=bcc&tested=bcc", f"{SYNC}?tab=api&tested=api", f"{SYNC}/state", "/settings/account"),
        *("/settings/addresses", "/settings/addresses?pending=x@example.com", "/settings/exclusions"),
        *("/settings/mail", "/nothing-here"),
        *(f"/settings/mail?test={one}" for one in messages),
    ]
    overseen = [
        *(
            "/admin",
            "/admin/messages",
            "/admin/queue",
            "/admin/users",
            "/admin/audit",
            "/admin/configuration",
        ),
        *("/diagnostics", "/center?as=ana", f"/messages/{messages[-1]}"),
    ]
    mails = {
        "kim@buyer.example": SUBJECT,
        "bo@example.com": SUBJECT,
        "stranger@buyer.example": SUBJECT,
    }
    return [
        *(Step("ana", path) for path in shown),
        *(Step(who, path) for who in ("bea", "cid") for path in overseen),
        *(
            Step("bea", path)
            for path in ("/settings/everybody", f"{SYNC}?tab=api", f"{SYNC}?disconnect=organization")
        ),
        *(Step("", path) for path in ("/sign-in", "/forgot", "/choose-password/none")),
        Step("", "/sign-in", {"login": "ana", "password": "wrong"}),
        *(
            Step("ana", "/try", file=MAIL.format(to=to, subject=subject).encode())
            for to, subject in mails.items()
        ),
        Step(
            "ana",
            "/try",
            file=MAIL.replace("ana@", "eve@").format(to="kim@buyer.example", subject="x").encode(),
        ),
        Step("ana", "/try", {"text": ""}),
        Step("ana", "/try", {"text": "Subject: x\r\n\r\nx", "recipients": "no@address@at.all"}),
        *(
            Step("ana", "/settings/exclusions", {"do": "save", kind: text})
            for kind, text in (
                ("recipients", "has a space"),
                ("recipients", "a@b@c"),
                ("subjects", "(?=x)"),
                ("subjects", "("),
            )
        ),
        Step("ana", "/settings/exclusions", {"do": "try", "recipients": "buyer.example"}),
        Step("ana", "/settings/addresses/add", {"address": "nobody"}),
        Step("ana", "/settings/mail/tokens", {"name": ""}),
        Step("ana", "/settings/mail/test", {"recipient": "nobody"}),
        Step("ana", f"{SYNC}/bcc", {"do": "save", "email_to_salesforce": "bo@example.com"}),
        Step("bo", f"{SYNC}/api", {"do": "activate"}),
        Step("ana", "/reminders", {"title": ""}),
        Step("bea", f"{SYNC}/preferences", _preferences("many")),
        Step("bea", "/admin/queue/change", {"verb": "hold", "confirm": "no"}),
        Step("bea", "/admin/users/disable", {"login": "nobody"}),
    ]


def _preferences(size: str) -> dict[str, str]:
    return {
        "objects": "contact,lead",
        "several": "oldest",
        "nobody": "hold",
        "opportunities": "off",
        "record": "auto",
        "body": "full",
        "attachments": "none",
        "attachments_total": size,
        "subject": "{subject}",
    }


@dataclass
class Walk:
    """The page with everything on it, and a browser for each who walks."""

    page: Page
    steps: list[Step]
    visitors: dict[str, Visitor] = field(default_factory=dict)

    async def answers(self, language: str) -> dict[int, Answer]:
        """Give what each step is answered in this language."""
        for who in ("ana", "bo", "bea", "cid"):
            self.visitors[who] = await self.page.signed_in(who, language=language)
            await self.visitors[who].post(
                "/settings/account", language=language, time_zone="Europe/Stockholm"
            )
        self.visitors[""] = self.page.visitor(language=language)
        await self.visitors[""].get("/sign-in")
        return {number: await step.ask(self.visitors[step.who]) for number, step in enumerate(self.steps)}


@asynccontextmanager
async def walking(folder: Path, salesforce: Simulator) -> AsyncIterator[Walk]:
    """Give a page with all that there is to see, beside a simulated Salesforce."""
    user = rep(salesforce)
    text = SETTINGS.replace(
        "    name: Ana Berg\n", f"    name: Ana Berg\n    salesforce_user_id: {user}\n    mode: api\n"
    )
    async with open_page(folder, text + settings(salesforce, folder)) as page:
        (contact,) = people(salesforce, 1)
        page.actions.client = client_of(page.actions.configuration(), SystemClock(), page.house.database)
        try:
            messages = await full(page, contact)
            ana = await page.signed_in("ana")
            await ana.post(f"{SYNC}/reminders", reminders="two_way")
            await ana.post("/settings/exclusions", do="save", recipients="*@bank.example")
            yield Walk(page, steps([str(one) for one in messages], 1))
        finally:
            assert page.actions.client is not None
            await page.actions.client.close()


async def test_no_page_speaks_english_in_another_language(tmp_path: Path, salesforce: Simulator) -> None:
    """No four words in a row that the English page has, too; what people and other servers wrote is left out."""
    async with walking(tmp_path, salesforce) as walk:
        english = await walk.answers("en")
        found = []
        for language in ("sv", "es"):
            for number, there in (await walk.answers(language)).items():
                here, step = english[number], walk.steps[number]
                assert here.status == there.status < 500, (step, here.status, there.status)
                assert f'<html lang="{language}"' in there.text or "<html" not in there.text, step
                said = runs(texts_of(there.text, WRITTEN), 4)
                same = runs(texts_of(here.text, WRITTEN), 4).keys() & said.keys()
                found += [(language, step.who, step.path, text) for text in {said[one] for one in same}]
        assert found == []


async def test_no_page_shows_a_key_for_its_text(tmp_path: Path, salesforce: Simulator) -> None:
    """Whatever a page asks for is in the files: a key that is not is shown as it is, and found here."""
    async with walking(tmp_path, salesforce) as walk:
        answers = await walk.answers("en")
        shown = {number: texts_of(answer.text, WRITTEN) for number, answer in answers.items()}
        keys = {
            (walk.steps[number].path, text)
            for number, texts in shown.items()
            for text in texts
            if _KEY.fullmatch(text) and text.partition(".")[0] in _GROUPS
        }
        assert keys == set()
        assert sum(map(len, shown.values())) > 2000


def test_every_page_is_walked() -> None:
    """A page that is added is walked, too, or it is said why not."""
    walked = [step.path.partition("?")[0] for step in steps(["0000000000000"], 1)]
    forms = {
        route.path: re.sub(r"{[^}]+}", "[^/]+", route.path) for route in all_routes() if route.method == "GET"
    }
    missed = {path for path, form in forms.items() if not any(re.fullmatch(form, one) for one in walked)}
    assert missed == set(NOT_WALKED)


def test_english_that_is_left_is_seen() -> None:
    """The comparison finds a sentence in a text, in a label and behind a word of the other language."""
    english = "<html><p>Nobody in Salesforce has this address.</p><p>Two words</p></html>"
    for left in (
        "<p>Inte loggat: nobody in Salesforce has it</p>",
        '<button aria-label="Nobody in Salesforce has it">x</button>',
    ):
        assert runs(texts_of(left), 4).keys() & runs(texts_of(english), 4).keys()
    for right in (
        '<span lang="en">Nobody in Salesforce has it</span>',
        "<code>nobody in salesforce has</code>",
    ):
        assert not runs(texts_of(right), 4)
