"""Which field of the header names each recipient, and under what name.

Pure.
"""

from collections.abc import Iterable
from dataclasses import replace

import idna

from relay.address import comparable_any_case, parse_mailbox
from relay.errors import AddressError
from relay.salesforce.composed import Mailbox, MailParts
from relay.salesforce.model import MessageFacts, RecipientKind, ToldRecipient

_ORDER = {RecipientKind.TO: 0, RecipientKind.CC: 1, RecipientKind.BCC: 2}


def address_key(address: str) -> str:
    """Give the form in which addresses of people are compared; what is no address is only brought to lower case."""
    try:
        return comparable_any_case(parse_mailbox(address, smtputf8=True))
    except AddressError:
        return address.strip().lower()


def written_forms(key: str) -> tuple[str, ...]:
    """Give the ways in which Salesforce may hold an address: an internationalised domain as A-labels or as U-labels."""
    local, _, domain = key.rpartition("@")
    if "xn--" not in domain:
        return (key,)
    try:
        return (key, f"{local}@{idna.decode(domain)}")
    except idna.IDNAError:
        return (key,)


def with_header(facts: MessageFacts, mail: MailParts) -> MessageFacts:
    """Give the facts with every recipient's kind and name as the header has them: To, then Cc, then blind copies.

    Within a kind they stand in the order of the header; a recipient that no field names is a blind copy.
    """
    named = _named(mail.cc, RecipientKind.CC) | _named(mail.to, RecipientKind.TO)
    places = {key: number for number, key in enumerate((*_keys(mail.to), *_keys(mail.cc)))}
    told = [_told(one, named) for one in facts.recipients]
    last = len(places)
    told.sort(key=lambda one: (_ORDER[one.kind], places.get(address_key(one.address), last)))
    return replace(facts, recipients=tuple(told))


def _keys(boxes: Iterable[Mailbox]) -> list[str]:
    return [address_key(box.address) for box in boxes]


def _named(boxes: tuple[Mailbox, ...], kind: RecipientKind) -> dict[str, tuple[RecipientKind, str]]:
    return {address_key(box.address): (kind, box.name) for box in reversed(boxes)}


def _told(one: ToldRecipient, named: dict[str, tuple[RecipientKind, str]]) -> ToldRecipient:
    kind, name = named.get(address_key(one.address), (RecipientKind.BCC, ""))
    return replace(one, kind=kind, name=name)
