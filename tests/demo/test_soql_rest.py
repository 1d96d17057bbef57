"""Queries, pages, windows and searches of the simulated Salesforce, asked for over TLS by unpatched simple-salesforce."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import requests
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import SalesforceMalformedRequest
from simple_salesforce.format import format_soql

from relay.demo.salesforce.simulator import Simulator
from tests.support.salesforce import people
from tests.support.salesforce_plain import salesforce as salesforce

__all__ = ["salesforce"]


@pytest.fixture
def client(salesforce: Simulator) -> Iterator[Salesforce]:
    """A client of the integration user."""
    with requests.Session() as session:
        session.verify, session.trust_env = str(salesforce.ca_file), False
        token = session.post(
            f"{salesforce.url}/services/oauth2/token",
            data={"grant_type": "client_credentials"},
            auth=(salesforce.client_id, salesforce.client_secret),
        ).json()["access_token"]
        yield Salesforce(session_id=token, instance_url=salesforce.url, version="67.0", session=session)


def test_a_query_finds_people_by_address(salesforce: Simulator, client: Salesforce) -> None:
    """An IN list that format_soql made finds contacts, with their account as an object or null."""
    account = salesforce.add("Account", Name="Buyer")
    quoted = salesforce.add("Contact", LastName="O'Neil", Email="o'neil@buyer.example", AccountId=account)
    people(salesforce, 3)
    wanted = ["O'Neil@buyer.example", "person2@buyer.example", "nobody@buyer.example"]
    found = client.query(
        format_soql("SELECT Id, Name, Account.Name FROM Contact WHERE Email IN {} ORDER BY Name", wanted)
    )
    assert (found["totalSize"], found["done"]) == (2, True)
    assert found["records"][0]["Id"] == quoted
    assert [row["Account"] and row["Account"]["Name"] for row in found["records"]] == ["Buyer", None]
    assert salesforce.refused == []


def test_pages_are_followed_to_the_end(salesforce: Simulator, client: Salesforce) -> None:
    """query_all_iter gives every row once, a call for each page, through what is deleted, too."""
    salesforce.toggles.page_size = 2
    contacts = people(salesforce, 5)
    salesforce.remove("Contact", contacts[0])
    assert {row["Id"] for row in client.query_all_iter("SELECT Id FROM Contact")} == set(contacts[1:])
    rows = client.query_all("SELECT Id, IsDeleted FROM Contact", include_deleted=True)["records"]
    assert {row["Id"] for row in rows if row["IsDeleted"]} == {contacts[0]}
    assert [call.operation for call in salesforce.calls] == ["query", "query_more", "queryAll"] + [
        "query_more"
    ] * 2


def test_a_locator_lives_for_two_days(salesforce: Simulator, client: Salesforce) -> None:
    """Then it is INVALID_QUERY_LOCATOR; the query must begin again."""
    salesforce.toggles.page_size = 1
    salesforce.toggles.token_life = timedelta(days=9)
    people(salesforce, 2)
    first = client.query("SELECT Id FROM Contact")
    salesforce.advance(timedelta(days=2, minutes=1))
    with pytest.raises(SalesforceMalformedRequest) as refused:
        client.query_more(first["nextRecordsUrl"], identifier_is_url=True)
    assert refused.value.content[0]["errorCode"] == "INVALID_QUERY_LOCATOR"


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT Id FROM Contact WHERE Email IN ()", "MALFORMED_QUERY"),
        ("SELECT Nothing FROM Contact", "INVALID_FIELD"),
        ("SELECT Id FROM Nothing", "INVALID_TYPE"),
        ("SELECT Id FROM Task WHERE Description LIKE '%x%'", "INVALID_FIELD"),
    ],
)
def test_a_bad_query_is_400_with_its_code(
    salesforce: Simulator, client: Salesforce, soql: str, code: str
) -> None:
    """The body is an array with errorCode and message, and the call counts as refused."""
    with pytest.raises(SalesforceMalformedRequest) as refused:
        client.query(soql)
    assert refused.value.status == 400
    assert refused.value.content[0]["errorCode"] == code
    assert [call.codes for call in salesforce.refused] == [(code,)]


def test_a_plus_that_is_not_encoded_is_a_bad_query(salesforce: Simulator, client: Salesforce) -> None:
    """In a URL a bare + is a space, so that the date and time cannot be read: the trap is there as in the real one."""
    base = f"{salesforce.url}/services/data/v67.0/query/?q=SELECT+Id+FROM+Contact+WHERE+CreatedDate>"
    for moment, status in (("2026-11-22T10:00:00%2B00:00", 200), ("2026-11-22T10:00:00+00:00", 400)):
        assert client.session.get(base + moment, headers=client.headers).status_code == status


def test_a_query_of_a_task_of_a_mail(salesforce: Simulator, client: Salesforce) -> None:
    """The Task that an EmailMessage made is found by its person and by the mail's Message-ID."""
    (kim,) = people(salesforce, 1)
    made = client.EmailMessage.create(
        {
            "Subject": "Offer", "TextBody": "Hello", "Status": "3", "ToIds": [kim], "IsClientManaged": True,
            "MessageIdentifier": "<1@laptop>", "MessageDate": "2026-11-22T10:00:00Z", "Incoming": False,
        }
    )  # fmt: skip
    found = client.query(
        "SELECT Id, ActivityId FROM EmailMessage WHERE MessageIdentifier IN ('<1@laptop>','1@laptop')"
    )
    assert found["records"][0]["Id"] == made["id"]
    task = client.query(f"SELECT Id, Who.Name, IsClosed, TaskSubtype FROM Task WHERE WhoId = '{kim}'")[
        "records"
    ]
    assert [(row["Id"], row["IsClosed"], row["TaskSubtype"]) for row in task] == [
        (found["records"][0]["ActivityId"], True, "Email")
    ]
    assert task[0]["Who"]["Name"] == "Person Number 1"


def test_windows_of_what_was_changed_and_deleted(salesforce: Simulator, client: Salesforce) -> None:
    """updated() and deleted() of simple-salesforce give ids, and the next start."""
    kept, gone = people(salesforce, 2)
    salesforce.remove("Contact", gone)
    now = salesforce.now()
    salesforce.advance(timedelta(minutes=5))
    window = (now - timedelta(minutes=10), now + timedelta(minutes=5))
    assert client.Contact.updated(*window)["ids"] == [kept]
    told = client.Contact.deleted(*window)
    assert [one["id"] for one in told["deletedRecords"]] == [gone]
    assert told["earliestDateAvailable"] < told["latestDateCovered"]
    with pytest.raises(SalesforceMalformedRequest) as refused:
        client.Contact.deleted(now - timedelta(days=16), now)
    assert refused.value.content[0]["errorCode"] == "INVALID_REPLICATION_DATE"


def test_a_search_finds_by_email(salesforce: Simulator, client: Salesforce) -> None:
    """SOSL in the email fields gives searchRecords."""
    contact, *_ = people(salesforce, 2)
    found = client.search(
        r"FIND {person1\@buyer.example} IN EMAIL FIELDS RETURNING Contact(Id, Email), Lead(Id)"
    )
    assert [row["Id"] for row in found["searchRecords"]] == [contact]
