"""Every exception the relay raises on purpose, in one tree.

* RelayError
  x ConfigError             the settings cannot be used; carries every problem found
  x AddressError            not a mail address
    + NonAsciiAddress       one only under SMTPUTF8: 550 or 553 5.6.7
  x MessageError            content that cannot be read
  x StorageError
    + StorageFull           no room: 452 4.3.1 at the door
    + StorageUnavailable    the store does not answer: 451 4.3.0 at the door
    + StorageConflict       something that must be unique is there already
    + IllegalState          a state change that the table of states does not allow
  x SalesforceError         a call of Salesforce came to nothing; carries the fault (relay.salesforce.exchange)
  x CommandError            a command was used wrongly or cannot be carried out; carries an exit code

What became of a delivery is never an exception but a value (relay.outcome).
"""

from dataclasses import dataclass


class RelayError(Exception):
    """Anything the relay itself found it cannot do."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake in the settings: where it is, what is wrong, and what would be right."""

    file: str
    line: int
    column: int
    path: str
    text: str
    severity: str = "error"

    def __str__(self) -> str:
        """Give the line that editors and people can follow: file:line:column: path: text."""
        path = f"{self.path}: " if self.path else ""
        warning = "warning: " if self.severity == "warning" else ""
        return f"{self.file}:{self.line}:{self.column}: {warning}{path}{self.text}"


class ConfigError(RelayError):
    """The settings cannot be used. `problems` holds every one found, in file order."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class AddressError(RelayError):
    """The text is not a mail address (RFC 5321 §4.1.2)."""


class NonAsciiAddress(AddressError):
    """The address is not ASCII, and the transaction does not use SMTPUTF8 (RFC 6531 §3.5)."""


class MessageError(RelayError):
    """The content cannot be read as a message."""


class StorageError(RelayError):
    """The store could not do what was asked; nothing was changed."""


class StorageFull(StorageError):
    """There is no room left to keep a message in."""


class StorageUnavailable(StorageError):
    """The store does not answer now; later it may."""


class StorageConflict(StorageError):
    """Something that must be unique, or must be there, is not: a rule of the schema was broken."""


class IllegalState(StorageError):
    """The delivery is in a state from which the asked change is not allowed."""


class CommandError(RelayError):
    """A command cannot be carried out. `exit_code` follows sysexits (69, 75, 77, 78) or is 1 or 2."""

    def __init__(self, text: str, exit_code: int = 1) -> None:
        super().__init__(text)
        self.exit_code = exit_code
