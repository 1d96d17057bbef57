"""The modules that are compiled: those that a message passes through. Pure."""

_PARTS = {
    "relay": (
        "address counting delivery_kind encoded_words envelope event_words ids"
        " log_lines mailboxes message metrics outcome status"
    ),
    "relay.delivery": (
        "client commands connection courier deadline errand happening hop masking offer"
        " pace pool pools replies routing transaction"
    ),
    "relay.directory": "model",
    "relay.policy": "acceptable controls decision exclusions patterns rules",
    "relay.queue": (
        "accepting attempts budget courier ending intake model retry rows rules runner"
        " settlement settler settling together"
    ),
    "relay.storage": "connection lease portions",
    "relay.submission": (
        "acceptance answers commands conclusion connection data door house limits parameters"
        " protocol session trace trust wording"
    ),
}

MODULES = tuple(f"{folder}.{name}" for folder, names in _PARTS.items() for name in names.split())
"""Their names, as imported."""
