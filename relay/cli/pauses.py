"""What the running service waits for before it records anything: told where records wait, and stored with none of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from relay.cli.show import Json
from relay.clock import SystemClock
from relay.delivery_kind import Transport
from relay.errors import CommandError
from relay.queue.model import State
from relay.queue.selection import ListedDelivery
from relay.recording import EVERYBODY, words_of
from relay.web.admin import ask


def pauses_of(state_dir: Path) -> list[Json] | None:
    """Ask a running service who calls Salesforce no more for now, and why; None when there is none to ask."""
    try:
        salesforce = ask(state_dir, "GET", "/status").get("salesforce")
    except CommandError:
        return None
    paused = salesforce.get("paused") if isinstance(salesforce, Mapping) else None
    return [one for one in paused or () if isinstance(one, Mapping)]


def explained(state_dir: Path, deliveries: Sequence[ListedDelivery]) -> list[ListedDelivery]:
    """Give deliveries with a reason for those that wait for nothing but Salesforce, while everybody leaves it alone."""
    now = SystemClock().now()
    waiting = {one.id for one in deliveries if _waits(one, now)}
    found = (pauses_of(state_dir) or ()) if waiting else ()
    why = next((words_of(one) for one in found if one.get("identity") == EVERYBODY), "")
    return [replace(one, reason=why) if why and one.id in waiting else one for one in deliveries]


def _waits(one: ListedDelivery, now: int) -> bool:
    due = one.next_attempt_at is None or one.next_attempt_at <= now
    is_silent = one.transport is Transport.SALESFORCE and not one.reason and due
    return is_silent and one.state in (State.QUEUED, State.ACTIVE)
