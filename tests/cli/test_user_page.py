"""What people changed on the page shows at the command line, and an admin lets reps in and out by command."""

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
import typer
from typer.testing import CliRunner, Result

from relay.address import parse_mailbox
from relay.cli import check, config, user
from relay.clock import SystemClock
from relay.directory.change_store import ChangeStore
from relay.directory.store import DirectoryStore, RepChange
from relay.storage.database import Transaction
from relay.storage.sqlite import DATABASE_NAME, SqliteDatabase
from relay.web.store import INVITE, PageStore, Session, tie

T = TypeVar("T")
NOW = 1_790_000_000_000_000
SETTINGS = """\
version: 1
server: {hostname: relay.example.com, state_dir: state}
listeners:
  - {name: submissions, address: "127.0.0.1:2465", tls: none}
auth: {require_tls: false}
upstream: {default: main, routes: {main: {host: 127.0.0.1}}}
web: {public_url: "https://relay.example.com"}
users:
  - {login: bo, addresses: [bo@example.com], email_to_salesforce: emailtosalesforce@e5.le.salesforce.com}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with settings and a store that `relay serve` has made."""
    (tmp_path / "config.yaml").write_text(SETTINGS)
    in_store(tmp_path, lambda _tx: None)
    return tmp_path


def in_store(folder: Path, unit: Callable[[Transaction], T]) -> T:
    """Carry a unit of work out in the store."""

    async def work() -> T:
        database = await SqliteDatabase.open(folder / "state" / DATABASE_NAME, create=True)
        try:
            return await database.write(unit)
        finally:
            await database.close()

    return asyncio.run(work())


def session(id_hash: str, login: str, password: str | None = None) -> Session:
    """Give a session of a rep who has this password."""
    return Session(id_hash, login, "password", "", "", NOW, NOW, NOW + 1, tie(id_hash, password))


def run(folder: Path, *arguments: str) -> Result:
    """Run a command."""
    app = typer.Typer()
    user.register(app)
    config.register(app)
    return CliRunner().invoke(app, [*arguments, "-c", str(folder / "config.yaml")])


def change(tx: Transaction) -> None:
    """Change what people change on the page."""
    changes = ChangeStore()
    changes.set(tx, "bo", "mode", "off", "bo", NOW)
    changes.set(tx, "bo", "exclude", {"recipients": ["bank.example"]}, "bo", NOW)
    changes.set(tx, "bo", "disabled", True, "bea", NOW)
    changes.set(tx, "", "logging.match.nobody", "skip", "bea", NOW)
    changes.set(tx, "", "logging.nonsense", "skip", "bea", NOW)
    changes.set(tx, "", "server.hostname", "evil.example", "bea", NOW)
    changes.add_address(tx, "bo", parse_mailbox("bo@other.example"), NOW)


def test_the_list_shows_who_changed_what(folder: Path) -> None:
    """The merged values, with who changed each."""
    in_store(folder, change)
    shown = json.loads(run(folder, "user", "list", "--json").stdout)["items"][0]
    assert (shown["mode"], shown["addresses"]) == ("off", ["bo@example.com", "bo@other.example"])
    assert shown["changed"]["mode"] == "page: bo"
    assert shown["changed"]["addresses.1"] == "page: verified"
    assert (shown["disabled"], shown["changed"]["disabled"]) == (True, "page: bea")
    text = run(folder, "user", "list").stdout
    assert "off (page: bo)" in text
    assert "bo (disabled, page: bea)" in text


def test_config_show_prints_what_is_in_force(folder: Path) -> None:
    """The settings with what was changed on the page, and where each comes from; what may not be changed there is not."""
    in_store(folder, change)
    items = json.loads(run(folder, "config", "show", "--json").stdout)["items"]
    found = {item["path"]: (item["value"], item["place"]) for item in items}
    assert found["logging.match.nobody"] == ("skip", "page: bea")
    assert found["users.0.mode"] == ("off", "page: bo")
    assert found["users.0.disabled"] == (True, "page: bea")
    assert found["users.0.exclude.recipients"][0] == ["bank.example"]
    assert found["users.0.addresses"][0] == ["bo@example.com", "bo@other.example"]
    assert found["server.hostname"][0] == "relay.example.com"


def test_config_show_works_without_a_store(folder: Path) -> None:
    """Before the first start the settings are shown as they were written."""
    for file in (folder / "state").iterdir():
        file.unlink()
    (folder / "state").rmdir()
    assert run(folder, "config", "show").exit_code == 0


def test_an_invitation_is_a_link_that_the_page_takes(folder: Path) -> None:
    """The link names the page's address and a code that is kept as a hash, for the rep, for seven days."""
    shown = json.loads(run(folder, "user", "invite", "BO", "--json").stdout)
    found = re.fullmatch(r"https://relay\.example\.com/choose-password/([\w-]{43})", shown["link"])
    assert found is not None
    code, now = found[1], SystemClock().now()
    assert in_store(folder, lambda tx: PageStore().find_code(tx, code, INVITE, now)) is not None
    week = now + 7 * 86_400_000_000
    assert in_store(folder, lambda tx: PageStore().find_code(tx, code, INVITE, week)) is None
    stored = in_store(folder, lambda tx: tx.execute("SELECT code_hash, login_key FROM page_code"))
    assert code not in str(stored)
    assert stored[0][1] == "bo"
    assert run(folder, "user", "invite", "nobody").exit_code != 0


def test_an_invitation_needs_the_pages_address(folder: Path) -> None:
    """Where the settings do not tell it no code is made, and the command says what to set."""
    config = folder / "config.yaml"
    text = config.read_text().replace(
        'web: {public_url: "https://relay.example.com"}', "web: {trusted_proxies: [192.0.2.1/32]}"
    )
    config.write_text(text)
    refused = run(folder, "user", "invite", "BO")
    assert refused.exit_code == 1
    assert "set web.public_url" in str(refused.exception)
    assert in_store(folder, lambda tx: tx.execute("SELECT * FROM page_code")) == []


def test_signing_out_ends_every_session(folder: Path) -> None:
    """The sessions of the rep are gone, those of others are not; who did it is noted."""
    run(folder, "user", "add", "eve@example.com", "--no-token")

    def begin(tx: Transaction) -> None:
        for number, key in enumerate(("bo", "bo", "eve@example.com")):
            PageStore().begin_session(tx, session(f"{number:064}", key))

    in_store(folder, begin)
    shown = json.loads(run(folder, "user", "sign-out", "bo", "--json").stdout)
    assert shown["sessions"] == 2
    assert in_store(folder, lambda tx: tx.execute("SELECT login_key FROM page_session")) == [
        ("eve@example.com",)
    ]
    audited = in_store(folder, lambda tx: PageStore().audited(tx))
    assert [(one.verb, one.about) for one in audited] == [("signed_out", "bo")]


@pytest.mark.parametrize(
    "change", [("set", "eve@example.com", "--no-password"), ("disable", "eve@example.com")]
)
def test_what_keeps_a_rep_out_ends_the_sessions_for_good(folder: Path, change: tuple[str, ...]) -> None:
    """Another password and `disable`: undone again, nobody is let in; other reps stay signed in."""
    run(folder, "user", "add", "eve@example.com", "--no-token")
    encoded = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA"

    def begin(tx: Transaction) -> None:
        DirectoryStore().set(tx, "eve@example.com", RepChange(password=encoded))
        PageStore().begin_session(tx, session("0" * 64, "eve@example.com", encoded))
        PageStore().begin_session(tx, session("1" * 64, "bo"))

    in_store(folder, begin)
    assert run(folder, "user", "set", "eve@example.com", "--name", "Eve").exit_code == 0
    assert len(in_store(folder, lambda tx: PageStore().all_sessions(tx))) == 2
    assert run(folder, "user", *change).exit_code == 0
    (left,) = in_store(folder, lambda tx: PageStore().all_sessions(tx))
    assert left.login_key == "bo"


def test_a_role_on_the_page_is_set_by_command(folder: Path) -> None:
    """--web-role at add and set."""
    run(
        folder,
        "user",
        "add",
        "cecilia@example.com",
        "--web-role",
        "auditor",
        "--email-to-salesforce",
        "x@y.example",
    )
    run(folder, "user", "set", "cecilia@example.com", "--web-role", "admin")
    items = json.loads(run(folder, "user", "list", "--json").stdout)["items"]
    assert items[1]["web_role"] == "admin"


def test_a_kept_pattern_that_is_not_offered_any_more(folder: Path) -> None:
    """`relay check` and `relay config show` warn of it, and go on."""
    kept = {"subjects": ["a(?=b)"]}
    in_store(folder, lambda tx: ChangeStore().set(tx, "bo", "exclude", kept, "bo", NOW))
    app = typer.Typer()
    config.register(app)
    check.register(app)
    for command in (["config", "show"], ["check"]):
        result = CliRunner().invoke(app, [*command, "-c", str(folder / "config.yaml")])
        assert result.exit_code == 0, result.output
        assert "warning: users.bo.exclude.subjects.0: the pattern uses" in result.output, command
