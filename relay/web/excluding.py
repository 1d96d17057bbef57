"""Say which of somebody's last mails a list of exclusions would have kept from being logged."""

from dataclasses import dataclass

from relay.address import comparable_any_case, parse_mailbox
from relay.errors import AddressError
from relay.ids import QueueId, queue_id_of
from relay.message import read_header
from relay.policy.exclusions import Exclusions, find_exclusion
from relay.storage.database import Transaction
from relay.web.asking import Ask

LAST = 200
_RECENT = """
SELECT id, reverse_path, header_from, subject FROM message WHERE login = ? ORDER BY id DESC LIMIT ?"""
"""Somebody's last mails."""
_RECIPIENTS = """
SELECT message, target FROM delivery WHERE role = 'recipient'
    AND message IN (SELECT id FROM message WHERE login = ? ORDER BY id DESC LIMIT ?) ORDER BY id"""
"""Whom they went to."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A mail that would not have been logged, and why."""

    message: QueueId
    subject: str
    recipients: tuple[str, ...]
    reason: str
    rule: str


async def would_skip(ask: Ask, layer: Exclusions) -> list[Skipped]:
    """Give those of the last 200 mails that would have been skipped by this layer and were not excluded anyway."""
    login = ask.rep.login
    organisation = ask.house.actions.rules().of(ask.rep).exclusions[:1]

    def read(tx: Transaction) -> list[Skipped]:
        told: dict[int, list[str]] = {}
        for message, target in tx.execute(_RECIPIENTS, (login, LAST)):
            assert isinstance(message, int)
            told.setdefault(message, []).append(str(target))
        found: list[Skipped] = []
        for number, sender, author, subject in tx.execute(_RECENT, (login, LAST)):
            assert isinstance(number, int)
            recipients = tuple(told.get(number, ()))
            one = _skipped(
                queue_id_of(number), (str(sender), str(author)), str(subject), recipients, layer, organisation
            )
            found += [one] if one is not None else []
        return found

    return await ask.house.database.read(read)


def _skipped(
    message: QueueId,
    senders: tuple[str, ...],
    subject: str,
    recipients: tuple[str, ...],
    layer: Exclusions,
    organisation: tuple[Exclusions, ...],
) -> Skipped | None:
    header = read_header(b"Subject: " + subject.encode("utf-8", "replace") + b"\r\n\r\n")
    froms = [form for text in dict.fromkeys(senders) if (form := _form(text))]
    to = [form for text in recipients if (form := _form(text))]
    if not to or find_exclusion(organisation, froms, to, header) is not None:
        return None
    found = find_exclusion((*organisation, layer), froms, to, header)
    return None if found is None else Skipped(message, subject, recipients, found.reason, found.rule)


def _form(text: str) -> str:
    try:
        return comparable_any_case(parse_mailbox(text, smtputf8=True))
    except AddressError:
        return ""
