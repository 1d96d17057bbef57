"""Reps that commands enter are kept, found, changed, and merged with those of the settings."""

import hashlib

import pytest

from relay.address import parse_mailbox
from relay.config.model import RelaySettings
from relay.directory.model import BccAddress, Directory, Token
from relay.directory.store import ORIGIN, DirectoryStore, RepChange
from relay.errors import CommandError, ConfigError
from relay.storage.database import Database

STORE = DirectoryStore()
NOW = 1_790_000_000_000_000
ANA = RepChange(
    name="Ana Lopez",
    addresses=(parse_mailbox("ana@example.com"), parse_mailbox("Ana.Lopez@example.com")),
    email_to_salesforce=BccAddress("emailtosalesforce@a1b2.le.salesforce.com"),
)


def settings(*users: dict[str, object], plus: bool = False) -> RelaySettings:
    """Make settings with these reps."""
    return RelaySettings.model_validate(
        {
            "version": "1",
            "listeners": [{"name": "s", "address": "127.0.0.1:0"}],
            "upstream": {"default": "main", "routes": {"main": {"host": "127.0.0.1"}}},
            "logging": {"plus_addresses": plus},
            "users": list(users),
        }
    )


def place(path: str) -> str:
    """Say where a setting stands: each rep of these tests on a line of its own."""
    return f"config.yaml:{100 + int(path.split('.')[1])}"


async def snapshot(database: Database, its: RelaySettings) -> Directory:
    """Read the directory as the service does."""
    return await database.read(lambda tx: STORE.snapshot(tx, its, place))


async def test_a_rep_entered_is_found_with_everything(database: Database) -> None:
    """What was entered is read back, with where it came from, addresses in their order."""
    await database.write(lambda tx: STORE.add(tx, "Ana", ANA, NOW))
    digest = hashlib.sha256(b"secret").hexdigest()
    await database.write(lambda tx: STORE.add_token(tx, "ana", Token("Laptop", digest), NOW))
    directory = await snapshot(database, settings())
    rep = directory.by_login("ANA")
    assert rep is not None
    assert (rep.login, rep.name, rep.origin, rep.disabled) == ("Ana", "Ana Lopez", ORIGIN, False)
    assert [str(address) for address in rep.addresses] == ["ana@example.com", "Ana.Lopez@example.com"]
    assert rep.email_to_salesforce == ANA.email_to_salesforce
    assert directory.by_address(parse_mailbox("ANA.lopez@EXAMPLE.com")) is rep
    assert directory.by_token(bytes.fromhex(digest)) == (rep, "Laptop")


async def test_reps_of_both_places_are_one_directory(database: Database) -> None:
    """Reps of the settings and of the store stand side by side, each with its origin."""
    await database.write(lambda tx: STORE.add(tx, "ana", ANA, NOW))
    directory = await snapshot(database, settings({"login": "bo", "addresses": ["bo@example.com"]}))
    assert [(rep.login, rep.origin) for rep in directory.reps()] == [
        ("bo", "config.yaml:100"),
        ("ana", ORIGIN),
    ]


@pytest.mark.parametrize(
    ("user", "shared"),
    [
        ({"login": "ANA", "addresses": ["other@example.com"]}, "the login 'ana'"),
        ({"login": "other", "addresses": ["ANA@Example.com"]}, "the address ana@example.com"),
    ],
)
async def test_the_same_in_both_places_is_an_error_naming_both(
    database: Database, user: dict[str, object], shared: str
) -> None:
    """A login or address that stands in the settings and in the store is refused, with both origins."""
    await database.write(lambda tx: STORE.add(tx, "ana", ANA, NOW))
    with pytest.raises(ConfigError) as caught:
        await snapshot(database, settings(user))
    text = str(caught.value)
    assert shared in text
    assert ORIGIN in text
    assert "config.yaml:100" in text


async def test_everything_wrong_in_the_settings_is_told_at_once(database: Database) -> None:
    """Doubles within the settings, addresses and hashes that are none: all of it, each with its line."""
    its = settings(
        {"login": "bo", "addresses": ["bo@example.com"], "password": "hunter2"},
        {"login": "Bo", "addresses": ["not an address"]},
        {"login": "eve", "addresses": ["bo@example.com"]},
    )
    with pytest.raises(ConfigError) as caught:
        await snapshot(database, its)
    lines = [(problem.file, problem.line) for problem in caught.value.problems]
    assert lines == [("config.yaml", line) for line in (100, 101, 101, 102)]
    assert "hunter2" not in str(caught.value)


async def test_an_app_password_of_two_reps_is_an_error(database: Database) -> None:
    """One app password cannot prove two reps."""
    token = [{"name": "x", "sha256": "ab" * 32}]
    with pytest.raises(ConfigError, match="app password"):
        await snapshot(
            database,
            settings(
                {"login": "bo", "addresses": ["bo@example.com"], "tokens": token},
                {"login": "eve", "addresses": ["eve@example.com"], "tokens": token},
            ),
        )


async def test_a_login_is_entered_once(database: Database) -> None:
    """The same login again, in any case, is refused and changes nothing."""
    await database.write(lambda tx: STORE.add(tx, "ana", ANA, NOW))
    before = await database.read(STORE.current_version)
    with pytest.raises(CommandError, match="taken already"):
        await database.write(lambda tx: STORE.add(tx, "ANA", RepChange(), NOW))
    assert await database.read(STORE.current_version) == before


@pytest.mark.parametrize("login", ["", "a\nb", "x" * 256])
async def test_a_login_that_cannot_be_is_refused(database: Database, login: str) -> None:
    """Empty, with a control character, or too long: not entered."""
    with pytest.raises(CommandError, match="login"):
        await database.write(lambda tx: STORE.add(tx, login, RepChange(), NOW))


async def test_an_address_belongs_to_one_rep(database: Database) -> None:
    """An address that is another's is refused, with whose it is; and nothing of the new rep is kept."""
    await database.write(lambda tx: STORE.add(tx, "ana", ANA, NOW))
    change = RepChange(addresses=(parse_mailbox("ANA@example.com"),))
    with pytest.raises(CommandError, match="belongs to ana"):
        await database.write(lambda tx: STORE.add(tx, "eve", change, NOW))
    assert (await snapshot(database, settings())).by_login("eve") is None


async def test_setting_changes_what_is_named_only(database: Database) -> None:
    """None leaves a field, an empty text takes it away, addresses are replaced whole."""
    await database.write(lambda tx: STORE.add(tx, "ana", ANA, NOW))
    change = RepChange(
        email_to_salesforce=BccAddress(""), mode="off", addresses=(parse_mailbox("a@example.com"),)
    )
    await database.write(lambda tx: STORE.set(tx, "ANA", change))
    rep = (await snapshot(database, settings())).by_login("ana")
    assert rep is not None
    assert (rep.name, rep.email_to_salesforce, rep.mode) == ("Ana Lopez", None, "off")
    assert [str(address) for address in rep.addresses] == ["a@example.com"]


async def test_disabling_and_enabling(database: Database) -> None:
    """A disabled rep stays, marked."""
    await database.write(lambda tx: STORE.add(tx, "ana", ANA, NOW))
    for disabled in (True, False):
        await database.write(lambda tx, now=disabled: STORE.set(tx, "ana", RepChange(disabled=now)))
        rep = (await snapshot(database, settings())).by_login("ana")
        assert rep is not None
        assert rep.disabled is disabled


async def test_app_passwords_are_taken_back(database: Database) -> None:
    """A token that was dropped proves nobody; its name is free again."""
    await database.write(lambda tx: STORE.add(tx, "ana", ANA, NOW))
    token = Token("Laptop", "ab" * 32)
    await database.write(lambda tx: STORE.add_token(tx, "ana", token, NOW))
    with pytest.raises(CommandError, match="already"):
        await database.write(lambda tx: STORE.add_token(tx, "ana", Token("Laptop", "cd" * 32), NOW))
    await database.write(lambda tx: STORE.drop_token(tx, "ana", "Laptop"))
    assert (await snapshot(database, settings())).by_token(bytes.fromhex("ab" * 32)) is None
    with pytest.raises(CommandError, match="no app password"):
        await database.write(lambda tx: STORE.drop_token(tx, "ana", "Laptop"))


async def test_every_change_is_another_version(database: Database) -> None:
    """A running service sees each change by the number alone, and the snapshot carries it."""
    versions = [await database.read(STORE.current_version)]
    await database.write(lambda tx: STORE.add(tx, "ana", ANA, NOW))
    versions.append(await database.read(STORE.current_version))
    await database.write(lambda tx: STORE.add_token(tx, "ana", Token("x", "ab" * 32), NOW))
    versions.append(await database.read(STORE.current_version))
    await database.write(lambda tx: STORE.set(tx, "ana", RepChange(disabled=True)))
    versions.append(await database.read(STORE.current_version))
    await database.write(lambda tx: STORE.drop_token(tx, "ana", "x"))
    versions.append(await database.read(STORE.current_version))
    assert len(set(versions)) == 5
    assert (await snapshot(database, settings())).version == versions[-1]


async def test_who_is_not_here_cannot_be_changed(database: Database) -> None:
    """A rep of the settings, or nobody, is not changed by the store's verbs."""
    for change in (
        lambda tx: STORE.set(tx, "bo", RepChange(disabled=True)),
        lambda tx: STORE.add_token(tx, "bo", Token("x", "ab" * 32), NOW),
        lambda tx: STORE.drop_token(tx, "bo", "x"),
    ):
        with pytest.raises(CommandError, match="no rep"):
            await database.write(change)


async def test_no_secret_is_shown_by_values(database: Database) -> None:
    """Hashes, digests and BCC addresses are not in what a rep or a change looks like in a log."""
    change = RepChange(password="$argon2id$very-secret", email_to_salesforce=ANA.email_to_salesforce)
    await database.write(lambda tx: STORE.add(tx, "ana", change, NOW))
    await database.write(lambda tx: STORE.add_token(tx, "ana", Token("x", "ab" * 32), NOW))
    (rep,) = await database.read(STORE.reps)
    shown = repr(change) + repr(rep)
    for secret in ("very-secret", "abab", "a1b2"):
        assert secret not in shown
