"""What an organisation has switched on, as far as it decides how a record is written: the value, not how it is found.

Pure.
"""

from dataclasses import dataclass
from enum import StrEnum

from relay.salesforce.exchange import Description, PicklistRow

KEY_FIELD = "Relay_Key__c"
"""The custom text field that makes records of the relay unmistakable, where an admin has added it; never required."""


class Kind(StrEnum):
    """What a sent mail becomes."""

    EMAIL_MESSAGE = "EmailMessage"
    TASK = "Task"


@dataclass(frozen=True, slots=True)
class OrgShape:
    """How records can be written in this organisation."""

    task: Description | None = None
    """None: Task is not visible, or its description is not known; the documented lengths hold then."""
    email_message: Description | None = None
    """None: sent mail cannot be an EmailMessage here; `why` says why."""
    why: str = ""
    """Why sent mail becomes what it becomes, in words: "Enhanced Email is on: EmailMessage can be created"."""
    shared_activities: bool = False
    """Whether one Task may be about several contacts (TaskWhoIds)."""
    person_accounts: bool = False
    statuses: tuple[PicklistRow, ...] = ()
    """TaskStatus, in the organisation's order."""
    priorities: tuple[PicklistRow, ...] = ()
    """TaskPriority, in the organisation's order."""

    @property
    def kind(self) -> Kind:
        """Tell what a sent mail becomes with logging.record auto."""
        return Kind.EMAIL_MESSAGE if self.email_message is not None else Kind.TASK

    @property
    def closed_status(self) -> str:
        """Give the status that means done: of the closed ones the first in the organisation's order."""
        return next((row.value for row in self.statuses if row.closed), "Completed")

    @property
    def open_status(self) -> str:
        """Give the status of a new to-do: the default, else the first that is open."""
        opened = [row for row in self.statuses if not row.closed]
        default = next((row.value for row in opened if row.default), None)
        return default or next((row.value for row in opened), "Not Started")

    @property
    def normal_priority(self) -> str:
        """Give the priority that is not high: the default, else the first."""
        ordinary = [row for row in self.priorities if not row.high]
        default = next((row.value for row in ordinary if row.default), None)
        return default or next((row.value for row in ordinary), "Normal")

    @property
    def high_priority(self) -> str:
        """Give the priority that means important."""
        return next((row.value for row in self.priorities if row.high), "High")

    def has_key(self, object: str) -> bool:
        """Tell whether the relay's own key can be stored with records of this object."""
        described = self.email_message if object == Kind.EMAIL_MESSAGE else self.task
        return described is not None and described.may_create(KEY_FIELD)

    def key_upserts(self, object: str) -> bool:
        """Tell whether records can be upserted by that key: it is an external id."""
        described = self.email_message if object == Kind.EMAIL_MESSAGE else self.task
        return self.has_key(object) and described is not None and described.fields[KEY_FIELD].external_id

    def task_type(self, wanted: str) -> str | None:
        """Give the Type if the picklist of Task has that very value, else None: it is left out."""
        described = self.task.fields.get("Type") if self.task is not None else None
        return wanted if described is not None and wanted in described.picklist else None
