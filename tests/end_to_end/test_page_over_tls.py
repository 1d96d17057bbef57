"""The page of a real relay, in a real browser over TLS: what is changed there is in force for the next mail."""

import asyncio
import contextlib
import hashlib
import http.client
import smtplib
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Page as Tab

from relay.config.loader import load
from relay.demo.service import free_ports
from relay.directory.change_store import ChangeStore
from relay.directory.passwords import hash_password
from relay.storage.sqlite import DATABASE_NAME, SqliteDatabase
from tests.support.browser import open_browser
from tests.support.running import BCC, BO_BCC, PASSWORD, RunningRelay, running_relay, trusting

PAGE_PASSWORD = "correct horse battery staple"
OTHER = "emailtosalesforce@n3w4ddr3ss.c3.le.salesforce.example"


@pytest.fixture
def port() -> int:
    """A free port for the page."""
    return free_ports(1)[0]


@pytest.fixture
def relay(tmp_path: Path, port: int) -> Iterator[RunningRelay]:
    """A relay with a page over TLS; ana has a password there."""
    token = {"name": "Laptop", "sha256": hashlib.sha256(PASSWORD.encode()).hexdigest()}
    ana = {
        "login": "ana",
        "addresses": ["ana@example.com"],
        "email_to_salesforce": BCC,
        "password": hash_password(PAGE_PASSWORD.encode()),
        "tokens": [token],
        "web_role": "admin",
    }
    bo = {"login": "bo", "addresses": ["bo@example.com"], "email_to_salesforce": BO_BCC, "tokens": []}
    changes = {
        "web": {"address": f"127.0.0.1:{port}", "tls": "implicit"},
        "users": [ana, bo],
    }
    with running_relay(tmp_path, changes) as one:
        yield one


def send(relay: RunningRelay, password: str, recipient: str) -> None:
    """Send a mail as ana. Raises smtplib.SMTPAuthenticationError."""
    with smtplib.SMTP_SSL("localhost", relay.submissions, context=trusting(relay.ca), timeout=30) as smtp:
        smtp.login("ana", password)
        smtp.sendmail(
            "ana@example.com", [recipient], f"From: ana@example.com\r\nTo: {recipient}\r\n\r\nHi\r\n"
        )


@pytest.mark.peer("chromium")
async def test_what_is_changed_in_the_browser_holds_for_the_next_mail(relay: RunningRelay, port: int) -> None:
    """Sign in, activate BCC with another address, make an app password, send by it, revoke it: the next login fails."""
    base = f"https://localhost:{port}"
    async with open_browser() as browser, browser.window(base) as window:
        await sign_in(window.tab, base)
        tab = window.tab
        await tab.goto(f"{base}/settings/salesforce/sync?tab=bcc")
        await tab.get_by_label("Email to Salesforce Address").fill(OTHER)
        await tab.get_by_role("button", name="Save").first.click()
        await tab.get_by_text("What was just tested").wait_for()
        assert OTHER not in await tab.content()

        await tab.goto(f"{base}/settings/mail")
        await tab.get_by_label("Name of the device").fill("Telephone")
        await tab.get_by_role("button", name="Make an app password").click()
        secret = await tab.locator("#secret").inner_text()

        await asyncio.to_thread(send, relay, secret, "kim@buyer.example")
        captured = await asyncio.to_thread(relay.mail_for, OTHER)
        assert captured is not None

        await tab.get_by_role("button", name="Revoke Telephone").click()
        await tab.get_by_text("The app password works no more.").wait_for()
        with pytest.raises(smtplib.SMTPAuthenticationError):
            await asyncio.to_thread(send, relay, secret, "kim@buyer.example")
        await asyncio.to_thread(send, relay, PASSWORD, "lee@buyer.example")
        assert window.troubles == []


async def sign_in(tab: Tab, base: str) -> None:
    """Sign ana in."""
    await tab.goto(f"{base}/sign-in")
    await tab.get_by_label("Login").fill("ana")
    await tab.get_by_label("Password").fill(PAGE_PASSWORD)
    await tab.get_by_role("button", name="Sign in").click()
    await tab.wait_for_url(lambda url: "sign-in" not in url)


def test_changes_outlive_a_restart_and_a_reload(relay: RunningRelay, port: int) -> None:
    """What was stored is in force after a new start, and after a reload of the file; `config show` prints it."""
    invited = relay.service.run("user", "invite", "bo", "--json")
    assert invited.returncode == 0

    async def change() -> None:
        state = load(relay.folder / "config.yaml").state_dir
        database = await SqliteDatabase.open(state / DATABASE_NAME, create=False)
        await database.write(lambda tx: ChangeStore().set(tx, "", "logging.mode", "off", "ana", 1))
        await database.close()

    asyncio.run(change())
    relay.service.run("reload")
    send(relay, PASSWORD, "one@buyer.example")
    relay.service.stop()
    relay.service.start()
    send(relay, PASSWORD, "two@buyer.example")
    for recipient in ("one@buyer.example", "two@buyer.example"):
        assert list(relay.mail_for(recipient).addresses) == [recipient]
    shown = relay.service.run("config", "show")
    assert "page: ana" in shown.stdout


def test_the_page_speaks_tls_alone(relay: RunningRelay, port: int) -> None:
    """With the relay's certificate, and not at all in clear text."""
    with urllib.request.urlopen(
        f"https://localhost:{port}/sign-in", context=trusting(relay.ca), timeout=30
    ) as answer:
        assert answer.status == 200
    with pytest.raises((urllib.error.URLError, ConnectionError, OSError)):
        urllib.request.urlopen(f"http://localhost:{port}/sign-in", timeout=30)


def test_an_office_has_hundreds_of_connections_and_leaves_places_to_others(
    relay: RunningRelay, port: int
) -> None:
    """With 400 from one address, that do nothing, it is answered still; more than 512 are hung up on, others answered."""

    def asked(source: str) -> int:
        client = http.client.HTTPSConnection(
            "127.0.0.1", port, context=trusting(relay.ca), timeout=30, source_address=(source, 0)
        )
        with contextlib.closing(client):
            client.request("GET", "/sign-in")
            return client.getresponse().status

    assert asked("127.0.0.1") == 200  # from now on the page is loaded
    with contextlib.ExitStack() as stack:

        def connected() -> socket.socket:
            return stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))

        first, *_ = [connected() for _ in range(400)]
        assert asked("127.0.0.1") == 200
        *_, last = [connected() for _ in range(120)]
        with contextlib.suppress(ConnectionError):
            assert last.recv(1) == b""
        assert asked("127.0.0.2") == 200
        first.setblocking(False)
        with pytest.raises(BlockingIOError):
            first.recv(1)


def shown_certificate(port: int) -> bytes:
    """Give the certificate that the page shows."""
    return ssl.get_server_certificate(("127.0.0.1", port)).encode()


def test_a_renewed_certificate_is_shown_after_a_reload(relay: RunningRelay, port: int) -> None:
    """Without a restart, as at the SMTP ports."""
    before = shown_certificate(port)
    leaf = relay.ca.issue_cert("localhost", "127.0.0.1", "relay.example.com")
    (relay.folder / "cert.pem").write_bytes(b"".join(pem.bytes() for pem in leaf.cert_chain_pems))
    (relay.folder / "key.pem").write_bytes(leaf.private_key_pem.bytes())
    assert relay.service.run("reload").returncode == 0
    after = shown_certificate(port)
    assert after != before
    assert after.strip() in leaf.cert_chain_pems[0].bytes().replace(b"\r\n", b"\n")
