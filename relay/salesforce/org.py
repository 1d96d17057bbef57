"""Find out what an organisation has switched on: asked of Salesforce, never of the admin, and kept for an hour."""

from dataclasses import replace

from relay.clock import Clock
from relay.salesforce.client import SalesforceClient
from relay.salesforce.exchange import LOOK_UP, Description
from relay.salesforce.model import Fault
from relay.salesforce.org_shape import OrgShape

_DAY = 24 * 3600.0
# Without these an EmailMessage cannot be related to anybody: it is there for cases alone (Email-to-Case).
_RELATIONS = ("ToIds", "RelatedToId")
_FIELD = frozenset({"INVALID_FIELD", "INVALID_FIELD_FOR_INSERT_UPDATE"})
_NOT_PERMITTED = frozenset({"INVALID_TYPE", "INSUFFICIENT_ACCESS_OR_READONLY"})
_EVERYBODY = "*"


class Organization:
    """What can be written how; for one event loop."""

    def __init__(self, client: SalesforceClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._unusable: dict[str, tuple[float, str]] = {}
        """By identity: until when no EmailMessage is made, and why."""

    async def shape(self) -> OrgShape:
        """Tell how records can be written. Raises SalesforceError while Salesforce cannot be asked."""
        task = await self._client.describe("Task")
        message, why = self._usable(await self._client.describe("EmailMessage"))
        contact = await self._client.describe("Contact")
        return OrgShape(
            task=task,
            email_message=message,
            why=why,
            shared_activities=task is not None and "TaskWhoIds" in task.fields,
            person_accounts=contact is not None and "IsPersonAccount" in contact.fields,
            statuses=await self._client.statuses(),
            priorities=await self._client.priorities(),
        )

    def of(self, identity: str, shape: OrgShape) -> OrgShape:
        """Give how this identity's records are written: who was refused an EmailMessage makes Tasks."""
        why = self._why_not(identity)
        return replace(shape, email_message=None, why=why) if why and shape.email_message else shape

    def email_message_failed(self, fault: Fault, identity: str = LOOK_UP) -> bool:
        """Take that an EmailMessage could not be made; True: none can be made here, and Tasks are, for a day.

        Describe is too kind where EmailMessage is there for cases only (Enhanced Email considerations): the first
        insert tells. A permission that is missing concerns nobody but the identity.
        """
        relation = fault.code == "FIELD_INTEGRITY_EXCEPTION" and any(
            name in (*_RELATIONS, "CcIds", "BccIds") for name in fault.fields
        )
        field = fault.code in _FIELD and any(name in _RELATIONS for name in fault.fields)
        if not (relation or field or fault.code in _NOT_PERMITTED):
            return False
        whose = identity if fault.code in _NOT_PERMITTED else _EVERYBODY
        why = f"an EmailMessage was refused ({fault.code}), so Tasks are made for a day"
        self._unusable[whose] = (self._clock.monotonic() + _DAY, why)
        return True

    def _why_not(self, identity: str) -> str:
        until, why = self._unusable.get(identity, (0.0, ""))
        return why if self._clock.monotonic() < until else ""

    def _usable(self, described: Description | None) -> tuple[Description | None, str]:
        if why := self._why_not(_EVERYBODY):
            return None, why
        if described is None:
            return None, "EmailMessage is not there or not visible: a Task is made"
        missing = [name for name in _RELATIONS if not described.may_create(name)]
        if not described.createable or missing:
            return (
                None,
                "EmailMessage cannot be created with relations (Enhanced Email is off): a Task is made",
            )
        return described, "Enhanced Email is on: an EmailMessage is made"
