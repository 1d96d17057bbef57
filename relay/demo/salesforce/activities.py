"""What follows from activities: the derived fields of a Task, the Task of an EmailMessage, and when a person was last active."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relay.demo.salesforce.records import Records, Row


def before_save(records: Records, name: str, row: Row, before: Row | None) -> None:
    """Fill in the fields of a Task or EmailMessage that follow from others, before it is stored."""


def after_save(records: Records, name: str, row: Row, before: Row | None, *, user: str) -> None:
    """Make the records that follow from an activity that was stored."""


def after_delete(records: Records, name: str, row: Row, *, user: str) -> None:
    """Let activities follow a deletion: of a person (WhoId), of an EmailMessage (its Task)."""
