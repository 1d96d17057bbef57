"""One record as somebody wants it to become.

Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from relay.demo.salesforce.fields import SObject

_Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One record as it is to become."""

    shape: SObject
    given: _Row
    """The fields that were given, by canonical name, in the form in which they are kept."""
    before: _Row | None
    """The record as it is; None: a new one."""
    user: str
    headers: Mapping[str, str]

    @property
    def after(self) -> _Row:
        """Give the record with the changes."""
        return {**(self.before or {}), **self.given}
