"""How `relay user` shows reps, app passwords and the set-up of a mail client."""

import json
from collections.abc import Mapping, Sequence

from relay.cli.show import print_table
from relay.config.loader import Configuration
from relay.config.model import ListenerSettings, Mode
from relay.directory.model import Rep

_SECURITY = {"starttls": "STARTTLS", "implicit": "SSL/TLS", "none": "none"}


def print_object(shown: Mapping[str, object]) -> None:
    """Print one JSON object; all but ASCII is escaped, since names are somebody else's words."""
    print(json.dumps(shown, indent=2))


def rep_item(rep: Rep, *, reveal: bool) -> dict[str, object]:
    """Give a rep for `--json`; the Email to Salesforce address is masked unless it is to be revealed."""
    bcc = rep.email_to_salesforce
    return {
        "login": rep.login,
        "name": rep.name,
        "addresses": [str(address) for address in rep.addresses],
        "email_to_salesforce": None if bcc is None else bcc.reveal() if reveal else str(bcc),
        "mode": rep.mode,
        "password": rep.password is not None,
        "tokens": [token.name for token in rep.tokens],
        "salesforce_user_id": rep.salesforce_user_id,
        "salesforce_username": rep.salesforce_username,
        "time_zone": rep.time_zone,
        "language": rep.language,
        "web_role": rep.web_role,
        "disabled": rep.disabled,
        "origin": rep.origin,
        "changed": dict(rep.changed),
    }


def print_reps(reps: Sequence[Rep], *, reveal: bool, default_mode: Mode) -> None:
    """Print a table of reps."""
    print_table(
        ("LOGIN", "MODE", "SIGNS IN WITH", "EMAIL TO SALESFORCE", "ORIGIN", "ADDRESSES"),
        [_row(rep, reveal=reveal, default_mode=default_mode) for rep in reps],
    )


def _row(rep: Rep, *, reveal: bool, default_mode: Mode) -> tuple[str, ...]:
    bcc = rep.email_to_salesforce
    return (
        rep.login + _disabled(rep),
        _mode(rep, default_mode),
        _signs_in_with(rep),
        "-" if bcc is None else bcc.reveal() if reveal else str(bcc),
        rep.origin,
        ", ".join(str(address) for address in rep.addresses),
    )


def _disabled(rep: Rep) -> str:
    """Say that a rep is disabled, and by whom where that was on the page."""
    who = rep.changed_by("disabled")
    return f" (disabled{f', {who}' if who else ''})" if rep.disabled else ""


def _mode(rep: Rep, default_mode: Mode) -> str:
    who = rep.changed_by("mode")
    return f"{rep.mode or default_mode} ({who or 'default'})" if who or not rep.mode else rep.mode


def _signs_in_with(rep: Rep) -> str:
    parts = ["password"] if rep.password is not None else []
    if rep.tokens:
        parts.append(f"app passwords: {', '.join(token.name for token in rep.tokens)}")
    return "; ".join(parts) or "nothing (gateway only)"


def client_setup(configuration: Configuration, login: str) -> list[dict[str, object]]:
    """Give, for each listener that reps sign in at, what goes into a mail client's fields."""
    return [
        {
            "server": configuration.hostname,
            "port": listener.address.port,
            "security": _SECURITY[listener.tls],
            "user": login,
        }
        for listener in _doors(configuration.settings.listeners)
    ]


def _doors(listeners: Sequence[ListenerSettings]) -> list[ListenerSettings]:
    """Give the listeners for reps, implicit TLS first (RFC 8314 §3.3)."""
    doors = [listener for listener in listeners if listener.auth != "none"]
    return sorted(doors, key=lambda listener: ("implicit", "starttls", "none").index(listener.tls))


def print_setup(setup: Sequence[Mapping[str, object]], password: str, sender: str) -> None:
    """Print what goes into a mail client's fields for outgoing mail."""
    if not setup:
        print("No listener takes sign-ins: this rep's mail must come through a gateway.")
        return
    print("\nSet these in the mail client, as its outgoing server (SMTP):")
    for number, door in enumerate(setup):
        if number:
            print("\n  or, when the client cannot do that:")
        print(f"  server     {door['server']}")
        print(f"  port       {door['port']}")
        print(f"  security   {door['security']}")
        print(f"  user name  {door['user']}")
        print(f"  password   {password}")
    print(f"  sender     {sender}")
