"""Decide what happens to one submitted message: refuse it, or plan its deliveries.

Pure. Given the same submission, rep and rules, the answer is the same.
Refusing an unacceptable sender is RFC 6409 §6.1 and §6.3 (550 5.7.1).
"""

from dataclasses import dataclass

from relay.config.model import Mode
from relay.delivery_kind import Role, Transport
from relay.status import Reply


@dataclass(frozen=True, slots=True)
class PlannedDelivery:
    """One target of a message that is about to be accepted."""

    role: Role
    transport: Transport
    target: str
    """The forward-path as given; "" where there is nobody to send to (skipped: not a rep)."""
    notify: str | None = None
    """NOTIFY to send on; NEVER for a log copy."""
    orcpt: str | None = None
    skipped: str = ""
    """Why nothing is done for this target, in plain words; "" when it is to be delivered."""
    rule: str = ""
    """The rule that planned it and where it stands: "logging.exclude.recipients.0 (config.yaml:31)"."""


@dataclass(frozen=True, slots=True)
class Accept:
    """The message is taken."""

    deliveries: tuple[PlannedDelivery, ...]
    mode: Mode
    why: str
    """The decision in plain words: "1 recipient, log copy added"."""
    rule: str
    """The rule that decided, and where it stands."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """The message is not taken; this is the answer."""

    reply: Reply
    rule: str


Decision = Accept | Refuse
