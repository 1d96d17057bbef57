"""How `relay reminders` shows reminders: as JSON for programs, as a table for people."""

from collections.abc import Mapping, Sequence

import typer

from relay.cli.show import Json, instant, print_json, print_table, safe
from relay.reminders.model import Reminder


def reminder_json(one: Reminder, login: str, *, on: bool) -> Json:
    """Give a reminder as `--json` shows it; `on`: its rep's are kept in step."""
    person = one.person
    return {
        "id": one.id,
        "rep": login,
        "title": one.values.title,
        "details": one.values.details,
        "due": None if one.values.due is None else one.values.due.isoformat(),
        "priority": one.values.priority,
        "state": one.values.state,
        "salesforce_id": one.salesforce_id,
        "person": person.id,
        "person_name": person.name,
        "origin": one.origin,
        "sync": one.sync(on),
        "reason": one.reason,
        "type": one.kind,
        "message": one.message,
        "created_at": instant(one.created_at),
        "changed_at": instant(one.changed_at),
    }


def show_one(command: str, shown: Json, as_json: bool) -> None:
    """Show the reminder that a command changed."""
    if as_json:
        print_json(f"relay.reminders.{command}/1", [shown], **shown)
        return
    if command == "delete":
        typer.echo(f"{shown['id']}: {safe(str(shown['title']))} (deleted)")
        return
    due = f", due {shown['due']}" if shown["due"] else ""
    typer.echo(
        f"{shown['id']}: {safe(str(shown['title']))} ({shown['state']}{due}; Salesforce: {shown['sync']})"
    )


def print_reminders(found: Sequence[Reminder], logins: Mapping[str, str], on: Mapping[str, bool]) -> None:
    """Print reminders as a table for people."""
    print_table(
        ("ID", "REP", "DUE", "PRIORITY", "STATE", "SALESFORCE", "PERSON", "TITLE"),
        [
            (
                one.id,
                logins.get(one.rep, one.rep),
                one.values.due or "-",
                one.values.priority,
                one.values.state,
                one.sync(on.get(one.rep, False)),
                one.person.name or one.person.id or "-",
                one.values.title,
            )
            for one in found
        ],
    )
