"""Print the states and the playbook in docs/queue.md from the tables that decide.

Pure but for its command: `python -m relay.queue.reference docs/queue.md` brings the page up to date.
"""

import re
import sys
from pathlib import Path

from relay.queue.model import FINAL, TRANSITIONS, State
from relay.queue.playbook import playbook

MEANINGS = {
    State.WAITING: "not to be tried yet: something else must end first (a record waits for the recipients)",
    State.QUEUED: "due as soon as there is room",
    State.ACTIVE: "being attempted, under a lease",
    State.DEFERRED: "tried, and to be tried again at `next_attempt`",
    State.HELD: "left alone until somebody decides: `relay queue release` or `cancel`",
    State.SENT: "the next hop took it",
    State.BOUNCED: "refused for good",
    State.EXPIRED: "tried for as long as the retry settings allow, and given up",
    State.CANCELLED: "given up by hand",
    State.SKIPPED: "nothing is to be done, and the reason says why",
}
_PART = re.compile(r"(<!-- states: printed by make docs -->\n).*?(<!-- end of states -->)", re.DOTALL)
_PLAYBOOK = re.compile(r"(<!-- playbook: printed by make docs -->\n).*?(<!-- end of playbook -->)", re.DOTALL)


def plays() -> str:
    """Print what is to be done for each kind of reason."""
    rows = [f"| {kind} | {advice} |\n" for kind, advice in playbook()]
    return "| kind | what helps |\n|---|---|\n" + "".join(rows)


def states() -> str:
    """Print the table and the diagram."""
    rows = [f"| `{state}` | {MEANINGS[state]} | {_names(TRANSITIONS[state])} |\n" for state in State]
    return (
        "| state | means | can become |\n|---|---|---|\n"
        + "".join(rows)
        + "\n```mermaid\nstateDiagram-v2\n"
        + "".join(f"    {line}\n" for line in _arrows())
        + "```\n"
    )


def page_with_tables(page: str) -> str:
    """Give the page with its tables and diagram as they are now."""
    page = _PART.sub(lambda found: f"{found[1]}\n{states()}\n{found[2]}", page)
    return _PLAYBOOK.sub(lambda found: f"{found[1]}\n{plays()}\n{found[2]}", page)


def _names(following: frozenset[State]) -> str:
    return ", ".join(f"`{state}`" for state in State if state in following) or "final"


def _arrows() -> list[str]:
    """Give every step, from the door to the ends, in the order of the states."""
    begins = [f"[*] --> {state}" for state in (State.WAITING, State.QUEUED, State.ACTIVE, State.SKIPPED)]
    steps = [f"{state} --> {after}" for state in State for after in State if after in TRANSITIONS[state]]
    return begins + steps + [f"{state} --> [*]" for state in State if state in FINAL]


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(page_with_tables(path.read_text("utf-8")), "utf-8")
