"""Merge what stands here and what stands in Salesforce, field by field, against what both had before.

Pure. A field that only one side changed is taken from it. Where both changed it to different things the later change
wins, Salesforce when both are as late, and what lost is told, so that it goes into the history.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from relay.reminders.model import FIELDS, Base, Lost, Origin, SubjectRule, Values


@dataclass(frozen=True, slots=True)
class Merged:
    """What both sides are to have."""

    here: Values
    there: Values
    base: Base
    """What both are known to have had: moved on where they are equal or Salesforce's side was taken in."""
    lost: tuple[Lost, ...] = ()

    def to_send(self) -> tuple[str, ...]:
        """Name the fields that Salesforce is to be told."""
        remote = self.base.remote
        return tuple(name for name in FIELDS if getattr(self.there, name) != getattr(remote, name))


def merge(
    base: Base,
    here: Values,
    there: Values,
    *,
    changed: Mapping[str, int],
    there_at: int,
    subject: SubjectRule,
) -> Merged:
    """Merge. `changed`: when which field was changed here; `there_at`: when the Task was last modified.

    Both by the same clock. A field without an instant counts as changed long ago. The base that comes out has
    Salesforce's present values: what differs from it is what is still to be sent.
    """
    mine: dict[str, object] = {}
    theirs: dict[str, object] = {}
    lost: list[Lost] = []
    for name in FIELDS:
        had_here, had_there = getattr(base.values, name), getattr(base.remote, name)
        l_value, r_value = getattr(here, name), getattr(there, name)
        rule = subject if name == "title" else SubjectRule.BOTH
        if rule is SubjectRule.NONE:
            mine[name], theirs[name] = l_value, r_value
            continue
        l_changed, r_changed = l_value != had_here, r_value != had_there
        ours = l_changed and (
            not r_changed or rule is SubjectRule.OUT or changed.get(name, 0) > there_at or l_value == r_value
        )
        if ours:
            mine[name] = theirs[name] = l_value
        elif r_changed and rule is SubjectRule.BOTH:
            mine[name] = theirs[name] = r_value
        else:
            mine[name], theirs[name] = l_value, r_value
        if l_changed and r_changed and l_value != r_value:
            lost.append(_lost(name, l_value, r_value, ours))
    new_here = replace(here, **mine)  # type: ignore[arg-type]  # each value is of its own field
    new_there = replace(there, **theirs)  # type: ignore[arg-type]
    return Merged(new_here, new_there, _base(base, new_here, there, subject), tuple(lost))


def _base(base: Base, here: Values, there: Values, subject: SubjectRule) -> Base:
    """Note Salesforce's present values as what both had, so that a field that is to be sent still differs from it."""
    title = there.title if subject is SubjectRule.BOTH else base.values.title
    # A title that only goes out differs for good from the other side's: it is noted as it is on each.
    if subject is SubjectRule.OUT and here.title == there.title:
        title = here.title
    return Base(replace(there, title=title), there.title)


def _lost(name: str, here: object, there: object, ours: bool) -> Lost:
    kept, gone = (here, there) if ours else (there, here)
    winner = Origin.LOCAL if ours else Origin.SALESFORCE
    why = "changed on both sides; the later change stands"
    return Lost(name, _text(kept), _text(gone), winner, why)


def _text(value: object) -> str:
    return "" if value is None else str(value)


def sent(base: Base, values: Values, names: tuple[str, ...]) -> Base:
    """Give the base after Salesforce took the named fields of `values`."""
    taken: dict[str, object] = {name: getattr(values, name) for name in names}
    after = replace(base.values, **taken)  # type: ignore[arg-type]  # each value is of its own field
    return Base(after, values.title if "title" in names else base.subject)


def differs(here: Values, base: Base | None, subject: SubjectRule) -> tuple[str, ...]:
    """Name the fields that were changed here since, as far as they travel."""
    if base is None:
        return FIELDS
    names = tuple(name for name in FIELDS if getattr(here, name) != getattr(base.values, name))
    return tuple(name for name in names if name != "title" or subject is not SubjectRule.NONE)
