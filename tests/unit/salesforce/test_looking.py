"""relay.salesforce.looking: what is asked to find records again, and which record is whose."""

from relay.salesforce.looking import Candidate, Wanted, assign, find
from relay.salesforce.model import Json, Row
from relay.salesforce.org_shape import OrgShape
from relay.salesforce.soql import MAXIMUM_ENCODED, encoded_length

PLAIN = OrgShape()


class Asked:
    """A client that answers every query with the same rows, and keeps the queries."""

    def __init__(self, *rows: Row) -> None:
        self.rows = list(rows)
        self.queries: list[str] = []

    async def query(self, soql: str, *, identity: str = "") -> list[Row]:
        """Give the rows."""
        self.queries.append(soql)
        return self.rows


def mail(key: str, identifier: str, related: str | None = None, since: int = 0) -> Wanted:
    """Want an EmailMessage."""
    find_by: dict[str, Json] = {"MessageIdentifier": identifier}
    if related is not None:
        find_by["RelatedToId"] = related
    return Wanted(key, "EmailMessage", find_by, since)


async def test_angle_brackets_or_none() -> None:
    """A Message-ID is asked for in both forms, and found in either."""
    client = Asked({"Id": "02s1", "MessageIdentifier": "1@x.test"})
    wanted = [mail("k", "<1@x.test>")]
    found = await find(client, "", wanted, PLAIN)
    assert "('<1@x.test>','1@x.test')" in client.queries[0]
    assert assign(wanted, found, {}) == {"k": "02s1"}


async def test_long_queries_are_split() -> None:
    """However many are looked for, no query is longer than an address line may be."""
    client = Asked()
    wanted = [mail(f"k{n}", f"<{'long' * 30}{n}@example.com>") for n in range(200)]
    await find(client, "", wanted, PLAIN)
    assert len(client.queries) > 1
    assert all(encoded_length(soql) <= MAXIMUM_ENCODED for soql in client.queries)


def test_a_record_is_nobody_elses() -> None:
    """What the store knows as made for another key is not taken, nor what carries another key."""
    wanted = [mail("k", "<1@x.test>")]
    there = {
        "k": [Candidate("02s1", {}), Candidate("02s2", {"Relay_Key__c": "other"}), Candidate("02s3", {})]
    }
    assert assign(wanted, there, {"02s1": "other"}) == {"k": "02s3"}


def test_one_record_for_one_key() -> None:
    """Two records of one message are told apart by what they are about; the main one does not take the other's place."""
    wanted = [mail("main", "<1@x.test>"), mail("more", "<1@x.test>", "006B")]
    first, second = Candidate("02s1", {"RelatedToId": "006B"}), Candidate("02s2", {"RelatedToId": "006A"})
    assert assign(wanted, {"main": [first, second], "more": [first]}, {}) == {"more": "02s1", "main": "02s2"}
    assert assign(wanted, {"main": [first], "more": [first]}, {}) == {"more": "02s1"}


async def test_tasks_by_person_and_subject() -> None:
    """A Task is asked for by when it was asked for and on whom, and known by its subject and day."""
    row = {
        "Id": "00T1",
        "Subject": "Offer  now",
        "WhoId": "003A",
        "WhatId": None,
        "ActivityDate": "2026-09-21",
    }
    client = Asked(row, {**row, "Id": "00T2", "Subject": "Other"})
    find_by: dict[str, Json] = {
        "Subject": "Offer now",
        "ActivityDate": "2026-09-21",
        "WhoId": "003A",
        "WhatId": None,
    }
    wanted = [Wanted("k", "Task", find_by, 1_790_000_000_000_000)]
    found = await find(client, "", wanted, PLAIN)
    assert client.queries[0].endswith("CreatedDate >= 2026-09-21T14:08:20.000Z AND WhoId IN ('003A')")
    assert assign(wanted, found, {}) == {"k": "00T1"}


async def test_a_quote_in_a_subject() -> None:
    """What is written into a query cannot leave its literal."""
    client = Asked()
    wanted = [Wanted("k", "Task", {"Subject": "O'Brien' OR Name != '", "WhoId": None}, 0)]
    await find(client, "", wanted, PLAIN)
    assert "O\\'Brien\\' OR Name != \\'" in client.queries[0]
