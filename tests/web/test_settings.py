"""Settings that people change on the page: in force at once, within what the settings and an admin allow."""

import asyncio
import re
from pathlib import Path

import pytest

from relay.directory.change_store import ChangeStore
from relay.directory.credentials import Proven, Wrong
from relay.directory.store import DirectoryStore, RepChange
from relay.errors import ConfigError
from relay.salesforce.capturing import logging_of
from relay.storage.database import Transaction
from tests.support.builders import new_message, to_recipient
from tests.support.page import APP_PASSWORD, BCC, SETTINGS, Page, Visitor, open_page

SYNC = "/settings/salesforce/sync"
OTHER = "emailtosalesforce@zz9y8x7w6v.le.salesforce.com"


async def test_activating_bcc_adds_the_log_copy_to_the_next_mail(tmp_path: Path) -> None:
    """Bo's mail is not logged; with an address and Activate the rules know Bo's log copy, and say who changed it."""
    async with open_page(tmp_path) as page:
        bo = await page.signed_in("bo")
        assert "Your mail is not logged" in (await bo.get(SYNC)).text
        answer = await bo.post(f"{SYNC}/bcc", email_to_salesforce=OTHER, do="activate")
        shown = await bo.follow(answer)
        assert "is active. It was tested at once" in shown.text
        assert "has the form of an Email to Salesforce address" in shown.text
        rules = page.actions.rules().of(page.rep("bo"))
        assert (rules.mode, rules.log_copy) == ("bcc", OTHER)
        assert rules.mode_rule == "users.1.mode (page: bo)"
        assert OTHER not in shown.text
        assert (await bo.post(f"{SYNC}/bcc", do="deactivate")).status == 303
        assert page.actions.rules().of(page.rep("bo")).mode == "off"


@pytest.mark.parametrize("text", ["", "no address", "bo@example.com", "ana@example.com", "x@y@z", "a" * 400])
async def test_bcc_is_not_activated_without_an_address(tmp_path: Path, text: str) -> None:
    """Nothing, no address, and an address that one of us sends from are refused, with the steps to find the right one."""
    async with open_page(tmp_path) as page:
        bo = await page.signed_in("bo")
        answer = await bo.post(f"{SYNC}/bcc", email_to_salesforce=text, do="activate")
        assert answer.status == 422
        assert "My Email to Salesforce" in answer.text
        assert page.rep("bo").mode == "off"


async def test_the_secret_address_is_shown_to_its_owner_who_asks(tmp_path: Path) -> None:
    """Masked everywhere, in full after Show, which is noted."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        assert BCC not in (await ana.get(SYNC)).text
        assert BCC in (await ana.post(f"{SYNC}/bcc/reveal")).text
        assert await page.audited() == ["ana bcc.revealed ana"]


async def test_the_api_is_not_activated_where_it_cannot_work(tmp_path: Path) -> None:
    """Without an organisation in the settings nobody's mode becomes api."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        answer = await ana.post(f"{SYNC}/api", do="activate")
        assert answer.status == 422
        assert page.rep("ana").mode is None


async def test_preferences_of_an_admin_hold_for_all(tmp_path: Path) -> None:
    """What an admin saves is in the settings in force, with who changed it; Reset lets the file's hold again."""
    async with open_page(tmp_path) as page:
        bea = await page.signed_in("bea")
        form = await preferences(bea)
        assert (await bea.post(f"{SYNC}/preferences", **form)).status == 303
        assert await page.audited() == []
        form |= {"nobody": "create_lead", "objects": "lead,contact", "attachments_total": "5MiB"}
        form |= {"subject": "[Relay] {{activity_subject}}", "bcc_recipients": "true"}
        assert (await bea.post(f"{SYNC}/preferences", do="save", **form)).status == 303
        settings = page.actions.configuration().settings.logging
        assert (settings.match.nobody, settings.match.objects) == ("create_lead", ("lead", "contact"))
        assert settings.capture.attachments_total == 5 * 1024**2
        assert settings.capture.bcc_recipients is True
        assert page.actions.configuration().place("logging.match.nobody") == "page: bea"
        shown = await bea.get(f"{SYNC}?tab=api")
        assert "[Relay] Offer for 2027" in shown.text
        assert (await bea.post(f"{SYNC}/preferences", do="reset")).status == 303
        assert page.actions.configuration().settings.logging.match.nobody == "hold"


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [("nobody", "explode", 400), ("attachments_total", "many", 422), ("attachments_total", "", 422)],
)
async def test_preferences_that_make_no_sense_are_refused(
    tmp_path: Path, name: str, value: str, status: int
) -> None:
    """A value that the form does not offer, or that no setting takes, changes nothing."""
    async with open_page(tmp_path) as page:
        bea = await page.signed_in("bea")
        answer = await bea.post(f"{SYNC}/preferences", **(await preferences(bea) | {name: value}))
        assert answer.status == status
        assert page.actions.configuration() == page.actions.entered


async def preferences(visitor: Visitor) -> dict[str, str]:
    """Give the preferences as the form has them."""
    text = (await visitor.get(f"{SYNC}?tab=api")).text
    form = dict(re.findall(r'<input id="(\w+)" name="\w+" value="([^"]*)"', text))
    for name, options in re.findall(r'<select id="\w+" name="(\w+)">(.*?)</select>', text, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', options)
        assert chosen is not None
        form[name] = chosen[1]
    return form


async def test_what_an_admin_locks_does_not_count_meanwhile(tmp_path: Path) -> None:
    """While a lock stands, what a rep changed does not count and nothing more can be changed; afterwards it counts again."""
    async with open_page(tmp_path) as page:
        ana, bea = await page.signed_in("ana"), await page.signed_in("bea")
        await ana.post(f"{SYNC}/bcc", do="deactivate")
        assert page.rep("ana").mode == "off"
        await bea.post("/settings/everybody", mode="bcc", reminders="off", locked=["mode", "exclude"])
        assert page.rep("ana").mode is None
        assert (await ana.post(f"{SYNC}/bcc", do="deactivate")).status == 403
        assert (await ana.post("/settings/exclusions", recipients="x.example", do="save")).status == 403
        await bea.post("/settings/everybody", mode="bcc", reminders="off")
        assert page.rep("ana").mode == "off"


async def test_an_admin_changes_the_mode_of_all(tmp_path: Path) -> None:
    """The mode of all holds for those without their own; as in the file: the file's holds again."""
    async with open_page(tmp_path) as page:
        bea = await page.signed_in("bea")
        assert (await bea.post("/settings/everybody", mode="off", reminders="two_way")).status == 303
        rules = page.actions.rules().of(page.rep("ana"))
        assert (rules.mode, rules.mode_rule) == ("off", "logging.mode (page: bea)")
        assert page.actions.configuration().settings.reminders.sync == "two_way"
        assert (await bea.post("/settings/everybody", mode="api", reminders="two_way")).status == 422
        assert (await bea.post("/settings/everybody", mode="entered", reminders="entered")).status == 303
        assert page.actions.configuration() == page.actions.entered


async def test_the_settings_file_says_what_may_be_changed(tmp_path: Path) -> None:
    """With an empty may_change nothing can be changed, and what was changed before does not count."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        await ana.post(f"{SYNC}/bcc", do="deactivate")
    strict = SETTINGS + "web: {may_change: []}\n"
    async with open_page(tmp_path, strict) as page:
        assert page.rep("ana").mode is None
        ana = await page.signed_in("ana")
        for path, form in (
            (f"{SYNC}/bcc", {"do": "deactivate"}),
            (f"{SYNC}/reminders", {"reminders": "two_way"}),
            ("/settings/exclusions", {"recipients": "x.example"}),
            ("/settings/addresses/add", {"address": "ana@other.example"}),
        ):
            assert (await ana.post(path, **form)).status == 403, path


# Acceptable addresses


async def code_mailed(page: Page) -> str:
    """Give the code in the last mail."""
    found = re.search(r"\b([0-9A-Z]{4}-[0-9A-Z]{4})\b", (await page.mail())[-1].get_content())
    assert found is not None
    return found[1]


async def test_an_address_is_added_by_the_code_that_was_mailed_there(tmp_path: Path) -> None:
    """The code goes to the address itself; with it the address is acceptable at once, and can be taken back."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        answer = await ana.post("/settings/addresses/add", address="Ana@Other.example")
        assert "A code was mailed to Ana@Other.example" in (await ana.follow(answer)).text
        mail = (await page.mail())[-1]
        assert mail["to"] == "Ana@Other.example"
        code = await code_mailed(page)
        assert code not in str(mail["subject"])
        answer = await ana.post("/settings/addresses/verify", address="Ana@Other.example", code=code.lower())
        assert answer.location.endswith("said=address_added")
        assert [str(one) for one in page.rep("ana").addresses] == ["ana@example.com", "Ana@Other.example"]
        again = await ana.post("/settings/addresses/verify", address="Ana@Other.example", code=code)
        assert again.location.endswith("said=address_added")  # a second click
        assert (await ana.post("/settings/addresses/remove", address="ana@other.example")).status == 303
        assert len(page.rep("ana").addresses) == 1
        used = await ana.post("/settings/addresses/verify", address="Ana@Other.example", code=code)
        assert used.status == 422
        assert (await ana.post("/settings/addresses/remove", address="ana@other.example")).status == 404
        assert sum("address.removed" in one for one in await page.audited()) == 1
        assert (await ana.post("/settings/addresses/remove", address="ana@example.com")).status == 404


async def test_a_code_can_be_entered_by_who_comes_back(tmp_path: Path) -> None:
    """While a code is good its field stands on the page, with another try and a way out; then it is gone."""
    async with open_page(tmp_path) as page:
        ana, here = await page.signed_in("ana"), "/settings/addresses"
        await ana.post(f"{here}/add", address="ana@other.example")
        await ana.post(f"{here}/add", address="ana@third.example")
        text = (await ana.get(here)).text
        assert text.count('name="code"') == 2
        assert "Send again the code for ana@other.example" in text
        assert 'id="address"' in text
        assert 'name="code"' not in (await (await page.signed_in("bo")).get(here)).text
        assert (await ana.post(f"{here}/remove", address="ana@third.example")).status == 303
        assert (await ana.post(f"{here}/remove", address="ana@third.example")).status == 404
        assert "ana@third.example" not in (await ana.get(here)).text
        page.clock.advance(31 * 60)
        assert 'name="code"' not in (await ana.get(here)).text


async def test_codes_cannot_be_guessed_or_used_by_others(tmp_path: Path) -> None:
    """A code is for one rep and one address, for half an hour, and dies after five wrong guesses."""
    async with open_page(tmp_path) as page:
        ana, bo = await page.signed_in("ana"), await page.signed_in("bo")
        verify = "/settings/addresses/verify"
        await ana.post("/settings/addresses/add", address="ana@other.example")
        code = await code_mailed(page)
        assert (await bo.post(verify, address="ana@other.example", code=code)).status == 422
        assert (await ana.post(verify, address="ana@else.example", code=code)).status == 422
        for _ in range(5):
            assert (await ana.post(verify, address="ana@other.example", code="AAAA-AAAA")).status == 422
        assert (await ana.post(verify, address="ana@other.example", code=code)).status == 422
        await ana.post("/settings/addresses/add", address="ana@other.example")
        code = await code_mailed(page)
        page.clock.advance(31 * 60)
        assert (await ana.post(verify, address="ana@other.example", code=code)).status == 422
        assert len(page.rep("ana").addresses) == 1


async def test_nobody_gets_another_s_address(tmp_path: Path) -> None:
    """An address that is somebody else's stays theirs, also with a good code."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        await ana.post("/settings/addresses/add", address="bo@example.com")
        answer = await ana.post(
            "/settings/addresses/verify", address="bo@example.com", code=await code_mailed(page)
        )
        assert answer.status == 422
        assert [str(one) for one in page.rep("bo").addresses] == ["bo@example.com"]
        assert len(page.rep("ana").addresses) == 1


async def test_the_page_mails_no_more_than_a_few_codes(tmp_path: Path) -> None:
    """Nobody makes the relay flood an address with codes."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        statuses = [
            (await ana.post("/settings/addresses/add", address=f"victim{n}@other.example")).status
            for n in range(12)
        ]
        assert statuses.count(303) <= 10
        assert statuses[-1] == 429


# Exclusions


async def test_exclusions_are_tried_on_the_last_mails_before_they_are_saved(tmp_path: Path) -> None:
    """The page names the mails that would have been skipped, and changes nothing; saved, the next mail is skipped."""
    async with open_page(tmp_path) as page:
        for subject, to in (
            ("Private: lunch", "kim@buyer.example"),
            ("Offer", "lee@bank.example"),
            ("Offer", "kim@buyer.example"),
        ):
            message = new_message(number=page.house.runner.next_number(), subject=subject)
            await page.house.accept(to_recipient(to), message=message)
        ana = await page.signed_in("ana")
        form = {"recipients": "bank.example", "subjects": "^Private:", "senders": ""}
        answer = await ana.post("/settings/exclusions", do="try", **form)
        assert "this would have skipped 2" in answer.text
        assert page.rep("ana").exclude is None
        assert (await ana.post("/settings/exclusions", do="save", **form)).status == 303
        exclude = page.rep("ana").exclude
        assert exclude is not None
        assert (exclude.recipients, exclude.subjects) == (("bank.example",), ("^Private:",))
        rule = page.actions.rules().of(page.rep("ana")).exclusions[1].recipients
        assert rule is not None
        assert rule.rule_for("lee@bank.example") == "users.0.exclude.recipients.0 (page: ana)"


async def test_what_cannot_be_used_takes_nothing_of_before_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change for all that the service cannot go by is undone to what an admin had set before."""
    async with open_page(tmp_path) as page:
        bea = await page.signed_in("bea")
        await bea.post("/settings/exclusions/everybody", recipients="a@buyer.example")
        really, calls = page.actions.take_changes, 0

        async def refused_once() -> None:
            nonlocal calls
            calls += 1
            if calls == 1:
                raise ConfigError(())
            await really()

        monkeypatch.setattr(page.actions, "take_changes", refused_once)
        await bea.post("/settings/exclusions/everybody", recipients="b@buyer.example")
        assert calls == 2
        kept = page.actions.configuration().settings.logging.exclude.recipients
        assert list(kept) == ["a@buyer.example"]


async def test_a_long_list_of_exclusions_is_kept_whole(tmp_path: Path) -> None:
    """No pattern is lost or cut short at the end of a long list: half of one may stand for everybody."""
    async with open_page(tmp_path) as page:
        ana, bea = await page.signed_in("ana"), await page.signed_in("bea")
        lines = [f"somebody-{n:03}@customer-{n:03}.example" for n in range(150)]
        for browser, path in ((ana, ""), (bea, "/everybody")):
            saved = await browser.post(
                f"/settings/exclusions{path}", do="save", recipients="\r\n".join(lines)
            )
            assert saved.status == 303
        kept = page.rep("ana").exclude
        assert kept is not None
        assert list(kept.recipients) == lines
        assert list(page.actions.configuration().settings.logging.exclude.recipients) == lines


async def test_a_list_that_is_too_long_for_the_page_says_what_to_do(tmp_path: Path) -> None:
    """In words; what the settings file holds beyond it keeps nobody from changing the other lists."""
    lines = [f"somebody-{n:03}@customer.example" for n in range(201)]
    entered = SETTINGS + f"logging: {{exclude: {{recipients: [{', '.join(lines)}]}}}}\n"
    async with open_page(tmp_path, entered) as page:
        bea, everybody = await page.signed_in("bea"), "/settings/exclusions/everybody"
        saved = await bea.post(everybody, recipients="\n".join(lines), subjects="^Private:")
        assert saved.status == 303
        assert page.actions.configuration().settings.logging.exclude.subjects == ("^Private:",)
        refused = await bea.post(everybody, recipients="\n".join([*lines, "x@customer.example"]))
        assert refused.status == 422
        assert "Recipients: these are 202 patterns, and the page keeps at most 200" in refused.text
        assert "settings file" in refused.text


async def test_a_kept_pattern_that_is_not_offered_any_more_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It does not count, beside it all else does; the log, its rep's page and the admin's say so."""
    async with open_page(tmp_path) as page:
        kept = {"subjects": ["^Before:", "a(?=b)", "^Private:"], "recipients": ["kim@example.com"]}

        def keep(tx: Transaction) -> None:
            ChangeStore().set(tx, "ana", "exclude", kept, "ana", page.clock.now())
            ChangeStore().set(
                tx, "", "logging.exclude.subjects", ["a(?=c)", "^All:"], "bea", page.clock.now()
            )

        await page.house.database.write(keep)
        await page.actions.take_changes()
        of_all, own = page.actions.rules().of(page.rep("ana")).exclusions
        assert [one.rule for one in own.subjects] == [
            "users.0.exclude.subjects.0 (page: ana)",
            "users.0.exclude.subjects.2 (page: ana)",
        ]
        assert own.recipients is not None
        assert len(of_all.subjects) == 1
        told = "\n".join(one.getMessage() for one in caplog.records)
        assert "users.ana.exclude.subjects.1: the pattern uses" in told
        assert "logging.exclude.subjects.0: the pattern uses" in told
        note = "is not offered any more and does not count"
        for login, count in (("ana", 1), ("bo", 0), ("bea", 1)):
            text = (await (await page.signed_in(login)).get("/settings/exclusions")).text
            assert text.count(note) == count, login


@pytest.mark.parametrize("form", [{"subjects": "("}, {"recipients": "@@"}, {"subjects": "x" * 3000}])
async def test_patterns_that_cannot_be_used_are_refused(tmp_path: Path, form: dict[str, str]) -> None:
    """A pattern that does not compile, or is too long, is not kept: the next start must not fail for it."""
    async with open_page(tmp_path) as page:
        ana, bea = await page.signed_in("ana"), await page.signed_in("bea")
        assert (await ana.post("/settings/exclusions", do="save", **form)).status == 422
        assert (await bea.post("/settings/exclusions/everybody", **form)).status == 422
        assert page.rep("ana").exclude is None
        await page.actions.take_changes()


# App passwords


async def test_an_app_password_that_two_tabs_make_at_once_is_made_once(tmp_path: Path) -> None:
    """One of them shows it, the others say that the name is taken."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        made = [ana.post("/settings/mail/tokens", name="Phone") for _ in range(3)]
        assert sorted(answer.status for answer in await asyncio.gather(*made)) == [200, 422, 422]
        assert [token.name for token in page.rep("ana").tokens] == ["Laptop", "Phone"]


async def test_an_app_password_works_at_once_and_no_longer_when_revoked(tmp_path: Path) -> None:
    """Shown once; the next SMTP sign-in takes it, and after Revoke the next one does not."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        answer = await ana.post("/settings/mail/tokens", name="Telephone")
        secret = re.search(r'id="secret">([a-z0-9-]+)<', answer.text)
        assert secret is not None
        password = secret[1].encode()
        verdict = await page.credentials.verify("ana", password, "192.0.2.1")
        assert isinstance(verdict, Proven)
        assert verdict.token == "Telephone"
        assert secret[1] not in (await ana.get("/settings/mail")).text
        assert (await ana.post("/settings/mail/tokens/revoke", name="Telephone")).status == 303
        assert isinstance(await page.credentials.verify("ana", password, "192.0.2.1"), Wrong)
        assert await page.audited() == ["ana token.made ana", "ana token.revoked ana"]


async def test_an_app_password_of_the_settings_can_be_revoked(tmp_path: Path) -> None:
    """A lost device is a lost device: its app password works no more although it still stands in the file."""
    async with open_page(tmp_path) as page:
        assert isinstance(await page.credentials.verify("ana", APP_PASSWORD.encode(), "192.0.2.1"), Proven)
        ana, bo = await page.signed_in("ana"), await page.signed_in("bo")
        assert (await bo.post("/settings/mail/tokens/revoke", name="Laptop")).status == 404
        assert (await ana.post("/settings/mail/tokens/revoke", name="Laptop")).status == 303
        assert isinstance(await page.credentials.verify("ana", APP_PASSWORD.encode(), "192.0.2.1"), Wrong)
        again = await ana.post("/settings/mail/tokens", name="Laptop")
        assert again.status == 200


@pytest.mark.parametrize("name", ["", "Laptop", "x" * 65, "tab\there"])
async def test_an_app_password_needs_a_name_of_its_own(tmp_path: Path, name: str) -> None:
    """No name, one that is taken, one that is too long or cannot be shown: refused."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        assert (await ana.post("/settings/mail/tokens", name=name)).status == 422


async def test_reps_of_the_store_change_the_same_things(tmp_path: Path) -> None:
    """For a rep entered by command the same holds; what a command enters later is the last word."""
    async with open_page(tmp_path) as page:
        await page.house.database.write(lambda tx: DirectoryStore().set(tx, "dan", RepChange(disabled=False)))
        await page.actions.take_changes()
        dan = await page.signed_in("dan")
        answer = await dan.post("/settings/mail/tokens", name="Telephone")
        assert answer.status == 200
        assert [token.name for token in page.rep("dan").tokens] == ["Telephone"]
        await dan.post(f"{SYNC}/bcc", email_to_salesforce=OTHER, do="activate")
        assert page.rep("dan").mode == "bcc"
        await page.house.database.write(lambda tx: DirectoryStore().set(tx, "dan", RepChange(mode="off")))
        await page.actions.take_changes()
        assert page.rep("dan").mode == "off"
        assert (await dan.post("/settings/mail/tokens/revoke", name="Telephone")).status == 303
        assert page.rep("dan").tokens == ()


async def test_language_and_time_zone_are_one_s_own(tmp_path: Path) -> None:
    """They hold from the next page on; one that there is not is refused."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        assert (
            await ana.post("/settings/account", language="sv", time_zone="Europe/Stockholm")
        ).status == 303
        assert "Inloggning och språk" in (await ana.get("/settings/account")).text
        assert page.rep("ana").time_zone == "Europe/Stockholm"
        for wrong in (
            {"language": "xx", "time_zone": "UTC"},
            {"language": "en", "time_zone": "../../etc/passwd"},
        ):
            assert (await ana.post("/settings/account", **wrong)).status == 400


CAPTURE = SETTINGS + "web: {may_change: [mode, capture]}\n"


async def test_a_rep_chooses_what_of_their_own_mail_is_recorded(tmp_path: Path) -> None:
    """It holds over what is set for all, for that rep alone, until they choose as for everybody again."""
    async with open_page(tmp_path, CAPTURE) as page:
        ana = await page.signed_in("ana")
        assert "What of my mail is recorded" in (await ana.get(SYNC)).text
        answer = await ana.post(f"{SYNC}/capture", do="save", body="headers", attachments="names")
        assert "from page: ana" in (await ana.follow(answer)).text
        everybodys = page.actions.configuration().settings.logging
        assert logging_of(everybodys, page.rep("ana")).capture.body == "headers"
        assert logging_of(everybodys, page.rep("ana")).capture.attachments == "names"
        assert logging_of(everybodys, page.rep("bo")) == everybodys
        assert (await ana.post(f"{SYNC}/capture", do="save", body="all", attachments="names")).status == 400
        assert (await ana.post(f"{SYNC}/capture", do="reset")).status == 303
        assert logging_of(everybodys, page.rep("ana")) == everybodys


async def test_a_rep_chooses_only_what_may_be_changed(tmp_path: Path) -> None:
    """Where the settings do not allow it, or an admin has locked it, the form is not there and a sent one is refused."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        assert "What of my mail is recorded" not in (await ana.get(SYNC)).text
        assert (await ana.post(f"{SYNC}/capture", do="save", body="text", attachments="none")).status == 403
        assert page.rep("ana").capture is None


async def test_every_value_of_ones_own_shows_where_it_comes_from(tmp_path: Path) -> None:
    """A default, the line of the settings, what holds for all, the store, or who changed it on the page."""
    settings = SETTINGS.replace("    name: Ana Berg\n", "    name: Ana Berg\n    language: en\n")
    async with open_page(tmp_path, settings + "reminders: {sync: off}\n") as page:
        ana = await page.signed_in("ana")
        shown = (await ana.get("/settings/account")).text
        language, zone = re.findall(r'<small class="origin">(?:from )?([^<]+)<', shown)
        assert re.fullmatch(r"config.yaml:\d+", language)
        assert zone == "default"
        sync = (await ana.get("/settings/salesforce/sync")).text
        assert re.search(r'<p><small class="origin">from config.yaml:\d+<', sync)
        await ana.post("/settings/account", language="en", time_zone="Europe/Stockholm")
        assert "from page: ana<" in (await ana.get("/settings/account")).text
        await (await page.signed_in("bea")).post("/admin/users/disable", login="dan", do="enable")
        dan = await page.signed_in("dan")
        assert "from relay user add<" in (await dan.get("/settings/account")).text
