"""What strangers try on any web page: scripts in texts, other people's files and hosts, too much of everything."""

import re
import threading
from pathlib import Path
from types import ModuleType

import pytest

from relay.ids import queue_id_of
from relay.policy import exclusions
from relay.policy.subjects import SubjectPattern, compile_subject
from relay.web.headers import POLICY
from relay.web.pages import exclusions as exclusions_page
from relay.web.pages import message as message_page
from relay.web.pages import try_mail
from tests.support.builders import new_message, to_recipient
from tests.support.page import SETTINGS, Page, open_page

SCRIPT = "<script>alert('x')</script>\"'><img src=x onerror=alert(1)>"


@pytest.mark.parametrize(
    "target",
    [
        "/static/../store.py",
        "/static/%2e%2e/store.py",
        "/static/..%2fstore.py",
        "/static//etc/passwd",
        "/static/relay.css",
        "/static/README.md",
        "/static/%00",
        "/../../etc/passwd",
        "/templates/layout.html",
    ],
)
async def test_no_path_leads_to_a_file(tmp_path: Path, target: str) -> None:
    """Only the files of the table are given, each under its name with its hash (path traversal)."""
    async with open_page(tmp_path) as page:
        assert (await page.visitor().get(target)).status == 404


async def test_the_files_of_the_page_are_given_to_be_kept(tmp_path: Path) -> None:
    """Stylesheet and scripts have the name of their content, and may be kept for ever."""
    async with open_page(tmp_path) as page:
        shown = await page.visitor().get("/sign-in")
        paths = re.findall(r'"(/static/[^"]+)"', shown.text)
        assert {path.rpartition(".")[2] for path in paths} == {"css", "js", "svg"}
        for path in set(paths):
            answer = await page.visitor().get(path)
            assert answer.status == 200
            assert "immutable" in answer.header("cache-control")


async def test_every_answer_carries_the_policy(tmp_path: Path) -> None:
    """Pages, errors, redirects and files: nothing inline, nothing from elsewhere, no frames, no sniffing, not kept."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        for target in ("/sign-in", "/settings/account", "/", "/nothing", "/static/x"):
            answer = await ana.get(target)
            assert answer.header("content-security-policy") == POLICY, target
            assert answer.header("x-content-type-options") == "nosniff"
            assert answer.header("referrer-policy") == "same-origin"
            assert answer.header("cache-control") == "no-store"


def test_no_page_has_a_script_or_a_style_of_its_own() -> None:
    """No template holds what the policy would stop: inline scripts, styles, handlers, or values that are not escaped."""
    folder = Path(__file__).resolve().parents[2] / "relay" / "web" / "templates"
    inline = re.compile(
        r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|hx-on|\|\s*safe\b|autoescape", re.I
    )
    # A mail's body, made safe by nh3, is the content of a sandboxed frame with a policy of its own.
    shown = [path for path in folder.iterdir() if path.name != "message_body.html"]
    found = {path.name: inline.findall(path.read_text()) for path in shown}
    assert {name: what for name, what in found.items() if what} == {}


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8025",
        "localhost.evil.example",
        "",
        "127.0.0.1.evil",
        "localhost:x@evil.example",
        "localhost:80@evil.example",
        "localhost:80/evil",
        "localhost:80?evil",
        "localhost:",
        "[::1]@evil.example",
        "[::1].evil.example",
    ],
)
async def test_a_host_that_is_not_ours_is_not_answered(tmp_path: Path, host: str) -> None:
    """A name of somebody else's that leads here gets nothing (DNS rebinding), and no link is mailed with it."""
    async with open_page(tmp_path) as page:
        visitor = page.visitor(host=host)
        assert (await visitor.get("/sign-in")).status == 400
        assert (await visitor.post("/forgot", login="ana")).status == 400
        assert await page.mail() == []


@pytest.mark.parametrize("host", ["localhost:9999", "relay.example.com:8443"])
async def test_a_mailed_link_begins_with_what_the_settings_say(tmp_path: Path, host: str) -> None:
    """Who asks with another port of our host gets no link to it mailed to anybody: the request names nothing in it."""
    async with open_page(tmp_path) as page:
        visitor, bea = page.visitor(host=host), await page.signed_in("bea", host=host)
        await visitor.get("/forgot")
        assert (await visitor.post("/forgot", login="ana")).status == 303
        assert (await bea.post("/admin/users/invite", login="bo")).status == 303
        for mail in await page.mail():
            assert "http://127.0.0.1:8025/choose-password/" in mail.get_content()
            assert host not in mail.get_content()


async def test_no_link_is_mailed_where_nobody_knows_the_pages_address(tmp_path: Path) -> None:
    """Behind a proxy without web.public_url nothing is mailed, no code made, and who asks reads what to set."""
    async with open_page(tmp_path, SETTINGS + "web: {trusted_proxies: [127.0.0.1/32]}\n") as page:
        visitor, bea = page.visitor(), await page.signed_in("bea")
        for answer in (await visitor.get("/forgot"), await visitor.post("/forgot", login="ana")):
            assert "web.public_url" in answer.text
        assert answer.status == 503
        told = await bea.follow(await bea.post("/admin/users/invite", login="bo"))
        assert "No link was mailed" in told.text
        assert await page.mail() == []
        assert await page.house.database.read(lambda tx: tx.execute("SELECT * FROM page_code")) == []


@pytest.mark.parametrize("octets", [65 * 1024, 5 * 1024 * 1024])
async def test_a_form_that_is_too_large_is_not_read(tmp_path: Path, octets: int) -> None:
    """Whatever its length is said to be, reading stops at the limit of the route."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        fields = {"form_token": ana.token, "recipients": "x" * octets}
        assert (await ana.post_with("/settings/exclusions", fields)).status == 413
        assert (await ana.post_with("/settings/exclusions", fields, content_length="10")).status == 413
        answer = await ana.upload("/settings/exclusions", "file", "../../x", b"x" * octets)
        assert answer.status == 413


async def test_what_is_large_comes_as_a_file(tmp_path: Path) -> None:
    """Where a file may be sent, a form in the other encoding is still no larger than a form: it is decoded at once."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        fields = {"form_token": ana.token, "text": "x" * 65 * 1024}
        assert (await ana.post_with("/try", fields)).status == 413
        assert (await ana.post_with("/try", fields, content_length="10")).status == 413
        mail = b"To: kim@buyer.example\r\n\r\n" + b"x" * 65 * 1024
        assert (await ana.upload("/try", "file", "a.eml", mail)).status == 200


async def test_a_strange_mail_leaves_others_their_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A header of a million fields and HTML nested a thousand deep are not read on the loop that mail is moved by."""
    where: dict[str, threading.Thread] = {}

    def watched(module: ModuleType, name: str) -> None:
        really = getattr(module, name)

        def run(*values: object) -> object:
            where[name] = threading.current_thread()
            return really(*values)

        monkeypatch.setattr(module, name, run)

    watched(try_mail, "tried")
    watched(try_mail, "explain")
    watched(message_page, "harmless")
    async with open_page(tmp_path) as page:
        wire = b"From: ana@example.com\r\nContent-Type: text/html\r\n\r\n" + b"<div>" * 1000 + b"x\r\n"
        message = new_message(number=page.house.runner.next_number(), content=wire)
        await page.house.accept(to_recipient(), message=message)
        ana = await page.signed_in("ana")
        shown = await ana.get(f"/messages/{queue_id_of(message.number)}/body")
        assert "<div>x" in shown.text
        await ana.upload("/try", "file", "a.eml", b"To: kim@buyer.example\r\n\r\n")
    assert where.keys() == {"tried", "explain", "harmless"}
    assert threading.main_thread() not in where.values()


async def test_costly_patterns_leave_others_their_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list made to be slow to compile is not looked at on the loop that mail is moved by, nor is its preview."""
    where: set[threading.Thread] = set()

    def watched(pattern: str, rule: str) -> SubjectPattern:
        where.add(threading.current_thread())
        return compile_subject(pattern, rule)

    for module in (exclusions_page, exclusions):
        monkeypatch.setattr(module, "compile_subject", watched)
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        costly = "\r\n".join(f"(?:a|a|a|a){{0,150}}{number}" for number in range(5))
        for do in ("try", "save"):
            answer = await ana.post("/settings/exclusions", subjects=costly, do=do)
            assert answer.status == (200 if do == "try" else 303)
            if do == "try":
                assert threading.main_thread() not in where
        where.clear()
        assert "(?:a|a|a|a)" in (await ana.get("/settings/exclusions")).text
    assert where
    assert threading.main_thread() not in where


async def test_a_form_of_a_million_fields_is_refused(tmp_path: Path) -> None:
    """Many small fields are as bad as one large one."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        fields = {"form_token": ana.token, **{f"f{n}": "" for n in range(5000)}}
        assert (await ana.post_with("/settings/exclusions", fields)).status in (400, 413)


@pytest.mark.parametrize(
    "pattern", ["(?=x)", "(a+)+b(?<=c)", r"(.)\1", "(" * 200 + "a" + ")" * 200, "(?i:x)(?!y)"]
)
async def test_no_rep_s_pattern_keeps_the_service_from_its_rules(tmp_path: Path, pattern: str) -> None:
    """A pattern over subjects that the rules do not offer is refused in the form; what others save counts as before."""
    async with open_page(tmp_path) as page:
        ana, bo = await page.signed_in("ana"), await page.signed_in("bo")
        for do in ("try", "save"):
            assert (await ana.post("/settings/exclusions", do=do, subjects=pattern)).status == 422
        assert (await bo.post("/settings/exclusions", do="save", subjects="^Private:")).status == 303
        assert page.rep("bo").exclude is not None
        assert page.rep("ana").exclude is None


async def test_texts_of_others_stay_texts(tmp_path: Path) -> None:
    """Names, patterns, devices, subjects and addresses are shown as they are written, never run (XSS)."""
    async with open_page(tmp_path) as page:
        message = new_message(number=page.house.runner.next_number(), subject=SCRIPT)
        await page.house.accept(to_recipient('"<script>"@buyer.example'), message=message)
        ana = await page.signed_in("ana")
        assert (await ana.post("/settings/mail/tokens", name=SCRIPT[:60])).status == 200
        await ana.post(
            "/settings/exclusions", do="save", subjects=SCRIPT.replace("(", r"\(").replace(")", r"\)")
        )
        answers = [
            await ana.get(path) for path in ("/settings/mail", "/settings/exclusions", "/settings/account")
        ]
        answers.append(await ana.post("/settings/exclusions", do="try", recipients="buyer.example"))
        answers.append(await ana.get("/settings/addresses?pending=" + "%3Cscript%3Ealert(1)%3C/script%3E"))
        answers.append(await ana.get("/sign-in?said=%3Cscript%3E"))
        answers.append(await ana.get("/settings/account?said=%3Cscript%3E"))
        for answer in answers:
            assert "<script>alert" not in answer.text
            assert "<img src=x" not in answer.text
        assert queue_id_of(message.number)


@pytest.mark.parametrize("failure", [RuntimeError("secret detail"), None])
async def test_a_fault_of_ours_tells_nothing_of_our_insides(
    tmp_path: Path, failure: Exception | None
) -> None:
    """What goes wrong inside is a page in plain words; the text of the exception stays in the program's log."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        await break_directory(page, failure)
        answer = await ana.get("/settings/account")
        assert answer.status in (500, 503)
        assert "secret" not in answer.text
        assert "Traceback" not in answer.text


async def break_directory(page: Page, failure: Exception | None) -> None:
    """Let the reps be out of reach, or close the database."""
    if failure is None:
        await page.house.stop()
        await page.house.database.close()
        return

    def fail() -> None:
        assert failure is not None
        raise failure

    page.actions.directory = fail  # type: ignore[method-assign,assignment]
