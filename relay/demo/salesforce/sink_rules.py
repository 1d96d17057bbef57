"""How Email to Salesforce decides: who may send, which addresses it looks up, which records it takes.

Pure. Sources: Salesforce Help, "Email to Salesforce" (how it works, considerations, guidelines, allocations); Object
Reference, "EmailServicesAddress" and "EmailServicesFunction".
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from relay.demo.salesforce.sink_mail import Mail

Row = Mapping[str, object]

MOST_ADDRESSES = 50
MOST_ACTIVITIES = 50
LONGEST_BODY = 32 * 1024
"""Octets of the body that are kept."""
LARGEST_FILES = 25 * 1024 * 1024
"""Octets of all attachments together; with more, none is kept."""
LARGEST_MESSAGE = 35 * 1024 * 1024
MESSAGES_A_DAY_PER_USER = 1000


class Action(StrEnum):
    """What becomes of mail that is not accepted."""

    BOUNCE = "Bounce"
    DISCARD = "Discard"
    REQUEUE = "Requeue"


class Several(StrEnum):
    """Which of several leads and contacts with one address is taken."""

    ALL = "all"
    OLDEST = "oldest"
    MOST_ACTIVITY = "most_activity"


@dataclass(frozen=True, slots=True)
class Options:
    """What a user chose on My Email to Salesforce."""

    automatic: bool = True
    """Automatically assign to Salesforce records; else all goes to My Unresolved Items."""
    opportunities: bool = True
    leads: bool = True
    contacts: bool = True
    several: Several = Several.ALL
    unmatched: bool = True
    """If nothing matches, create a task and send it to My Unresolved Items."""
    excluded_domains: tuple[str, ...] = ()
    save_attachments: bool = True
    """Always save email attachments."""
    confirm: bool = False
    """Email me confirmation of association."""


@dataclass(slots=True)
class SinkSettings:
    """What can be set about Email to Salesforce beside the organisation's toggles; change it at any time."""

    authenticated: bool = True
    """Whether the sending server passes SPF, Sender ID or DKIM; looked at under advanced security only."""
    not_acceptable: Action = Action.BOUNCE
    """For a sender who is not on the list (AuthorizationFailureAction)."""
    not_authenticated: Action = Action.BOUNCE
    """For a sending server that fails (AuthenticationFailureAction)."""
    inactive: Action = Action.BOUNCE
    """For an address, a user or an organisation that is switched off (AddressInactiveAction, FunctionInactiveAction)."""
    over_limit: Action = Action.BOUNCE
    messages_a_day: int | None = None
    """None: a thousand for each active user."""
    bounce_in_reply: bool = True
    """A bounce is a 550 in the dialogue; else a delivery report later."""
    task_type: str = "Email"
    """The value marked Send Email Default; left out when the organisation's list lacks it."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Mail that is not accepted."""

    action: Action
    reason: str


def action_of(function: Row | None, name: str, default: Action) -> Action:
    """Give what a function of the organisation says about a failure; UseSystemDefault leaves the default."""
    said = (function or {}).get(name)
    return Action(str(said)) if said in list(Action) else default


def is_acceptable(authorized: object, checked: str, header_from: str, envelope_from: str) -> bool:
    """Tell whether the sender is on the list of acceptable senders; an empty list takes everyone.

    `checked` says which sender is compared: from | envelope | both. Entries are addresses or domains.
    """
    entries = {entry.strip().lower().removeprefix("@") for entry in str(authorized or "").split(",")} - {""}
    senders = {"from": (header_from,), "envelope": (envelope_from,)}.get(
        checked, (header_from, envelope_from)
    )
    return not entries or all(_on_list(sender.lower(), entries) for sender in senders)


def _on_list(sender: str, entries: Collection[str]) -> bool:
    return sender in entries or sender.rpartition("@")[2] in entries


def looked_up(mail: Mail, own: str) -> tuple[str, ...]:
    """Give the addresses that are searched: the first fifty of To and Cc, or those of a mail forwarded to `own` alone."""
    own = own.lower()
    addresses = mail.to + mail.cc
    if addresses == (own,):
        addresses = mail.forwarded
    return tuple(one for one in dict.fromkeys(addresses) if one != own)[:MOST_ADDRESSES]


def split_excluded(addresses: Sequence[str], domains: Collection[str]) -> tuple[list[str], bool]:
    """Give the addresses outside the excluded domains, and whether any was inside."""
    excluded = {domain.strip().lower().removeprefix("@") for domain in domains}
    left = [one for one in addresses if one.rpartition("@")[2] not in excluded]
    return left, len(left) < len(addresses)


def chosen(people: Sequence[Row], several: Several, activities: Mapping[str, int]) -> list[Row]:
    """Choose among the leads and contacts with one address."""
    if len(people) < 2 or several is Several.ALL:
        return list(people)
    if several is Several.OLDEST:
        return [min(people, key=lambda row: (str(row.get("CreatedDate")), str(row["Id"])))]
    return [max(people, key=lambda row: activities.get(str(row["Id"]), 0))]


def body_of(mail: Mail) -> str:
    """Give the words that the Task keeps: the envelope in words and the body, cut to 32 KB."""
    files = ", ".join(file.name for file in mail.files)
    body = mail.text.encode()[:LONGEST_BODY].decode("utf-8", "ignore")
    lines = (
        f"To: {', '.join(mail.to)}",
        f"CC: {', '.join(mail.cc)}",
        f"Attachment: {files}" if files else "Attachment:",
        "",
        f"Subject: {mail.subject}",
        "Body:",
        body,
    )
    return "\n".join(lines)
