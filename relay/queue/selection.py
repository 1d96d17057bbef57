"""Which deliveries an operator means, and how deliveries and messages are shown to people.

Pure. A log copy's address is a secret: it is masked in everything that is made here.
"""

from dataclasses import dataclass

from relay.delivery_kind import Role, Transport
from relay.ids import DeliveryId, Login, QueueId, number_of
from relay.queue.model import FINAL, State
from relay.storage.database import Value

OPEN = tuple(state for state in State if state not in FINAL)
"""Every state from which something can still happen."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Deliveries that meet every condition named; without any: all that are not final."""

    ids: tuple[DeliveryId, ...] = ()
    message: QueueId | None = None
    sender: str | None = None
    """A glob (`*` and `?`) over the reverse-path, whatever the case."""
    recipient: str | None = None
    """A glob (`*` and `?`) over the target, whatever the case."""
    domain: str | None = None
    """A glob over what stands behind the target's @, whatever the case."""
    login: Login | None = None
    """Mail of this rep."""
    older_than: int | None = None
    """Accepted before this instant."""
    states: tuple[State, ...] = ()
    """Empty: every state that is not final."""
    reason: str | None = None
    """Text that the last reply or reason contains, whatever the case."""
    role: Role | None = None
    transport: Transport | None = None


@dataclass(frozen=True, slots=True)
class ListedDelivery:
    """A delivery as people are shown it, with what they know its message by."""

    id: DeliveryId
    message: QueueId
    role: Role
    transport: Transport
    target: str
    """The forward-path; a log copy's is masked."""
    state: State
    attempts: int
    next_attempt_at: int | None
    created_at: int
    reason: str
    rule: str
    sender: str
    """The reverse-path; empty for the null path."""
    login: Login | None
    accepted_at: int
    octets: int
    message_id: str | None
    subject: str


@dataclass(frozen=True, slots=True)
class FoundMessage:
    """A message as `relay trace` shows it, with every one of its deliveries, final ones too."""

    id: QueueId
    login: Login | None
    sender: str
    recipients: tuple[str, ...]
    """Whom the sender wrote to; never the log copy."""
    accepted_at: int
    closed_at: int | None
    octets: int
    message_id: str | None
    subject: str
    header_from: str
    client: str
    listener: str
    mode: str
    why: str
    rule: str
    deliveries: tuple[ListedDelivery, ...]


def like(glob: str) -> str:
    r"""Turn a glob into a pattern for `LIKE … ESCAPE '\'`: `*` is any text, `?` any one character."""
    return escaped(glob).replace("*", "%").replace("?", "_")


def escaped(text: str) -> str:
    r"""Give text that stands for itself in `LIKE … ESCAPE '\'`."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def where(selection: Selection, among: tuple[State, ...]) -> tuple[str, list[Value]]:
    """Write the selection, as far as the states are `among`, as conditions over `message m` and `delivery d`.

    `m.closed_at IS NULL` stands in it when every state is an open one: then the queue is walked, not the history.
    """
    states = [state for state in among if not selection.states or state in selection.states]
    parts = [f"d.state IN ({_marks(states)})"]
    values: list[Value] = list(states)
    if all(state not in FINAL for state in states):
        parts.append("m.closed_at IS NULL")
    for condition, value in _conditions(selection):
        parts.append(condition)
        values.append(value)
    if selection.ids:
        parts.append(f"d.id IN ({_marks(selection.ids)})")
        values.extend(selection.ids)
    return " AND ".join(parts), values


def _conditions(selection: Selection) -> list[tuple[str, Value]]:
    found: list[tuple[str, Value | None]] = [
        ("m.id = ?", None if selection.message is None else number_of(selection.message)),
        (_like("m.reverse_path"), None if selection.sender is None else like(selection.sender)),
        (_like("d.target"), None if selection.recipient is None else like(selection.recipient)),
        (_like("d.target"), None if selection.domain is None else f"%@{like(selection.domain)}"),
        # With its plus it is no reason to walk all mail of a rep by its index: what is open is found by its own.
        ("+m.login = ?", selection.login),
        ("m.accepted_at < ?", selection.older_than),
        (_like("d.reason"), None if selection.reason is None else f"%{escaped(selection.reason)}%"),
        ("d.role = ?", selection.role),
        ("d.transport = ?", selection.transport),
    ]
    return [(condition, value) for condition, value in found if value is not None]


def _like(column: str) -> str:
    # lower() on the pattern's side too: LIKE alone is case-blind in SQLite but not everywhere.
    return f"lower({column}) LIKE lower(?) ESCAPE '\\'"


def _marks(values: tuple[object, ...] | list[State]) -> str:
    return ", ".join("?" * len(values)) or "NULL"  # nothing is among nothing
