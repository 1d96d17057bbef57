"""`relay salesforce` and `relay user sync-salesforce` against the simulated Salesforce."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from relay.cli import salesforce as salesforce_commands
from relay.cli import user
from relay.demo.salesforce.simulator import Simulator
from relay.storage.sqlite import DATABASE_NAME, SqliteDatabase
from tests.support.salesforce import REP_USERNAME, WatchedSimulator, rep, settings
from tests.support.salesforce import salesforce as salesforce  # the fixture

SETTINGS = """\
version: 1
server: {{hostname: relay.example.com, state_dir: state}}
listeners:
  - {{name: submission, address: "127.0.0.1:2587", tls: starttls}}
tls: {{certificate: cert.pem, private_key: {{env: KEY}}}}
upstream:
  default: main
  routes:
    main: {{host: 127.0.0.1}}
logging: {{mode: off}}
{salesforce}
users:
  - login: ana
    addresses: [ana@example.com, ana.a@example.com]
    salesforce_username: {username}
"""
DOMAIN = "a1b2c3d4e5f6.1r-abcdea2.na139.le.salesforce.com"
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, salesforce: Simulator) -> Run:
    """Give what runs a command with settings that lead to the simulator; `kind` is the way to sign in."""

    async def make() -> None:
        await (await SqliteDatabase.open(tmp_path / "state" / DATABASE_NAME, create=True)).close()

    asyncio.run(make())
    app = typer.Typer()
    salesforce_commands.register(app)
    user.register(app)

    def invoke(*arguments: str, kind: str = "client_credentials") -> Result:
        path = tmp_path / "config.yaml"
        text = settings(salesforce, tmp_path, kind=kind)
        path.write_text(SETTINGS.format(salesforce=text, username=REP_USERNAME))
        words = list(arguments)
        words[2:2] = ["-c", str(path)]
        return CliRunner().invoke(app, words)

    return invoke


def items(result: Result) -> list[dict[str, object]]:
    """Give the items that a command printed."""
    found: list[dict[str, object]] = json.loads(result.stdout)["items"]
    return found


def address(salesforce: Simulator, user: str, senders: str = "ana@example.com, ana.a@example.com") -> None:
    """Give a user an Email to Salesforce address."""
    salesforce.add(
        "EmailServicesAddress",
        LocalPart="emailtosalesforce",
        EmailDomainName=DOMAIN,
        AuthorizedSenders=senders,
        IsActive=True,
        RunAsUserId=user,
    )


@pytest.mark.parametrize("kind", ["client_credentials", "jwt", "refresh_token"])
def test_whoami(run: Run, salesforce: Simulator, kind: str) -> None:
    """Whoever signs in is named, with the organisation and how mail would be written there."""
    rep(salesforce)
    (who,) = items(run("salesforce", "whoami", "--json", kind=kind))
    assert who["username"] == (REP_USERNAME if kind == "jwt" else "integration@relay.demo")
    assert (who["organization_id"], who["record"]) == (salesforce.organization_id, "EmailMessage")
    assert "EmailMessage" in run("salesforce", "whoami", kind=kind).stdout


def test_whoami_as_a_rep(run: Run, salesforce: Simulator) -> None:
    """--as signs in as that rep; nobody of that name is told."""
    rep(salesforce)
    (who,) = items(run("salesforce", "whoami", "--as", "ana", "--json", kind="jwt"))
    assert who["username"] == REP_USERNAME
    assert "there is no rep 'ben'" in str(run("salesforce", "whoami", "--as", "ben").exception)


def test_what_is_refused_is_told_in_words(run: Run, salesforce: Simulator) -> None:
    """A sign-in that is refused exits with 1 and says which setting to change; trouble of a moment with 75."""
    rep(salesforce)
    salesforce.toggles.unapproved_users = frozenset({REP_USERNAME})
    result = run("salesforce", "whoami", kind="jwt")
    assert result.exit_code == 1
    assert "INVALID_GRANT" in result.stderr
    assert "Permitted Users" in result.stderr
    salesforce.toggles.daily_limit = 0
    result = run("salesforce", "limits")
    assert result.exit_code == 75
    assert "System Overview" in result.stderr


def test_describe(run: Run, salesforce: WatchedSimulator) -> None:
    """Without an object, what the organisation has; with one, its fields; one that is not there is told."""
    salesforce.expect_refused("NOT_FOUND")
    salesforce.toggles.shared_activities = True
    (shape,) = items(run("salesforce", "describe", "--json"))
    assert (shape["shared_activities"], shape["relay_key_on_task"]) == (True, False)
    assert "Completed (closed)" in str(shape["statuses"])
    fields = {one["name"]: one for one in items(run("salesforce", "describe", "Task", "--json"))}
    assert fields["Subject"]["length"] == 255
    assert "Subject" in run("salesforce", "describe", "Task").stdout
    assert "is not there" in run("salesforce", "describe", "Nothing__c").stderr
    assert run("salesforce", "describe", "../x").exception is not None


def test_limits(run: Run, salesforce: Simulator) -> None:
    """What is used of the day, and where the relay stops."""
    salesforce.toggles.daily_limit = 1000
    salesforce.use_elsewhere(500)
    (limits,) = items(run("salesforce", "limits", "--json"))
    assert (limits["maximum"], limits["used"], limits["percent_used"]) == (1000, 500, 50.0)
    assert (limits["background_stops_at"], limits["logging_stops_at"]) == (800, 950)


def test_no_organisation(tmp_path: Path) -> None:
    """Without `salesforce:` in the settings the commands say so, with 78."""
    path = tmp_path / "config.yaml"
    path.write_text(SETTINGS.format(salesforce="", username="x"))
    app = typer.Typer()
    salesforce_commands.register(app)
    result = CliRunner().invoke(app, ["salesforce", "limits", "-c", str(path)])
    assert result.exit_code == 78


def test_sync_of_a_rep_of_the_settings(run: Run, salesforce: Simulator) -> None:
    """The lines to put into the file are printed, masked unless they are to be revealed; nothing is written."""
    user_id = rep(salesforce)
    address(salesforce, user_id)
    result = run("user", "sync-salesforce")
    assert result.exit_code == 1
    assert "config.yaml:" in result.stdout
    assert f"salesforce_user_id: {user_id}" in result.stdout
    assert DOMAIN not in result.stdout
    assert (
        f"email_to_salesforce: emailtosalesforce@{DOMAIN}"
        in run("user", "sync-salesforce", "--reveal").stdout
    )
    assert run("user", "sync-salesforce", "--apply").exit_code == 1


def test_sync_of_a_rep_of_the_store(run: Run, salesforce: Simulator) -> None:
    """What was found is kept with --apply only; after that the two are the same."""
    address(salesforce, rep(salesforce))
    address(salesforce, rep(salesforce, "ben@example.com.crm", "ben@example.com"), "ben@example.com")
    assert run("user", "add", "ben@example.com").exit_code == 0
    shown = run("user", "sync-salesforce", "--as", "ben@example.com")
    assert "--apply keeps" in shown.stdout
    (before,) = items(run("user", "sync-salesforce", "--as", "ben@example.com", "--json"))
    assert (before["differs"], before["applied"]) == (True, False)
    (kept,) = items(run("user", "sync-salesforce", "--as", "ben@example.com", "--apply", "--json"))
    assert kept["applied"] is True
    after = run("user", "sync-salesforce", "--as", "ben@example.com")
    assert after.exit_code == 0
    assert "the same in both" in after.stdout
    (listed,) = [one for one in items(run("user", "list", "--json")) if one["login"] == "ben@example.com"]
    assert listed["salesforce_user_id"] == kept["salesforce_user_id"]


@pytest.mark.parametrize(
    ("senders", "told"),
    [
        ("ana@example.com", "does not accept ana.a@example.com"),
        ("example.com", ""),
        ("ANA@EXAMPLE.COM; ana.a@example.com old@example.org", "only in Salesforce: old@example.org"),
        ("", "whoever knows the address may send"),
    ],
)
def test_acceptable_senders_are_compared(run: Run, salesforce: Simulator, senders: str, told: str) -> None:
    """Addresses whose mail Salesforce would drop are named; an empty list is a warning; domains count."""
    address(salesforce, rep(salesforce), senders)
    output = run("user", "sync-salesforce").stdout
    assert told in output
    assert ("does not accept" in output) is ("does not accept" in told)


def test_the_address_is_not_found(run: Run, salesforce: Simulator) -> None:
    """No address, no right to see it, no such user: each is told, with the steps to do it by hand."""
    result = run("user", "sync-salesforce")
    assert "no active user" in result.stdout
    assert "My Acceptable Email Addresses" in result.stdout
    rep(salesforce)
    result = run("user", "sync-salesforce")
    assert "knows no active Email to Salesforce address" in result.stdout
    salesforce.toggles.hidden_fields = frozenset({"EmailServicesAddress.AuthorizedSenders"})
    result = run("user", "sync-salesforce")
    assert "does not show the address (INVALID_FIELD)" in result.stdout
    assert result.exit_code == 1


def test_two_users_with_one_address(run: Run, salesforce: Simulator) -> None:
    """Which of two users with the same mail address is meant is not guessed."""
    for name in ("a@example.com.crm", "b@example.com.crm"):
        rep(salesforce, name, "ben@example.com")
    run("user", "add", "ben@example.com")
    output = run("user", "sync-salesforce", "--as", "ben@example.com").stdout
    assert "several active users" in output


def test_a_command_keeps_a_replaced_refresh_token(
    run: Run, salesforce: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where Salesforce replaces the refresh token at each use, one command after the other can sign in."""
    salesforce.toggles.rotate_refresh_tokens = True
    token = salesforce.refresh_token(salesforce.integration_user)
    # Each run writes the settings anew: the same token each time, as a file of settings holds it.
    monkeypatch.setattr(salesforce, "refresh_token", lambda user: token)
    for _ in range(3):
        result = run("salesforce", "whoami", kind="refresh_token")
        assert result.exit_code == 0, result.stderr
