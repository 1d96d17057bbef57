"""What an organisation has switched on is found out, not asked (salesforce.md §2.1)."""

from relay.demo.salesforce.simulator import Simulator
from relay.salesforce.client import LOOK_UP, NewRecord
from relay.salesforce.faults_table import fault_of
from relay.salesforce.model import Fault
from relay.salesforce.org import Organization
from relay.salesforce.org_shape import Kind
from tests.support.clock import FakeClock
from tests.support.salesforce import WatchedSimulator, people
from tests.support.salesforce import salesforce as salesforce  # the fixture
from tests.support.salesforce_client import salesforce_client
from tests.support.salesforce_org import org_settings, secrets_of


async def test_enhanced_email(salesforce: Simulator) -> None:
    """With Enhanced Email on, sent mail becomes an EmailMessage; the shape costs five calls an hour, all in all."""
    async with salesforce_client(org_settings(salesforce), secrets=secrets_of(salesforce)) as client:
        organization = Organization(client, FakeClock())
        shape = await organization.shape()
        assert await organization.shape() == shape
    assert shape.kind is Kind.EMAIL_MESSAGE
    assert (shape.shared_activities, shape.person_accounts, shape.has_key("Task")) == (False, False, False)
    assert (shape.closed_status, shape.open_status) == ("Completed", "Not Started")
    assert (shape.high_priority, shape.normal_priority) == ("High", "Normal")
    assert (shape.task_type("Email"), shape.task_type("email")) == ("Email", None)
    assert len(salesforce.calls) == 5


async def test_no_enhanced_email(salesforce: Simulator) -> None:
    """Without it, mail becomes a Task, and the reason is told."""
    salesforce.toggles.enhanced_email = False
    async with salesforce_client(org_settings(salesforce), secrets=secrets_of(salesforce)) as client:
        shape = await Organization(client, FakeClock()).shape()
    assert shape.kind is Kind.TASK
    assert "a Task is made" in shape.why


async def test_email_to_case_only(salesforce: WatchedSimulator) -> None:
    """Where EmailMessage is there for cases alone, the first refusal tells, and Tasks are made for a day."""
    salesforce.expect_refused("INVALID_FIELD_FOR_INSERT_UPDATE")
    salesforce.toggles.enhanced_email = False
    salesforce.toggles.email_to_case = True
    (contact,) = people(salesforce, 1)
    clock = FakeClock()
    async with salesforce_client(org_settings(salesforce), secrets=secrets_of(salesforce)) as client:
        organization = Organization(client, clock)
        before = await organization.shape()
        fields = {"Subject": "x", "Status": "3", "ToIds": [contact], "IsClientManaged": True}
        (one,) = await client.create(LOOK_UP, [NewRecord("EmailMessage", fields)])
        if before.kind is Kind.EMAIL_MESSAGE:
            assert isinstance(one, Fault)
            assert organization.email_message_failed(one)
        assert (await organization.shape()).kind is Kind.TASK
        clock.advance(24 * 3600 + 1)
        assert (await organization.shape()).kind is before.kind


async def test_what_else_is_on(salesforce: Simulator) -> None:
    """Shared Activities, Person Accounts and the relay's own key are seen in describe."""
    for toggle in ("shared_activities", "person_accounts", "relay_key_field"):
        setattr(salesforce.toggles, toggle, True)
    async with salesforce_client(org_settings(salesforce), secrets=secrets_of(salesforce)) as client:
        shape = await Organization(client, FakeClock()).shape()
    assert shape.shared_activities
    assert shape.person_accounts
    assert shape.key_upserts("Task")
    assert shape.has_key("EmailMessage")


async def test_a_rule_does_not_switch_it_off(salesforce: Simulator) -> None:
    """A validation rule that refuses one mail, or an opportunity nobody may see, says nothing about EmailMessage."""
    async with salesforce_client(org_settings(salesforce), secrets=secrets_of(salesforce)) as client:
        organization = Organization(client, FakeClock())
        for code in (
            "FIELD_CUSTOM_VALIDATION_EXCEPTION",
            "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
            "STRING_TOO_LONG",
        ):
            assert not organization.email_message_failed(fault_of(400, [{"errorCode": code, "message": ""}]))
