"""What a delivery is for (its role) and how it travels (its transport)."""

from enum import StrEnum


class Transport(StrEnum):
    """How a delivery travels: by SMTP, or into Salesforce through its API."""

    SMTP = "smtp"
    SALESFORCE = "salesforce"


class Role(StrEnum):
    """What a delivery is for."""

    RECIPIENT = "recipient"
    """Somebody the rep wrote to; the only role whose failure is reported to the rep by DSN."""
    LOG_COPY = "log_copy"
    """The Email to Salesforce address, added to the envelope; a secret."""
    RECORD = "record"
    """A record to be made through the Salesforce API."""
