"""The pages of admins and auditors: overview, messages, queue, configuration, audit."""

import json
import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from relay.queue.model import State
from relay.web.charts import bars
from relay.web.pages.admin_messages import plain_cell
from tests.support.page import BCC, open_page
from tests.web.test_today import copy_of, sent


async def test_the_overview_counts_what_waits(tmp_path: Path) -> None:
    """What is held stands there, with a link to the queue."""
    async with open_page(tmp_path) as page:
        await sent(page)
        answer = await (await page.signed_in("cid")).get("/admin")
    assert answer.status == 200
    assert '<a href="/admin/queue">1</a>' in answer.text


async def test_messages_are_searched_by_state_rep_and_text(tmp_path: Path) -> None:
    """Each condition leaves out what does not meet it."""
    async with open_page(tmp_path) as page:
        held = await sent(page, subject="Held offer")
        await sent(page, subject="Logged offer", logging=State.SENT)
        bea = await page.signed_in("bea")
        for query, found, missing in (
            ("logged=needs_you", "Held offer", "Logged offer"),
            ("q=logged+offer", "Logged offer", "Held offer"),
            (f"q={held}", "Held offer", "Logged offer"),
            ("rep=ana&logged=logged", "Logged offer", "Held offer"),
        ):
            text = (await bea.get(f"/admin/messages?{query}")).text
            assert found in text, query
            assert missing not in text, query
        assert "offer" not in (await bea.get("/admin/messages?rep=bo")).text


async def test_an_export_holds_what_was_found_and_is_recorded(tmp_path: Path) -> None:
    """As JSON lines and as CSV, in which no subject is a formula; the address of the log copy is in neither."""
    async with open_page(tmp_path) as page:
        await sent(page, subject="=cmd|' /C calc'!A0")
        cid = await page.signed_in("cid")
        lines = await cid.get("/admin/messages/export?format=jsonl")
        table = await cid.get("/admin/messages/export?format=csv")
        assert json.loads(lines.text)["rep"] == "ana"
        assert "'=cmd" in table.text
        assert BCC not in lines.text + table.text
        assert [one.split()[1] for one in await page.audited()] == ["messages.exported"] * 2
        await sent(page, subject="Another offer")
        for query, subjects in (
            ("q=another", ["Another offer"]),
            ("q=another&rep=bo", []),
            ("q=another&logged=logged", []),
            ("rep=ana&logged=needs_you", ["Another offer", "=cmd|' /C calc'!A0"]),
        ):
            answer = await cid.get(f"/admin/messages/export?format=jsonl&{query}")
            assert [json.loads(line)["subject"] for line in answer.text.splitlines()] == subjects, query


async def test_searches_are_kept_and_forgotten(tmp_path: Path) -> None:
    """Under a name, for who kept them alone."""
    async with open_page(tmp_path) as page:
        bea, cid = await page.signed_in("bea"), await page.signed_in("cid")
        await bea.post("/admin/messages/searches", name="Needs care", query="logged=needs_you&days=7")
        assert "Needs care" in (await bea.get("/admin/messages")).text
        assert "Needs care" not in (await cid.get("/admin/messages")).text
        await bea.post("/admin/messages/searches/drop", name="Needs care")
        assert "Needs care" not in (await bea.get("/admin/messages")).text


async def test_the_queue_is_changed_in_bulk_only_after_a_typed_word(tmp_path: Path) -> None:
    """Without the word nothing happens; with it all that is selected is released."""
    async with open_page(tmp_path) as page:
        first, second = await sent(page), await sent(page)
        bea = await page.signed_in("bea")
        await bea.post("/admin/queue/change", verb="release", state="held")
        assert (await copy_of(page, first))[1] is State.HELD
        await bea.post("/admin/queue/change", verb="release", state="held", confirm="release")
        assert [(await copy_of(page, one))[1] for one in (first, second)] == [State.QUEUED] * 2


async def test_one_delivery_is_cancelled_from_the_queue(tmp_path: Path) -> None:
    """By its row, without a word; the mail log and the audit tell who did it."""
    async with open_page(tmp_path) as page:
        message = await sent(page)
        key, _ = await copy_of(page, message)
        bea = await page.signed_in("bea")
        assert "because of &lt;b&gt;it" in (await bea.get("/admin/queue")).text
        await bea.post("/admin/queue/change", verb="cancel", delivery=str(key))
        assert (await copy_of(page, message))[1] is State.CANCELLED
        assert "bea" in (await bea.get(f"/messages/{message}")).text
        assert await page.audited() == ["bea queue.cancelled queue"]


async def test_an_auditor_sees_the_queue_and_changes_nothing(tmp_path: Path) -> None:
    """There is no button, and the request is refused."""
    async with open_page(tmp_path) as page:
        message = await sent(page)
        cid = await page.signed_in("cid")
        assert "/admin/queue/change" not in (await cid.get("/admin/queue")).text
        answer = await cid.post("/admin/queue/change", verb="cancel", confirm="cancel")
        assert answer.status == 403
        assert (await copy_of(page, message))[1] is State.HELD


async def test_why_it_waits_is_said_in_the_reader_s_language(tmp_path: Path) -> None:
    """The advice of the playbook is translated."""
    async with open_page(tmp_path) as page:
        await sent(page)
        bea = await page.signed_in("bea")
        assert "Somebody held it" in (await bea.get("/admin/queue")).text
        await bea.post("/settings/account", language="es", time_zone="Europe/Madrid")
        text = (await bea.get("/admin/queue")).text
        assert "Alguien lo ha retenido" in text
        assert "Somebody held it" not in text


async def test_the_configuration_is_shown_without_its_secrets(tmp_path: Path) -> None:
    """Each setting with where it stands; no hash, no full log copy address."""
    async with open_page(tmp_path) as page:
        text = (await (await page.signed_in("cid")).get("/admin/configuration")).text
    assert "upstream.routes.main.port" in text
    assert "config.yaml:" in text
    assert BCC not in text
    assert "argon2id" not in text


async def test_the_configuration_is_read_by_its_sections(tmp_path: Path) -> None:
    """Each section of the file stands for itself, and is led to; a search shows the sections in which it found something."""
    async with open_page(tmp_path) as page:
        cid = await page.signed_in("cid")
        text = (await cid.get("/admin/configuration")).text
        for name in ("server", "logging", "upstream", "users"):
            assert f'href="#section-{name}"' in text
            assert f'id="section-{name}"' in text
        assert text.count("<table") == text.count('href="#section-') > 8
        found = (await cid.get("/admin/configuration?q=upstream.routes")).text
        assert found.count("<table") == 1
        assert 'id="section-upstream"' in found


async def test_charts_say_what_they_measure(tmp_path: Path) -> None:
    """From nothing to the most in an hour, from a day ago to now."""
    async with open_page(tmp_path) as page:
        await sent(page)
        text = (await (await page.signed_in("bea")).get("/admin")).text
        ends = re.findall(
            r'<div class="ends"><time datetime="([^"]+)".*?per hour.*?<time datetime="([^"]+)"', text
        )
        assert len(ends) == 2
        first, last = map(datetime.fromisoformat, ends[0])
        assert last - first == timedelta(hours=24)
        assert '<div class="scale" aria-hidden="true"><span>' in text


async def test_the_audit_is_searched_by_who(tmp_path: Path) -> None:
    """What one did is found, what others did is not."""
    async with open_page(tmp_path) as page:
        for login in ("ana", "cid"):
            message = await sent(page)
            browser = await page.signed_in(login)
            await browser.get(f"/messages/{message}/body" if login == "ana" else "/admin/messages/export")
        text = (await (await page.signed_in("cid")).get("/admin/audit?who=ana")).text
    assert "body.read" in text
    assert "messages.exported" not in text


@pytest.mark.parametrize(("text", "cell"), [("=1", "'=1"), ("+1", "'+1"), ("plain", "plain"), ("", "")])
def test_a_cell_is_no_formula(text: str, cell: str) -> None:
    """What a spreadsheet would carry out is written as text."""
    assert plain_cell(text) == cell


def test_bars_are_laid_out_in_their_field() -> None:
    """The largest reaches the top, nothing stands out, and a small value is still seen."""
    laid = bars((0, 1, 1000))
    assert [bar.height for bar in laid] == [0.0, 0.8, 30.0]
    assert all(0 <= bar.y <= 30 and bar.x + bar.width <= 100 for bar in laid)
    assert bars(()) == ()
