"""`relay log`: the mail log, filtered, and followed while it grows."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Annotated

import typer

from relay.cli.common import EXIT_USAGE, ConfigOption, JsonOption, fail, load_configuration, with_store
from relay.cli.pauses import pause_lines, pauses_of
from relay.cli.show import event_json, print_json, print_line, read_since
from relay.cli.story import event_line
from relay.clock import SystemClock
from relay.errors import RelayError
from relay.ids import Login, QueueId, number_of, queue_id_of
from relay.log_lines import Discretion, TextLines
from relay.maillog.reference import all_events
from relay.maillog.store import EventFilter, LoggedEvent, MailLog
from relay.storage.sqlite import SqliteDatabase

_LOOK_EVERY = 0.5
_PAGE = 1000


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(log)


def log(
    context: typer.Context,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="From then on: a span such as 2h, or a time (UTC).")
    ] = None,
    user: Annotated[str | None, typer.Option(metavar="LOGIN", help="Of this rep.")] = None,
    event: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Of this kind: delivery.sent, or delivery. for all of them."),
    ] = None,
    message: Annotated[
        str | None, typer.Option(metavar="ID", help="Of the message with this queue id.")
    ] = None,
    address: Annotated[
        str | None, typer.Option(metavar="TEXT", help="That name this address, or a part of it.")
    ] = None,
    lines: Annotated[int, typer.Option("-n", "--lines", min=0, max=100_000, help="The last so many.")] = 100,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on showing what happens, until Ctrl-C.")
    ] = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Print one JSON object a line.")] = False,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show what happened, oldest first. With --json and --follow, one JSON object a line."""
    configuration = load_configuration(context, config)
    wanted = EventFilter(
        since=None if since is None else read_since(since, SystemClock().now()),
        names=_known(event or ()),
        message=None if message is None else _queue_id(message),
        login=None if user is None else Login(user),
        text=address,
    )
    printer = _Printer(as_lines=jsonl or (json and follow))

    async def run(database: SqliteDatabase) -> None:
        mail_log = MailLog()
        found = await database.read(lambda tx: mail_log.latest(tx, wanted, lines)) if lines else []
        if json and not (follow or jsonl):
            print_json("relay.log/1", [event_json(one) for one in found])
            return
        printer.show(found)
        for line in pause_lines(pauses_of(configuration.state_dir) or ()):
            typer.echo(line, err=True)  # an absence is no event of each message that waits for its end
        if follow:
            await _follow(database, mail_log, wanted, found, printer)

    try:
        with_store(configuration, run)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


class _Printer:
    """Prints events, for people or for programs."""

    def __init__(self, *, as_lines: bool) -> None:
        self._as_lines = as_lines
        self._text = TextLines(Discretion(subjects="full"))

    def show(self, events: Sequence[LoggedEvent]) -> None:
        for event in events:
            if self._as_lines:
                print_line(event_json(event))
            else:
                print(event_line(self._text, event), flush=True)


async def _follow(
    database: SqliteDatabase,
    mail_log: MailLog,
    wanted: EventFilter,
    shown: Sequence[LoggedEvent],
    printer: _Printer,
) -> None:
    """Look for what is new until the command is interrupted; another process writes it, so nothing can wake us."""
    last = shown[-1].id if shown else await _newest(database, mail_log)
    while True:
        new = await database.read(partial(mail_log.select, filter=wanted, after_id=last, limit=_PAGE))
        printer.show(new)
        if new:
            last = new[-1].id
        if len(new) < _PAGE:
            await asyncio.sleep(_LOOK_EVERY)


async def _newest(database: SqliteDatabase, mail_log: MailLog) -> int:
    newest = await database.read(lambda tx: mail_log.latest(tx, EventFilter(), 1))
    return newest[-1].id if newest else 0


def _known(names: Sequence[str]) -> tuple[str, ...]:
    """Take names of events, or the beginnings of some: what is asked for and cannot be must not look like peace."""
    known = [kind.name for kind in all_events()]
    for name in names:
        if name not in known and not (name.endswith(".") and any(one.startswith(name) for one in known)):
            near = [one for one in known if name and name in one] or known
            fail(f"there is no event {name!r}; there are {', '.join(near)}", EXIT_USAGE)
    return tuple(names)


def _queue_id(text: str) -> QueueId:
    try:
        return queue_id_of(number_of(text))
    except RelayError as error:
        fail(str(error), EXIT_USAGE)
