"""What the running service waits for before it records anything: told where records wait, and stored with none of them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from relay.cli.show import Json, safe
from relay.clock import SystemClock
from relay.errors import CommandError
from relay.queue.selection import ListedDelivery
from relay.recording import EVERYBODY, words_of
from relay.salesforce.waiting import explained, waits_for_salesforce
from relay.web.admin import ask


def pauses_of(state_dir: Path) -> list[Json] | None:
    """Ask a running service who calls Salesforce no more for now, and why; None when there is none to ask."""
    try:
        salesforce = ask(state_dir, "GET", "/status").get("salesforce")
    except CommandError:
        return None
    paused = salesforce.get("paused") if isinstance(salesforce, Mapping) else None
    return [one for one in paused or () if isinstance(one, Mapping)]


def pause_lines(pauses: Iterable[Json]) -> list[str]:
    """Tell pauses for people, a line each."""
    who = {EVERYBODY: "everybody", "": "who looks up"}
    names = [(str(one.get("identity")), words_of(one)) for one in pauses]
    return [f"recording pauses for {safe(who.get(name, name))}: {safe(words)}" for name, words in names]


def with_reasons(state_dir: Path, deliveries: Sequence[ListedDelivery]) -> tuple[ListedDelivery, ...]:
    """Give deliveries with a reason for those that wait for nothing but Salesforce, while everybody leaves it alone."""
    now = SystemClock().now()
    waiting = any(waits_for_salesforce(one, now) for one in deliveries)
    found = (pauses_of(state_dir) or ()) if waiting else ()
    why = next((words_of(one) for one in found if one.get("identity") == EVERYBODY), "")
    return explained(deliveries, why, now)
