"""Print the table of docs/delivery.md from the one that decides.

Pure but for its command: `python -m relay.delivery.reference docs/delivery.md` brings the page up to date.
"""

import re
import sys
from pathlib import Path

from relay.delivery.classify import table

_PART = re.compile(r"(<!-- outcomes: printed by make docs -->\n).*?(<!-- end of outcomes -->)", re.DOTALL)


def outcomes() -> str:
    """Print what each happening means."""
    rows = [f"| {happening} | {outcome.lower()} | {told} |\n" for happening, outcome, told in table()]
    return "| what happens | outcome | how it is told |\n|---|---|---|\n" + "".join(rows)


def page_with_outcomes(page: str) -> str:
    """Give the page with its table as it is now."""
    return _PART.sub(lambda found: f"{found[1]}\n{outcomes()}\n{found[2]}", page)


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(page_with_outcomes(path.read_text("utf-8")), "utf-8")
