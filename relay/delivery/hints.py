"""How long a hop asks us to wait, where it says so in words: "try again in 300 seconds".

Pure. No standard has a place for it, so it is only ever a shortest wait, and never more than an hour: a hop cannot
park mail with it.
"""

import re

LONGEST_HINT = 3600.0
"""Seconds; who asks for more is asked again after so long."""

_HINT = re.compile(
    r"\b(?:again|retry|back|wait|greylisted|deferred|blocked)\b[^.;0-9]{0,40}?\b(?:in|after|for|at least|wait)\s+"
    r"([0-9]{1,6})\s?(seconds?|secs?|s|minutes?|mins?|m|hours?|h)\b",
    re.IGNORECASE,
)
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def wait_asked_for(text: str) -> float | None:
    """Give the seconds that a temporary refusal asks us to wait; None when it names no time."""
    found = _HINT.search(text) if any(digit in text for digit in "0123456789") else None
    if found is None:
        return None
    seconds = int(found[1]) * _SECONDS[found[2][0].lower()]
    return min(seconds, LONGEST_HINT) or None
