"""Which open opportunities of the matched contacts a record is related to.

Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from relay.config.recording import MatchSettings
from relay.salesforce.model import Opportunity

MAXIMUM_OPPORTUNITIES = 10
"""How many opportunities one message is put on with `all_open`; each further one takes a record of its own."""


@dataclass(frozen=True, slots=True)
class OpportunityChoice:
    """The opportunities, the preferred one first, and why these."""

    ids: tuple[str, ...]
    why: str
    """ "" when there is nothing to tell."""


def choose_opportunities(
    contact_ids: Sequence[str], opportunities: Mapping[str, Sequence[Opportunity]], rules: MatchSettings
) -> OpportunityChoice:
    """Choose among the open opportunities on which these contacts have a role; the last changed one is preferred."""
    found = {one.id: one for contact in contact_ids for one in opportunities.get(contact, ())}
    ordered = sorted(found.values(), key=lambda one: (-one.modified_at, one.id))
    if not ordered or rules.opportunities == "off":
        return OpportunityChoice((), "")
    first = ordered[0].id
    match rules.opportunities:
        case "latest_open":
            others = f"; {len(ordered) - 1} changed less lately left out" if len(ordered) > 1 else ""
            return OpportunityChoice((first,), f"opportunity {first}: open, by contact role{others}")
        case "all_open":
            ids = tuple(one.id for one in ordered[:MAXIMUM_OPPORTUNITIES])
            left = len(ordered) - len(ids)
            others = f"; {left} beyond the limit left out" if left else ""
            return OpportunityChoice(ids, f"opportunities {', '.join(ids)}: open, by contact role{others}")
        case "only_if_one":
            if len(ordered) > 1:
                return OpportunityChoice((), f"no opportunity: {len(ordered)} are open, and only one may be")
            return OpportunityChoice((first,), f"opportunity {first}: the only open one, by contact role")
        case never:
            assert_never(never)
