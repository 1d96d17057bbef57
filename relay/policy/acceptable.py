"""Whether the sender of a mail is one of the rep's acceptable addresses (RFC 6409 §6.1, §6.3).

Pure. Checked are the reverse-path, every address of every From field, the Sender where From names several or
nobody, and every Resent-From. A field that two readers could read in two ways is a fault: nobody can say whom it names.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from relay import status
from relay.address import Address, comparable_any_case, without_plus
from relay.envelope import Envelope
from relay.message import FromMailboxes, Header, from_mailboxes
from relay.status import Reply


@dataclass(frozen=True, slots=True)
class Acceptable:
    """The acceptable addresses of one rep, ready to compare."""

    forms: frozenset[str]
    plus_addresses: bool

    def takes(self, address: Address) -> bool:
        """Say whether this address is one of them, or a plus-variant where those count."""
        if comparable_any_case(address) in self.forms:
            return True
        return self.plus_addresses and comparable_any_case(without_plus(address)) in self.forms


@dataclass(frozen=True, slots=True)
class SenderFault:
    """What is wrong with the sender: the answer to the client, and the reason where mail is forwarded anyway."""

    reply: Reply
    reason: str


def compile_acceptable(addresses: Collection[Address], *, plus_addresses: bool) -> Acceptable:
    """Make the addresses of one rep ready to compare."""
    return Acceptable(frozenset(comparable_any_case(one) for one in addresses), plus_addresses)


def envelope_fault(reverse_path: Address | None, acceptable: Acceptable) -> SenderFault | None:
    """Say what is wrong with the reverse-path. The null path is nobody's, and never a fault (RFC 5321 §4.5.5)."""
    return None if reverse_path is None else _stranger((reverse_path,), acceptable)


def header_fault(header: Header, acceptable: Acceptable) -> SenderFault | None:
    """Say what is wrong with From, Sender and Resent-From.

    A mail without any From passes: then the reverse-path alone names its sender, and a Sender may name nobody else.
    """
    authors = from_mailboxes(header)
    fault = _field_fault("From", authors, acceptable)
    if fault is None and (len(authors.addresses) > 1 or not authors.fields):
        fault = _field_fault("Sender", from_mailboxes(header, "sender"), acceptable)
    if fault is None and "resent-from" in header.names:
        fault = _field_fault("Resent-From", from_mailboxes(header, "resent-from"), acceptable)
    return fault


def sender_fault(
    envelope: Envelope, header: Header, acceptable: Acceptable, *, signed_in: bool
) -> SenderFault | None:
    """Say what is wrong with the sender of a mail.

    A gateway writes reverse-paths of its own (bounce addresses); there the header counts where it has a From.
    """
    if signed_in or "from" not in header.names:
        fault = envelope_fault(envelope.reverse_path, acceptable)
        if fault:
            return fault
    return header_fault(header, acceptable)


def _field_fault(field: str, found: FromMailboxes, acceptable: Acceptable) -> SenderFault | None:
    if found.problem:
        reply = status.SENDER_UNREADABLE.fill(field=field, problem=found.problem)
        return SenderFault(reply, f"the {field} field {found.problem}")
    return _stranger(found.addresses, acceptable)


def _stranger(addresses: Iterable[Address], acceptable: Acceptable) -> SenderFault | None:
    for address in addresses:
        if not acceptable.takes(address):
            reply = status.SENDER_NOT_ACCEPTABLE.fill(address=address)
            return SenderFault(reply, f"{address} is not an acceptable address")
    return None
