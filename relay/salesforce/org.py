"""Find out what an organisation has switched on: asked of Salesforce, never of the admin, and kept for an hour."""

from relay.clock import Clock
from relay.salesforce.client import SalesforceClient
from relay.salesforce.exchange import Description
from relay.salesforce.model import Fault, FaultKind
from relay.salesforce.org_shape import OrgShape

_DAY = 24 * 3600.0
# Without these an EmailMessage cannot be related to anybody: it is there for cases alone (Email-to-Case).
_RELATIONS = ("ToIds", "RelatedToId")
_UNUSABLE = frozenset({"INVALID_TYPE", "INVALID_FIELD", "INVALID_FIELD_FOR_INSERT_UPDATE"})


class Organization:
    """What can be written how; for one event loop."""

    def __init__(self, client: SalesforceClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._unusable_until = 0.0
        self._unusable_why = ""

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

    def email_message_failed(self, fault: Fault) -> bool:
        """Take that an EmailMessage could not be made; True: none can be made here, and Tasks are, for a day.

        Describe is too kind where EmailMessage is there for cases only (Enhanced Email considerations): the first
        insert tells.
        """
        relation = fault.code == "FIELD_INTEGRITY_EXCEPTION" and any(
            name in (*_RELATIONS, "CcIds", "BccIds") for name in fault.fields
        )
        field = fault.code in _UNUSABLE and (
            fault.kind is FaultKind.PERMISSION or any(name in _RELATIONS for name in fault.fields)
        )
        if not (relation or field or fault.code == "INSUFFICIENT_ACCESS_OR_READONLY"):
            return False
        self._unusable_until = self._clock.monotonic() + _DAY
        self._unusable_why = f"an EmailMessage was refused ({fault.code}), so Tasks are made for a day"
        return True

    def _usable(self, described: Description | None) -> tuple[Description | None, str]:
        if self._clock.monotonic() < self._unusable_until:
            return None, self._unusable_why
        if described is None:
            return None, "EmailMessage is not there or not visible: a Task is made"
        missing = [name for name in _RELATIONS if not described.may_create(name)]
        if not described.createable or missing:
            return (
                None,
                "EmailMessage cannot be created with relations (Enhanced Email is off): a Task is made",
            )
        return described, "Enhanced Email is on: an EmailMessage is made"
