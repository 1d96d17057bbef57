"""The refresh tokens of Salesforce that the database keeps."""

from relay.salesforce.token_store import StoredTokens
from relay.storage.database import Database
from tests.support.clock import FakeClock


async def test_the_newest_token_is_kept(database: Database) -> None:
    """The last one that was saved is given, as long as the settings hold the token that it came of."""
    tokens = StoredTokens(database, FakeClock())
    assert await tokens.load("", "digest-1") is None
    await tokens.save("", "digest-1", "r2")
    await tokens.save("", "digest-1", "r3")
    await tokens.save("ana", "digest-1", "other")
    assert await tokens.load("", "digest-1") == "r3"
    assert await tokens.load("", "digest-2") is None
    await tokens.drop("")
    assert await tokens.load("", "digest-1") is None
    assert await tokens.load("ana", "digest-1") == "other"


async def test_the_first_organisation_stays_until_it_is_dropped(database: Database) -> None:
    """It is kept for its app and address, with the token that says which it is; no later one takes its place."""
    tokens = StoredTokens(database, FakeClock())
    assert await tokens.organization("digest-1") is None
    await tokens.save("", "digest-1", "r1", "00D1")
    await tokens.save("", "digest-1", "r2", "00D2")
    await tokens.save("ana", "digest-1", "r3")
    assert await tokens.organization("digest-1") == "00D1"
    assert await tokens.organization("digest-2") is None
    await tokens.drop("ana")
    assert await tokens.organization("digest-1") == "00D1"
    await tokens.drop("", "digest-1")
    assert await tokens.organization("digest-1") is None
