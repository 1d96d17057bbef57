"""`relay user` and `relay hash-password`: reps are entered, shown, changed, and their secrets shown once."""

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from relay.cli import hash_password, user
from relay.config.loader import load
from relay.directory.credentials import CredentialRules, Credentials, Proven
from relay.directory.model import Directory
from relay.directory.passwords import check_password
from relay.directory.store import DirectoryStore
from relay.directory.throttle import Limits
from relay.errors import CommandError
from relay.storage.sqlite import DATABASE_NAME, SqliteDatabase
from tests.support.clock import FakeClock

BCC = "emailtosalesforce@a1b2c3d4.le.salesforce.com"
SETTINGS = """\
version: 1
server: {hostname: relay.example.com, state_dir: state}
listeners:
  - {name: submission, address: "127.0.0.1:2587", tls: starttls}
  - {name: submissions, address: "127.0.0.1:2465", tls: implicit}
tls: {certificate: cert.pem, private_key: {env: KEY}}
upstream:
  default: main
  routes:
    main: {host: 127.0.0.1}
users:
  - login: bo
    addresses: [bo@example.com]
    email_to_salesforce: emailtosalesforce@e5f6g7h8.le.salesforce.com
"""
Run = Callable[..., Result]


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """Give a settings file with one rep, bo, and a store that `relay serve` has made."""
    path = tmp_path / "config.yaml"
    path.write_text(SETTINGS)
    make_store(tmp_path)
    return path


def make_store(folder: Path) -> None:
    """Make the empty store."""

    async def make() -> None:
        await (await SqliteDatabase.open(folder / "state" / DATABASE_NAME, create=True)).close()

    asyncio.run(make())


@pytest.fixture
def run(settings: Path) -> Run:
    """Give what runs a command with these settings."""
    app = typer.Typer()
    user.register(app)
    hash_password.register(app)

    def invoke(*arguments: str, given: str | bytes | None = None) -> Result:
        words = list(arguments)
        if words[0] == "user":
            words[2:2] = ["-c", str(settings)]
        return CliRunner().invoke(app, words, input=given)

    return invoke


def directory(settings: Path) -> Directory:
    """Read all reps as the service does."""

    async def read() -> Directory:
        configuration = load(settings)
        database = await SqliteDatabase.open(configuration.state_dir / DATABASE_NAME, create=False)
        try:
            return await database.read(
                lambda tx: DirectoryStore().snapshot(tx, configuration.settings, configuration.place)
            )
        finally:
            await database.close()

    return asyncio.run(read())


def proves(settings: Path, login: str, password: str) -> bool:
    """Say whether a rep can sign in with this."""
    reps = directory(settings)
    credentials = Credentials(lambda: reps, CredentialRules(Limits(8, 600.0, 900.0), 600.0), FakeClock())
    verdict = asyncio.run(credentials.verify(login, password.encode(), "192.0.2.1"))
    credentials.close()
    return isinstance(verdict, Proven)


def refusal(result: Result) -> CommandError:
    """Give the error that a command ended with."""
    assert isinstance(result.exception, CommandError), (result.output, result.exception)
    return result.exception


def test_add_enters_a_rep_who_can_sign_in(run: Run, settings: Path) -> None:
    """The app password that `add --json` shows proves the rep, and the set-up names every listener."""
    result = run("user", "add", "ana", "--address", "ana@example.com", "--email-to-salesforce", BCC, "--json")
    assert result.exit_code == 0, result.output
    shown = json.loads(result.stdout)
    assert shown["schema"] == "relay.user.add/1"
    assert proves(settings, "ana", shown["token"])
    assert shown["setup"] == [
        {"server": "relay.example.com", "port": 2465, "security": "SSL/TLS", "user": "ana"},
        {"server": "relay.example.com", "port": 2587, "security": "STARTTLS", "user": "ana"},
    ]
    assert BCC not in result.output


def test_add_tells_how_to_set_up_the_mail_client(run: Run, settings: Path) -> None:
    """What a person reads has server, port, security, user name and the app password, which signs in."""
    result = run("user", "add", "ana", "--address", "ana@example.com", "--email-to-salesforce", BCC)
    text = result.stdout
    secret = re.search(r"[a-z2-9]{6}(-[a-z2-9]{6}){4}", text)
    assert secret
    assert proves(settings, "ana", secret[0])
    for part in ("relay.example.com", "2587", "STARTTLS", "user name  ana", "sender     ana@example.com"):
        assert part in text


def test_the_login_may_be_the_address(run: Run, settings: Path) -> None:
    """Without --address the login is the acceptable address; one that is none is wrong usage."""
    run("user", "add", "ana@example.com", "--json")
    rep = directory(settings).by_login("ANA@example.com")
    assert rep is not None
    assert [str(address) for address in rep.addresses] == ["ana@example.com"]
    assert refusal(run("user", "add", "eve")).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("BO", "--address", "other@example.com"), "config.yaml:12"),
        (("other", "--address", "Bo@example.com"), "config.yaml:12"),
        (("ANA", "--address", "other@example.com"), "relay user add"),
        (("other", "--address", "ANA@example.com"), "relay user add"),
    ],
)
def test_what_is_taken_is_refused_with_where_it_stands(
    run: Run, arguments: tuple[str, ...], told: str
) -> None:
    """A login or address of the settings or of the store is not entered again."""
    run("user", "add", "ana", "--address", "ana@example.com")
    error = refusal(run("user", "add", *arguments))
    assert told in str(error)
    assert "already" in str(error)
    assert len(json.loads(run("user", "list", "--json").stdout)["items"]) == 2


@pytest.mark.parametrize("address", ["ana", "ana@localhost", "a b@example.com", "ana@example.com>", ""])
def test_addresses_that_are_none_are_refused(run: Run, address: str) -> None:
    """Nothing that could not be a sender gets in."""
    assert refusal(run("user", "add", "ana", "--address", address)).exit_code == 2


def test_a_wrong_bcc_address_is_refused_without_showing_it(run: Run) -> None:
    """The address is a secret even when mistyped."""
    error = refusal(run("user", "add", "ana@example.com", "--email-to-salesforce", "a1b2c3d4 le.salesforce"))
    assert "a1b2c3d4" not in str(error)


def test_the_bcc_address_may_come_from_standard_input(run: Run, settings: Path) -> None:
    """So that it stands in no list of processes and no shell history."""
    run("user", "add", "ana@example.com", "--email-to-salesforce", "-", given=BCC + "\n")
    rep = directory(settings).by_login("ana@example.com")
    assert rep is not None
    assert rep.email_to_salesforce is not None
    assert rep.email_to_salesforce.reveal() == BCC


def test_a_rep_without_bcc_address_gets_a_warning(run: Run) -> None:
    """Silence is the worst fault: that nothing will be logged is said at once."""
    assert "not logged" in run("user", "add", "ana@example.com").stderr
    assert "not logged" not in run("user", "add", "eve@example.com", "--mode", "off").stderr


def test_list_shows_both_origins_and_masks_the_bcc_address(run: Run) -> None:
    """Every rep with where it was entered; the Email to Salesforce address masked unless --reveal."""
    run("user", "add", "ana", "--address", "ana@example.com", "--email-to-salesforce", BCC)
    items = json.loads(run("user", "list", "--json").stdout)["items"]
    assert [(item["login"], item["origin"]) for item in items] == [
        ("bo", "config.yaml:12"),
        ("ana", "relay user add"),
    ]
    assert items[1]["email_to_salesforce"] == "emailtosalesforce@a1…om"
    assert items[1]["tokens"] == ["default"]
    for text in (run("user", "list").stdout, run("user", "list", "--json").stdout):
        assert "a1b2c3d4" not in text
        assert "ana" in text
        assert "bo" in text
    revealed = json.loads(run("user", "list", "--reveal", "--json").stdout)["items"]
    assert revealed[1]["email_to_salesforce"] == BCC


def test_list_works_before_the_first_start(tmp_path: Path) -> None:
    """Without a store the reps of the settings are listed."""
    path = tmp_path / "config.yaml"
    path.write_text(SETTINGS)
    app = typer.Typer()
    user.register(app)
    result = CliRunner().invoke(app, ["user", "list", "-c", str(path), "--json"])
    assert [item["login"] for item in json.loads(result.stdout)["items"]] == ["bo"]
    assert not (tmp_path / "state").exists()


def test_set_changes_what_is_named(run: Run, settings: Path) -> None:
    """Addresses are added and removed one by one, the mode is set and given back."""
    run("user", "add", "ana", "--address", "ana@example.com", "--name", "Ana")
    result = run(
        "user", "set", "ana", "--add-address", "a@example.com", "--remove-address", "ANA@example.com",
        "--mode", "off", "--json",
    )  # fmt: skip
    assert json.loads(result.stdout)["addresses"] == ["a@example.com"]
    rep = directory(settings).by_login("ana")
    assert rep is not None
    assert (rep.name, rep.mode) == ("Ana", "off")
    run("user", "set", "ana", "--mode", "default")
    rep = directory(settings).by_login("ana")
    assert rep is not None
    assert rep.mode is None


def test_set_never_leaves_a_rep_without_address_or_with_another_s(run: Run) -> None:
    """The last address stays, and bo's is bo's."""
    run("user", "add", "ana", "--address", "ana@example.com")
    assert "at least one" in str(refusal(run("user", "set", "ana", "--remove-address", "ana@example.com")))
    error = refusal(run("user", "set", "ana", "--add-address", "bo@example.com"))
    assert "bo's already (config.yaml:12)" in str(error)


def test_passwords_are_set_from_standard_input(run: Run, settings: Path) -> None:
    """--password reads the password, never takes it as an argument; --no-password takes it away."""
    run("user", "add", "ana@example.com", "--password", given="correct horse\n")
    assert proves(settings, "ana@example.com", "correct horse")
    run("user", "set", "ana@example.com", "--no-password")
    assert not proves(settings, "ana@example.com", "correct horse")


def test_more_app_passwords_and_taking_one_back(run: Run, settings: Path) -> None:
    """Each device has its own, which can be taken back alone."""
    first = json.loads(run("user", "add", "ana@example.com", "--json").stdout)["token"]
    second = json.loads(run("user", "token", "ana@example.com", "--name", "iPhone", "--json").stdout)["token"]
    assert proves(settings, "ana@example.com", first)
    assert proves(settings, "ana@example.com", second)
    run("user", "token", "ana@example.com", "--remove", "iPhone")
    assert proves(settings, "ana@example.com", first)
    assert not proves(settings, "ana@example.com", second)
    for line in run("user", "list").stdout, run("user", "list", "--json").stdout:
        assert first not in line


def test_an_app_password_for_a_rep_of_the_settings_is_printed_as_yaml(run: Run, settings: Path) -> None:
    """Settings are not written by commands: the line to add is printed, and it works once it is there."""
    text = run("user", "token", "bo", "--name", 'Bo\'s "phone"').stdout
    assert "config.yaml:12" in text
    line = next(line for line in text.splitlines() if "sha256" in line)
    secret = re.search(r"[a-z2-9]{6}(-[a-z2-9]{6}){4}", text)
    assert secret
    assert not proves(settings, "bo", secret[0])
    settings.write_text(settings.read_text() + f"    tokens:\n{line}\n")
    assert proves(settings, "bo", secret[0])


@pytest.mark.parametrize(
    "arguments",
    [("set", "bo", "--mode", "off"), ("disable", "bo"), ("token", "bo", "--remove", "x")],
)
def test_reps_of_the_settings_are_read_only_here(run: Run, arguments: tuple[str, ...]) -> None:
    """The error says where the rep stands."""
    assert "stands in the settings (config.yaml:12)" in str(refusal(run("user", *arguments)))


@pytest.mark.parametrize("arguments", [("set", "eve", "--mode", "off"), ("disable", "eve"), ("token", "eve")])
def test_nobody_cannot_be_changed(run: Run, arguments: tuple[str, ...]) -> None:
    """A login that does not exist is said so."""
    assert "no rep 'eve'" in str(refusal(run("user", *arguments)))


def test_disable_ends_signing_in_and_undo_gives_it_back(run: Run, settings: Path) -> None:
    """A disabled rep is kept, and cannot sign in."""
    secret = json.loads(run("user", "add", "ana@example.com", "--json").stdout)["token"]
    assert json.loads(run("user", "disable", "ana@example.com", "--json").stdout)["disabled"] is True
    assert not proves(settings, "ana@example.com", secret)
    run("user", "disable", "ana@example.com", "--undo")
    assert proves(settings, "ana@example.com", secret)


def test_hash_password_reads_standard_input(run: Run) -> None:
    """What it prints fits the password and goes into the settings as it is."""
    result = run("hash-password", given="correct horse\n")
    assert check_password(result.stdout.strip(), b"correct horse")
    assert "correct horse" not in result.output


@pytest.mark.parametrize("given", ["", "\n", b"\xff\xfe\n", "x" * 2000 + "\n"])
def test_hash_password_refuses_what_no_password_can_be(run: Run, given: str | bytes) -> None:
    """Nothing, no UTF-8, or too long: wrong usage."""
    assert refusal(run("hash-password", given=given)).exit_code == 2


def test_hash_password_takes_no_argument(run: Run) -> None:
    """A password on the command line is readable by everybody on the machine."""
    assert run("hash-password", "secret").exit_code == 2
