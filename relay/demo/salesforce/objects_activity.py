"""The fields of Task and its neighbours, with the lengths of the Object Reference.

Pure.
"""

from relay.demo.salesforce.fields import Field, Kind, SObject, field, flag, reference, sobject
from relay.demo.salesforce.toggles import Status, Toggles

WHO = ("Contact", "Lead")
WHAT = ("Account", "Opportunity", "Campaign", "Case")
_SUBTYPES = ("Task", "Email", "List Email", "Cadence", "Call", "LinkedIn", "Note")
_CALLS = ("Inbound", "Internal", "Outbound")
_RECURRENCES = (
    "RecursDaily",
    "RecursEveryWeekday",
    "RecursMonthly",
    "RecursMonthlyNth",
    "RecursWeekly",
    "RecursYearly",
    "RecursYearlyNth",
)


def default_status(values: tuple[Status, ...]) -> str:
    """Give the label that a new Task gets: the first open one."""
    return next((label for label, closed in values if not closed), values[0][0])


def default_priority(values: tuple[Status, ...]) -> str:
    """Give the priority that a new Task gets: Normal, or else the first that is not high."""
    labels = [label for label, high in values if not high]
    return "Normal" if "Normal" in labels else labels[0]


def relay_key() -> Field:
    """Give the unique external id that an administrator may add."""
    return field("Relay_Key__c", Kind.STRING, 255, external_id=True, id_lookup=True, unique=True, custom=True)


def activities(toggles: Toggles) -> tuple[SObject, ...]:
    """Give Task, TaskStatus, TaskPriority and, with Shared Activities, TaskRelation."""
    own = [*_task(toggles), *_RECURRENCE]
    if toggles.shared_activities:
        own += [
            field("TaskWhoIds", Kind.IDS, 0, "cun", references=WHO),
            field("WhoCount", Kind.INT, 0, "n"),
            field("WhatCount", Kind.INT, 0, "n"),
        ]
    if toggles.relay_key_field:
        own.append(relay_key())
    shared = (_TASK_RELATION,) if toggles.shared_activities else ()
    return (sobject("Task", "00T", own), *_LABELS, *shared)


def _task(toggles: Toggles) -> tuple[Field, ...]:
    statuses, priorities = toggles.status_values, toggles.priority_values
    return (
        field(
            "Subject", Kind.COMBOBOX, 255, picklist=("Call", "Email", "Send Letter", "Send Quote", "Other")
        ),
        field(
            "Status",
            Kind.PICKLIST,
            255,
            "cud",
            picklist=tuple(label for label, _ in statuses),
            default=default_status(statuses),
            restricted=True,
        ),
        field(
            "Priority",
            Kind.PICKLIST,
            20,
            "cud",
            picklist=tuple(label for label, _ in priorities),
            default=default_priority(priorities),
            restricted=True,
        ),
        flag("IsClosed", "d"),
        flag("IsHighPriority", "d"),
        field("ActivityDate", Kind.DATE),
        field("CompletedDateTime", Kind.DATETIME, 0, "n"),
        field("Description", Kind.TEXTAREA, 32_000),
        reference("WhoId", WHO),
        reference("WhatId", WHAT),
        reference("AccountId", ("Account",), "n"),
        reference("OwnerId", ("User",), "cud"),
        field(
            "Type",
            Kind.PICKLIST,
            255,
            picklist=toggles.task_type_values,
            restricted=toggles.task_type_restricted,
        ),
        field("TaskSubtype", Kind.PICKLIST, 40, "cnd", picklist=_SUBTYPES, default="Task", restricted=True),
        field("CallDisposition", Kind.STRING, 255),
        field("CallObject", Kind.STRING, 255),
        field("CallType", Kind.PICKLIST, 40, picklist=_CALLS),
        field("CallDurationInSeconds", Kind.INT),
        flag("IsReminderSet"),
        field("ReminderDateTime", Kind.DATETIME),
        flag("IsArchived", "d"),
    )


_RECURRENCE = (
    flag("IsRecurrence", "cd"),
    reference("RecurrenceActivityId", ("Task",), "n"),
    field("RecurrenceType", Kind.PICKLIST, 40, picklist=_RECURRENCES, restricted=True),
    field("RecurrenceInterval", Kind.INT),
    field("RecurrenceDayOfWeekMask", Kind.INT),
    field("RecurrenceDayOfMonth", Kind.INT),
    field("RecurrenceInstance", Kind.STRING, 40),
    field("RecurrenceMonthOfYear", Kind.STRING, 40),
    field("RecurrenceStartDateOnly", Kind.DATE),
    field("RecurrenceEndDateOnly", Kind.DATE),
    field("RecurrenceTimeZoneSidKey", Kind.STRING, 40),
    field("RecurrenceRegeneratedType", Kind.STRING, 40),
)

_READ_ONLY = {"createable": False, "updateable": False, "deletable": False, "replicateable": False}

_LABELS = (
    sobject(
        "TaskStatus",
        "01J",
        (
            field("ApiName", Kind.STRING, 255, "n"),
            field("MasterLabel", Kind.STRING, 255, "n"),
            flag("IsClosed", "d"),
            flag("IsDefault", "d"),
            field("SortOrder", Kind.INT, 0, "n"),
        ),
        **_READ_ONLY,
    ),
    sobject(
        "TaskPriority",
        "01K",
        (
            field("ApiName", Kind.STRING, 255, "n"),
            field("MasterLabel", Kind.STRING, 255, "n"),
            flag("IsHighPriority", "d"),
            flag("IsDefault", "d"),
            field("SortOrder", Kind.INT, 0, "n"),
        ),
        **_READ_ONLY,
    ),
)

_TASK_RELATION = sobject(
    "TaskRelation",
    "0RT",
    (
        reference("TaskId", ("Task",), "c"),
        reference("RelationId", (*WHO, *WHAT), "c"),
        flag("IsWhat", "d"),
        reference("AccountId", ("Account",), "n"),
    ),
    updateable=False,
)
