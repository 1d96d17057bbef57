"""The preferences of logging through the API that an admin sets for all: which there are, how they are shown and read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from relay.config.loader import Configuration
from relay.config.types import Settings, write_size
from relay.salesforce.subject import SubjectValues, subject_of
from relay.web.asking import Ask

_SUBJECT_LENGTH = 255


@dataclass(frozen=True, slots=True)
class Preference:
    """One setting for all, and the values it can have."""

    key: str
    name: str
    """The name of its field, and of its texts below `preference`."""
    kind: Literal["choice", "flag", "text"] = "choice"
    choices: tuple[str, ...] = ()


FIELDS: Sequence[Preference] = (
    Preference(
        "logging.match.objects", "objects", choices=("contact,lead", "lead,contact", "contact", "lead")
    ),
    Preference(
        "logging.match.several",
        "several",
        choices=("most_recent_activity", "most_activity", "oldest", "newest", "mine_first", "all"),
    ),
    Preference(
        "logging.match.nobody",
        "nobody",
        choices=("hold", "unrelated", "create_lead", "create_contact", "skip"),
    ),
    Preference(
        "logging.match.opportunities",
        "opportunities",
        choices=("latest_open", "only_if_one", "all_open", "off"),
    ),
    Preference("logging.record", "record", choices=("auto", "email_message", "task")),
    Preference("logging.capture.body", "body", choices=("full", "text", "headers")),
    Preference("logging.capture.attachments", "attachments", choices=("none", "names", "files")),
    Preference("logging.capture.attachments_total", "attachments_total", "text"),
    Preference("logging.capture.bcc_recipients", "bcc_recipients", "flag"),
    Preference("logging.subject", "subject", "text"),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A preference as it is in force, and where it comes from."""

    value: str
    on: bool
    origin: str


def shown_preferences(configuration: Configuration) -> Mapping[str, Shown]:
    """Give each preference as it is in force, by its name."""
    return {
        one.name: Shown(text := _text(configuration, one), text == "true", configuration.place(one.key))
        for one in FIELDS
    }


def choices_of(preference: Preference, words: object) -> list[tuple[str, str]]:
    """Give the values of a preference with their texts."""
    assert callable(words)
    names = {value: value.replace(",", "_") for value in preference.choices}
    return [(value, str(words(f"preference.{preference.name}_{name}"))) for value, name in names.items()]


def read_preferences(ask: Ask, configuration: Configuration) -> dict[str, object]:
    """Give what the form says otherwise than it is. Raises HTTPException 400 for a value that no form offers."""
    changed: dict[str, object] = {}
    for one in FIELDS:
        sent = ask.field(one.name)
        if one.kind == "flag":
            sent = "true" if sent else "false"
        if one.kind == "choice" and sent not in one.choices:
            raise ask.refuse(400)
        if sent != _text(configuration, one):
            changed[one.key] = sent.split(",") if one.name == "objects" else sent
    return changed


def preview(template: str) -> str:
    """Show what a template of the subject makes of a mail."""
    given = SubjectValues("Offer for 2027", "Ana Berg", "Kim Buyer", "ana@example.com")
    return subject_of(template, given, _SUBJECT_LENGTH)


def _text(configuration: Configuration, preference: Preference) -> str:
    value: object = configuration.settings
    for step in preference.key.split("."):
        assert isinstance(value, Settings)
        value = getattr(value, step)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return write_size(value) if isinstance(value, int) else str(value)
