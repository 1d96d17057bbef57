"""Looking up against a Salesforce that answers from a table: pages, hidden objects, and bounds."""

import asyncio
from collections.abc import Mapping, Sequence
from urllib.parse import unquote

import pytest

from relay.salesforce.exchange import LOOK_UP, SalesforceError, SubAnswer, SubRequest
from relay.salesforce.keeping import Kept
from relay.salesforce.lookup import Lookup
from relay.salesforce.model import Category, Fault, FaultKind, Json
from tests.support.clock import FakeClock
from tests.support.recording import rules


class Table:
    """Answers composite requests by the object that is asked for."""

    def __init__(self, answers: Mapping[str, Json | Fault]) -> None:
        self.answers = answers
        self.asked: list[list[str]] = []
        self.pages: dict[str, Json] = {}
        self.gate: asyncio.Event | None = None

    async def composite(
        self, identity: str, requests: Sequence[SubRequest], *, background: bool = False
    ) -> list[SubAnswer]:
        """Answer each by its reference."""
        assert identity == LOOK_UP
        self.asked.append([unquote(one.path) for one in requests])
        if self.gate is not None:
            await self.gate.wait()
        return [self._answer(one.reference) for one in requests]

    def _answer(self, reference: str) -> SubAnswer:
        given = self.answers.get(reference, {"records": [], "done": True})
        if isinstance(given, Fault):
            return SubAnswer(reference, given.status, None, given)
        return SubAnswer(reference, 200, given)

    async def get(self, path: str, *, identity: str = LOOK_UP, background: bool = False) -> Json:
        """Answer further pages."""
        return self.pages[path]


def contact_row(number: int, email: str) -> Json:
    """Give a row of Contact."""
    return {
        "Id": f"003{number:012d}AAA",
        "Email": email,
        "Name": "A",
        "CreatedDate": "2026-01-01T00:00:00.000+0000",
    }


def refused(code: str, kind: FaultKind, fields: tuple[str, ...] = ()) -> Fault:
    """Give a fault."""
    return Fault(kind, Category.ACCESS, code, "", fields, 400)


def look_up(table: Table) -> Lookup:
    """Give a look-up of that table."""
    return Lookup(table, FakeClock(), rules())


async def test_every_page_is_read() -> None:
    """Rows beyond the first page count, too."""
    first: Json = {
        "records": [contact_row(1, "a@x.test")],
        "done": False,
        "nextRecordsUrl": "/services/data/v67.0/query/01g1-2000",
    }
    table = Table({"Contact": first})
    table.pages["query/01g1-2000"] = {"records": [contact_row(2, "b@x.test")], "done": True}
    found = await look_up(table).people(["a@x.test", "b@x.test"])
    assert [len(group) for group in found.values()] == [1, 1]


@pytest.mark.parametrize("object", ["User", "OpportunityContactRole"])
async def test_what_can_be_done_without(object: str) -> None:
    """Users or opportunities that this identity may not see leave contacts and leads to be matched."""
    table = Table(
        {
            "Contact": {"records": [contact_row(1, "a@x.test")], "done": True},
            object: refused("INVALID_TYPE", FaultKind.PERMISSION),
        }
    )
    assert (await look_up(table).people(["a@x.test"]))["a@x.test"]


@pytest.mark.parametrize("object", ["Contact", "Lead"])
async def test_what_cannot_be_done_without(object: str) -> None:
    """Contacts or leads that cannot be seen are a fault: silence would be mail that is not recorded."""
    table = Table({object: refused("INVALID_TYPE", FaultKind.PERMISSION)})
    with pytest.raises(SalesforceError):
        await look_up(table).people(["a@x.test"])


async def test_a_call_that_fails_whole() -> None:
    """Everything failed: the fault is raised, users included."""
    fault = refused("SERVER_UNAVAILABLE", FaultKind.AGAIN)
    table = Table(dict.fromkeys(("Contact", "Lead", "User", "OpportunityContactRole"), fault))
    with pytest.raises(SalesforceError):
        await look_up(table).people(["a@x.test"])


async def test_a_salesforce_that_refuses_every_column() -> None:
    """It ends after a few attempts, whatever is named as hidden."""
    fault = refused("INVALID_FIELD", FaultKind.FIELD, ("Nonsense",))
    table = Table({"Contact": fault})
    with pytest.raises(SalesforceError):
        await look_up(table).people(["a@x.test"])
    assert len(table.asked) == 1


async def test_answers_of_another_shape_find_nobody() -> None:
    """Rows without ids, bodies that are no mappings, numbers for texts: nobody is found, nothing breaks."""
    bodies: list[Json] = [[], "x", {"records": "x"}, {"records": [1, {"Id": 7}, {"Email": "a@x.test"}]}, None]
    for body in bodies:
        table = Table({"Contact": body, "Lead": body, "User": body, "OpportunityContactRole": body})
        assert (await look_up(table).people(["a@x.test"]))["a@x.test"] == ()


async def test_closing_ends_what_is_under_way() -> None:
    """A look-up that waits is cancelled, and whoever waited for it hears of it."""
    table = Table({})
    table.gate = asyncio.Event()
    lookup = look_up(table)
    waiting = asyncio.create_task(lookup.people(["a@x.test"]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await lookup.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_only_the_columns_that_are_needed() -> None:
    """The way `oldest` asks for neither owner nor activity; mine_first for both; without opportunities no roles."""
    plain, mine = Table({}), Table({})
    await Lookup(plain, FakeClock(), rules(several="oldest", opportunities="off")).people(["a@x.test"])
    await Lookup(mine, FakeClock(), rules(several="mine_first")).people(["a@x.test"])
    least, most = " ".join(plain.asked[0]), " ".join(mine.asked[0])
    assert [name for name in ("OwnerId", "LastActivityDate", "OpportunityContactRole") if name in least] == []
    assert [name for name in ("OwnerId", "LastActivityDate") if name in most] == [
        "OwnerId",
        "LastActivityDate",
    ]


def test_memory_is_bounded() -> None:
    """Beyond the limit what was used longest ago goes."""
    clock = FakeClock()
    kept: Kept[int] = Kept(clock.monotonic, 3)
    for number in range(3):
        kept.put(str(number), number, 10)
    assert kept.get("0") == 0
    kept.put("3", 3, 10)
    assert (len(kept), kept.get("1"), kept.get("0")) == (3, None, 0)
    clock.advance(11)
    assert kept.get("0") is None
