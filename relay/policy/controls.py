"""Control addresses: what a rep asks for one message by addresses in Bcc, from any mail client and without a plug-in.

Pure. private@, log@, headers@, rec+ID@ and task+3d@ of `logging.controls.domain`. They are taken out of the envelope;
nobody but the relay and the rep ever sees them. In To or Cc everybody would: such mail is refused.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from relay.message import Header, values

ASKED_FOR_PRIVATE = "the sender asked that it is not logged (private@)"
NO_BODY_IN_COPIES = (
    "the sender asked that its body is not logged (headers@), and a log copy cannot leave it out"
)
_RECORD_ID = re.compile(r"(?:[A-Za-z0-9]{15}|[A-Za-z0-9]{18})", re.ASCII)
_IN = re.compile(r"(\d{1,3})([dw])", re.ASCII)
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_LONGEST_DAYS = 365


class Control(StrEnum):
    """What an address asks for."""

    PRIVATE = "private"
    """Do not log this message."""
    LOG = "log"
    """Log it, whatever the exclusions say."""
    HEADERS = "headers"
    """Log it without body and attachments."""
    RECORD = "rec"
    """Relate it to the record of this id."""
    TASK = "task"
    """Make a reminder, due in so many days."""
    UNKNOWN = "unknown"
    """Nothing that is known: a slip of the pen, which must not go unnoticed."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What all control addresses of one message ask for together."""

    private: bool = False
    log: bool = False
    headers_only: bool = False
    records: tuple[str, ...] = ()
    """Salesforce ids, in their right case where they have 18 characters."""
    due_in_days: int | None = None
    """task+3d@: a reminder that is due in three days."""


NOTHING = Asked()

_TOLD: Mapping[Control, str] = {
    Control.PRIVATE: "not to log this mail",
    Control.LOG: "to log this mail whatever is excluded",
    Control.HEADERS: "to log this mail without its body",
    Control.RECORD: "to relate this mail to a record",
    Control.TASK: "to make a reminder",
}


def control_of(local: str) -> tuple[Control, str]:
    """Read the part before the @, in any case; the second value is the record id, or the days."""
    name, plus, rest = local.partition("+")
    match name.lower():
        case "private" | "log" | "headers" if not plus:
            return Control(name.lower()), ""
        case "rec" if _RECORD_ID.fullmatch(rest):
            return Control.RECORD, right_case(rest)
        case "task" if (found := _IN.fullmatch(rest.lower())) is not None:
            days = int(found[1]) * (7 if found[2] == "w" else 1)
            return (Control.TASK, str(days)) if days <= _LONGEST_DAYS else (Control.UNKNOWN, "")
        case _:
            return Control.UNKNOWN, ""


def right_case(record: str) -> str:
    """Give an id of 18 characters in the case that its last three tell: mail clients may change it.

    Each of them holds, in five bits, which of five characters are capital letters (Salesforce, record id checksum).
    """
    if len(record) != 18 or any(one not in _SUFFIX for one in record[15:].upper()):
        return record
    suffix = record[15:].upper()
    letters = [
        one.upper() if _SUFFIX.index(suffix[number // 5]) >> number % 5 & 1 else one.lower()
        for number, one in enumerate(record[:15])
    ]
    return "".join(letters) + suffix


def is_control(address: str, domain: str) -> bool:
    """Tell whether it is an address of the control domain (ASCII, lower case); "" stands for no such domain."""
    return bool(domain) and address.rpartition("@")[2].lower() == domain


def asked_by(addresses: Iterable[str], domain: str) -> Asked:
    """Put together what the control addresses among these ask for."""
    asked = NOTHING
    if not domain:
        return asked
    found = [control_of(one.rpartition("@")[0]) for one in addresses if is_control(one, domain)]
    kinds = {kind for kind, _ in found}
    days = [int(value) for kind, value in found if kind is Control.TASK]
    return Asked(
        private=Control.PRIVATE in kinds,
        log=Control.LOG in kinds,
        headers_only=Control.HEADERS in kinds,
        records=tuple(dict.fromkeys(value for kind, value in found if kind is Control.RECORD)),
        due_in_days=min(days) if days else None,
    )


def told(address: str) -> str:
    """Say what became of a control address: the reason of its delivery, which is skipped."""
    kind, _ = control_of(address.rpartition("@")[0])
    return f"a control address, nobody to send to: it asked {_TOLD.get(kind, 'for nothing known')}"


def unknown_among(addresses: Iterable[str], domain: str) -> str | None:
    """Give the first address of the control domain that asks for nothing known."""
    wrong = (one for one in addresses if is_control(one, domain))
    return next((one for one in wrong if control_of(one.rpartition("@")[0])[0] is Control.UNKNOWN), None)


def shown_to_all(header: Header, domain: str) -> tuple[str, str] | None:
    """Give a control address that stands in To or Cc, with the field's name: every recipient would see it."""
    if not domain:
        return None
    wanted = re.compile(rb"[\w.+-]{1,64}@" + re.escape(domain.encode()) + rb"(?![\w.-])", re.IGNORECASE)
    for name in ("to", "cc", "resent-to", "resent-cc"):
        for value in values(header, name):
            if found := wanted.search(value.replace(b"\r\n", b"")):
                return found[0].decode("ascii", "replace"), "-".join(map(str.capitalize, name.split("-")))
    return None
