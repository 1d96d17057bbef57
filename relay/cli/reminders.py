"""`relay reminders`: list, add, edit, complete and delete reminders, and bring them in step with Salesforce."""

from collections.abc import Callable
from datetime import date
from typing import Annotated

import typer

from relay.cli.common import EXIT_USAGE, ConfigOption, JsonOption, fail, load_configuration, with_store
from relay.cli.common import wake_service as wake
from relay.cli.reminders_shown import print_reminders, reminder_json, show_one
from relay.cli.reminders_sync import going_by, rep_of, sync, turned
from relay.cli.show import LimitOption, print_json
from relay.clock import SystemClock
from relay.config.loader import Configuration
from relay.directory.model import login_key
from relay.reminders.model import Priority, Reminder, ReminderId, RepKey, State, WithPerson
from relay.reminders.store import KEEP, Edit, NewReminder, ReminderStore, Wanted
from relay.reminders.switches import wanted_sync
from relay.storage.database import Transaction

STORE = ReminderStore()

As = Annotated[str | None, typer.Option("--as", metavar="REP", help="Whose reminders.")]
Number = Annotated[int, typer.Argument(metavar="ID", help="The reminder's number.", min=1)]
Due = Annotated[
    str | None, typer.Option("--due", metavar="DATE", help="The day it is due, such as 2026-11-30.")
]
PriorityOption = Annotated[Priority | None, typer.Option("--priority", help="normal or high.")]
Details = Annotated[str | None, typer.Option("--details", help="What is to be known about it.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    group = typer.Typer(
        no_args_is_help=True, help="Reminders, kept in step with Salesforce Tasks where that is switched on."
    )
    group.command("list")(list_command)
    for command in (add, edit, done, reopen, delete, assign, send, sync):
        group.command()(command)
    app.add_typer(group, name="reminders")


def list_command(
    context: typer.Context,
    rep: As = None,
    everything: Annotated[bool, typer.Option("--all", help="Also what is done.")] = False,
    search: Annotated[str, typer.Option("--search", metavar="TEXT", help="With TEXT in them.")] = "",
    limit: LimitOption = 1000,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """List reminders by due date, those without one last: the open ones, or all."""
    configuration = load_configuration(context, config)
    key = None if rep is None else RepKey(login_key(rep_of(configuration, rep).login))
    wanted = Wanted(key, tuple(State) if everything else (State.OPEN,), text=search)

    def read(tx: Transaction) -> tuple[list[Reminder], int]:
        found: list[Reminder] = []
        while len(found) < limit:
            page = STORE.list(tx, wanted, limit - len(found), len(found))
            found += page
            if not page:
                break
        return found, STORE.count(tx, wanted)

    found, total = with_store(configuration, lambda database: database.read(read))
    logins, on = _reps(configuration)
    if as_json:
        items = [reminder_json(one, logins.get(one.rep, one.rep), on=on.get(one.rep, False)) for one in found]
        print_json("relay.reminders.list/1", items)
        return
    print_reminders(found, logins, on)
    if total > len(found):
        typer.echo(f"{len(found)} of {total} shown; -n {total} shows all", err=True)


def add(
    context: typer.Context,
    title: Annotated[str, typer.Option("--title", help="What is to be done.")],
    rep: Annotated[str, typer.Option("--as", metavar="REP", help="Whose reminder it is.")],
    due: Due = None,
    priority: PriorityOption = None,
    details: Details = None,
    person: Annotated[
        str | None,
        typer.Option("--person", metavar="ID", help="The contact or lead it is about (003… or 00Q…)."),
    ] = None,
    kind: Annotated[str, typer.Option("--type", help="Email, Call, InMail or Custom.")] = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Enter a reminder; Salesforce is told at once where the rep's are kept in step."""
    configuration = load_configuration(context, config)
    whose = rep_of(configuration, rep)
    new = NewReminder(
        rep=RepKey(login_key(whose.login)),
        title=title,
        details=details or "",
        due=_day(due),
        priority=priority or Priority.NORMAL,
        person=WithPerson(_person(person)),
        kind=kind,
    )
    _change(
        context,
        configuration,
        as_json,
        lambda tx, now: STORE.add(tx, new, on=turned(tx, configuration, new.rep, now), now=now),
    )


def edit(
    context: typer.Context,
    which: Number,
    title: Annotated[str | None, typer.Option("--title", help="What is to be done.")] = None,
    due: Annotated[
        str | None, typer.Option("--due", metavar="DATE", help="The day it is due; none: no day.")
    ] = None,
    priority: PriorityOption = None,
    details: Details = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Change what is named of a reminder."""
    configuration = load_configuration(context, config)
    wanted = Edit(title, details, KEEP if due is None else _day(due), priority)
    _change(context, configuration, as_json, lambda tx, now: STORE.edit(tx, ReminderId(which), wanted, now))


def done(
    context: typer.Context, which: Number, as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Complete a reminder."""
    configuration = load_configuration(context, config)
    _change(context, configuration, as_json, lambda tx, now: STORE.done(tx, ReminderId(which), now))


def reopen(
    context: typer.Context, which: Number, as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Open a completed reminder again."""
    configuration = load_configuration(context, config)
    _change(context, configuration, as_json, lambda tx, now: STORE.reopen(tx, ReminderId(which), now))


def delete(
    context: typer.Context, which: Number, as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Delete a reminder, in Salesforce too where it is kept in step."""
    configuration = load_configuration(context, config)
    _change(context, configuration, as_json, lambda tx, now: STORE.delete(tx, ReminderId(which), now))


def assign(
    context: typer.Context,
    which: Number,
    to: Annotated[str, typer.Option("--to", metavar="REP", help="The teammate who is to do it.")],
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Give a reminder to a teammate, in Salesforce too where it is kept in step."""
    configuration = load_configuration(context, config)
    mate = RepKey(login_key(rep_of(configuration, to).login))
    _change(context, configuration, as_json, lambda tx, now: STORE.assign(tx, ReminderId(which), mate, now))


def send(
    context: typer.Context, which: Number, as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Make a reminder in Salesforce that stood here before, or try again what Salesforce refused."""
    configuration = load_configuration(context, config)

    def unit(tx: Transaction, now: int) -> Reminder:
        held = STORE.get(tx, ReminderId(which))
        if not turned(tx, configuration, held.rep, now):
            fail("this rep's reminders are not kept in step with Salesforce")
        return STORE.send(tx, held.id, now)

    _change(context, configuration, as_json, unit)


def _change(
    context: typer.Context,
    configuration: Configuration,
    as_json: bool,
    unit: Callable[[Transaction, int], Reminder],
) -> None:
    """Carry a change out, tell a running service of it, and show what it came to."""

    def work(tx: Transaction) -> tuple[Reminder, bool]:
        now = SystemClock().now()
        changed = unit(tx, now)
        return changed, turned(tx, configuration, changed.rep, now)

    changed, on = with_store(configuration, lambda database: database.write(work))
    wake(configuration)
    logins, _ = _reps(configuration)
    show_one(
        str(context.info_name), reminder_json(changed, logins.get(changed.rep, changed.rep), on=on), as_json
    )


def _reps(configuration: Configuration) -> tuple[dict[str, str], dict[str, bool]]:
    """Give the login of every rep, and whether the rep's reminders are kept in step, by the login's compared form."""
    merged, reps = with_store(
        configuration, lambda database: database.read(lambda tx: going_by(tx, configuration))
    )
    logins = {login_key(rep.login): str(rep.login) for rep in reps.reps()}
    return logins, {login_key(rep.login): wanted_sync(merged.settings, rep) for rep in reps.reps()}


def _day(text: str | None) -> date | None:
    if text is None or text in ("", "none"):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        fail(f"{text!r} is not a day; write it as 2026-11-30", EXIT_USAGE)


def _person(text: str | None) -> str | None:
    if text is None or (text[:3] in ("003", "00Q") and text.isalnum() and len(text) in (15, 18)):
        return text
    fail(f"{text!r} is not the id of a contact (003…) or lead (00Q…)", EXIT_USAGE)
