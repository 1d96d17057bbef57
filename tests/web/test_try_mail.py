"""Try: the whole decision about a mail, without sending it."""

from pathlib import Path

from relay.web.pages.try_mail import LARGEST
from tests.support.page import BCC, open_page

MAIL = b"From: ana@example.com\r\nTo: anna@customer.example\r\nSubject: <script>alert(1)</script>\r\n\r\nHello\r\n"


async def test_an_uploaded_mail_is_explained(tmp_path: Path) -> None:
    """The decision, each step with its rule and line; the log copy's address is not in it, and nothing is queued."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        answer = await ana.upload("/try", "file", "../../offer.eml", MAIL)
        assert answer.status == 200
        assert "Would be logged:" in answer.text
        assert "config.yaml:" in answer.text
        assert BCC not in answer.text
        assert "<script>alert" not in answer.text
        assert await page.mail() == []


async def test_a_pasted_mail_to_a_colleague_is_left_out(tmp_path: Path) -> None:
    """The exclusion and its rule are named."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        answer = await ana.post("/try", text=MAIL.decode(), recipients="bo@example.com")
    assert "Would not be logged:" in answer.text
    assert "logging.exclude.internal" in answer.text


async def test_what_was_pasted_stands_in_the_form(tmp_path: Path) -> None:
    """So that it is changed and tried again: the source as it was, and the recipients; also when something is missing."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        text, to = "\nSubject: </textarea><script>x\r\n\r\nHello", "kim@customer.example"
        for recipients in (to, ""):
            answer = await ana.post("/try", text=text, recipients=recipients)
            assert "\n\nSubject: &lt;/textarea&gt;&lt;script&gt;x" in answer.text
            assert f'name="recipients" value="{recipients}"' in answer.text
        assert "Subject: yyy" not in (await ana.post("/try", text="Subject: " + "y" * 2**20)).text


async def test_what_would_be_refused_shows_its_reply(tmp_path: Path) -> None:
    """A sender that is not an acceptable address: 550 5.7.1."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        answer = await ana.post("/try", text=MAIL.decode().replace("ana@", "eve@"))
    assert "Would be refused:" in answer.text
    assert "5.7.1" in answer.text


async def test_a_form_without_a_mail_says_what_is_missing(tmp_path: Path) -> None:
    """Nothing at all, no recipients, or an address that is none: 422 with the reason."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        for fields, told in (
            ({}, "Choose a file"),
            ({"text": "Subject: x\r\n\r\nx"}, "Nobody is named"),
            ({"text": MAIL.decode(), "recipients": "x@@y"}, "cannot be used"),
        ):
            answer = await ana.post("/try", **fields)
            assert (answer.status, told in answer.text) == (422, True), told


async def test_a_mail_that_is_too_large_is_refused_while_it_comes_in(tmp_path: Path) -> None:
    """413 by what is announced; nothing of it is read."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        own = {"origin": "http://localhost", "sec-fetch-site": "same-origin"}
        kind = {"content-type": "multipart/form-data; boundary=x", "content-length": str(2**30)}
        answer = await ana.send("POST", "/try", b"--x", {**own, **kind})
        assert answer.status == 413
        assert LARGEST < 2**30


async def test_any_octets_are_explained_or_refused_without_trouble(tmp_path: Path) -> None:
    """A file that is no mail makes no error page of ours."""
    async with open_page(tmp_path) as page:
        ana = await page.signed_in("ana")
        for octets in (
            b"\0" * 1000,
            bytes(range(256)) * 50,
            b"\r\n" * 5000,
            b"To: " + b"a@b.example," * 5000,
        ):
            answer = await ana.upload("/try", "file", "x.eml", octets)
            assert answer.status in (200, 422), octets[:20]
