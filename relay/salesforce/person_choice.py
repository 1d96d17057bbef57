"""Which of several records with one address is meant.

Pure. Every order ends with the id, so that the same records always give the same choice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from relay.config.recording import MatchSettings
from relay.salesforce.model import Person, PersonKind

_KINDS = {"contact": PersonKind.CONTACT, "lead": PersonKind.LEAD}
_PLURAL = {PersonKind.CONTACT: "contacts", PersonKind.LEAD: "leads", PersonKind.USER: "users"}


@dataclass(frozen=True, slots=True)
class Choice:
    """Who is meant by one address, and why."""

    people: tuple[Person, ...]
    """Empty: nobody has it. Several only with `several: all`."""
    why: str
    """In words: "contact 003…, by Email; 2 leads with the same address left out: contacts come first"."""


def choose(candidates: Sequence[Person], rules: MatchSettings, rep_user_id: str | None) -> Choice:
    """Choose among the records that have one address: by kind (`objects`), then by `several`.

    Users are not chosen; they are colleagues (relay.salesforce.matching).
    """
    kinds = [_KINDS[name] for name in rules.objects]
    found = [[one for one in candidates if one.kind is kind] for kind in kinds]
    if rules.several == "all":
        everybody = tuple(one for group in found for one in sorted(group, key=_oldest))
        return Choice(everybody, _named(everybody))
    first = next((group for group in found if group), [])
    if not first:
        return Choice((), "nobody has this address")
    chosen = _preferred(first, rules, rep_user_id)
    reasons = [_named([chosen]), *_left_out(chosen, first, rules)]
    reasons += [_other_kind(chosen, group) for group in found if group and group is not first]
    return Choice((chosen,), "; ".join(reasons))


def needs_activity_counts(candidates: Sequence[Person], rules: MatchSettings) -> bool:
    """Say whether the choice hangs on how many activities these records have."""
    if rules.several != "most_activity":
        return False
    kinds = [_KINDS[name] for name in rules.objects]
    groups = ([one for one in candidates if one.kind is kind] for kind in kinds)
    return len(next((group for group in groups if group), [])) > 1


def _preferred(group: Sequence[Person], rules: MatchSettings, rep_user_id: str | None) -> Person:
    match rules.several:
        case "most_recent_activity" | "all":
            return min(group, key=_recent)
        case "most_activity":
            return min(group, key=lambda one: (-(one.activities or 0), *_oldest(one)))
        case "oldest":
            return min(group, key=_oldest)
        case "newest":
            return min(group, key=lambda one: (-one.created_at, one.id))
        case "mine_first":
            return min(group, key=lambda one: (not _is_mine(one, rep_user_id), *_recent(one)))
        case never:
            assert_never(never)


def _oldest(one: Person) -> tuple[int, str]:
    return one.created_at, one.id


def _recent(one: Person) -> tuple[tuple[int, ...], int, str]:
    """Order by the latest activity, then by the latest creation, then by id."""
    digits = tuple(-ord(character) for character in one.last_activity or "")
    return (digits or (0,), -one.created_at, one.id)


def _is_mine(one: Person, rep_user_id: str | None) -> bool:
    return bool(rep_user_id) and bool(one.owner_id) and (one.owner_id or "")[:15] == (rep_user_id or "")[:15]


def _named(people: Sequence[Person]) -> str:
    if not people:
        return "nobody has this address"
    return ", ".join(f"{one.kind.lower()} {one.id}" for one in people) + ", by Email"


def _left_out(chosen: Person, group: Sequence[Person], rules: MatchSettings) -> list[str]:
    others = len(group) - 1
    return [f"{_count(chosen.kind, others)} left out: {_words(rules)}"] if others else []


def _other_kind(chosen: Person, group: Sequence[Person]) -> str:
    return f"{_count(group[0].kind, len(group))} left out: {_PLURAL[chosen.kind]} come first"


def _count(kind: PersonKind, number: int) -> str:
    return f"{number} {_PLURAL[kind] if number > 1 else kind.lower()} with the same address"


def _words(rules: MatchSettings) -> str:
    match rules.several:
        case "most_recent_activity":
            return "this one has the most recent activity"
        case "most_activity":
            return "this one has the most activities"
        case "oldest":
            return "this one is the oldest"
        case "newest":
            return "this one is the newest"
        case "mine_first":
            return "the rep's own come first, then the most recent activity"
        case "all":
            return "all are taken"
        case never:
            assert_never(never)
