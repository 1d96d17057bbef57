"""`relay queue`: list what waits, and retry, hold, release or cancel it."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from relay.cli.common import (
    EXIT_USAGE,
    ConfigOption,
    JsonOption,
    caller,
    fail,
    load_configuration,
    wake_service,
    with_store,
)
from relay.cli.pauses import with_reasons
from relay.cli.queue_choice import Choice, chosen
from relay.cli.queue_shape import shape, why
from relay.cli.show import LimitOption, ago, delivery_json, print_json, print_table
from relay.cli.story import show_stories, stories
from relay.clock import SystemClock
from relay.config.loader import Configuration
from relay.ids import QueueId
from relay.maillog.store import MailLog
from relay.queue import by_hand
from relay.queue.by_hand import Act, carry_out
from relay.queue.model import State
from relay.queue.operations import SLICE
from relay.queue.rules import waits_of
from relay.queue.selection import ListedDelivery, Selection
from relay.queue.store import QueueStore
from relay.storage.database import Transaction
from relay.storage.spool import SPOOL_NAME, Spool
from relay.storage.sqlite import SqliteDatabase

All = Annotated[bool, typer.Option("--all", help="Everything that the command can apply to.")]
Why = Annotated[str, typer.Option("--because", metavar="TEXT", help="Why, for the mail log.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    group = typer.Typer(
        no_args_is_help=True, help="What waits to be sent: list it, retry, hold, release, cancel it."
    )
    group.command("list")(list_command)
    group.command("show")(show)
    for command in (retry, hold, release, cancel, shape, why):
        group.command()(command)
    app.add_typer(group, name="queue")


@chosen
def list_command(
    context: typer.Context,
    choice: Choice,
    everything: Annotated[bool, typer.Option("--all", help="Also what is final.")] = False,
    limit: LimitOption = 1000,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """List deliveries, oldest first: those that are not final, or those in the states asked for."""
    configuration = load_configuration(context, config)
    wanted = choice.selections(tuple(State) if everything and not choice.states else ())

    async def read(database: SqliteDatabase) -> tuple[list[ListedDelivery], int]:
        store = QueueStore()
        found: list[ListedDelivery] = []
        total = 0
        for selection in wanted:
            total += await database.read(partial(store.count, selection=selection))
            left = limit - len(found)
            if left > 0:
                found += await database.read(partial(store.list, selection=selection, limit=left))
        return found, total

    found, total = with_store(configuration, read)
    if choice.ids and not found:
        fail(_nothing(choice.ids))
    shown = with_reasons(configuration.state_dir, found)
    if json:
        print_json("relay.queue.list/1", [delivery_json(delivery) for delivery in shown])
        return
    print_deliveries(shown)
    if total > len(found):
        typer.echo(f"{len(found)} of {total} shown; -n {total} shows all", err=True)


def show(
    context: typer.Context,
    ids: Annotated[list[str], typer.Argument(metavar="ID", help="Queue ids, or numbers of deliveries.")],
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show messages whole: what was decided, each delivery, and all that happened."""
    configuration = load_configuration(context, config)
    wanted = Choice(ids=ids).selections(tuple(State))

    async def messages(database: SqliteDatabase) -> list[QueueId]:
        store = QueueStore()
        found: list[QueueId] = []
        for selection in wanted:
            listed = await database.read(partial(store.list, selection=selection, limit=SLICE))
            found += [delivery.message for delivery in listed]
        return list(dict.fromkeys(found))

    queue_ids = with_store(configuration, messages)
    if not queue_ids:
        fail(_nothing(ids))
    shown = with_store(configuration, lambda database: stories(database, queue_ids, 1))
    show_stories(shown, configuration.state_dir, "relay.queue.show/1" if json else None)


@chosen
def retry(
    context: typer.Context,
    choice: Choice,
    everything: All = False,
    because: Why = "",
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Make deferred deliveries due now. What is held stays held: see `relay queue release`."""
    act = by_hand.retry(because)
    _change(context, config, json, act, choice, everything)


@chosen
def hold(
    context: typer.Context,
    choice: Choice,
    everything: All = False,
    because: Why = "",
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Keep deliveries from being attempted until they are released; what is being attempted just now goes on."""
    act = by_hand.hold(caller(), because)
    _change(context, config, json, act, choice, everything)


@chosen
def release(
    context: typer.Context,
    choice: Choice,
    everything: All = False,
    because: Why = "",
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Make held deliveries due now."""
    act = by_hand.release(because)
    _change(context, config, json, act, choice, everything)


@chosen
def cancel(
    context: typer.Context,
    choice: Choice,
    everything: All = False,
    because: Why = "",
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Give deliveries up for good, without a report to the sender; what is being attempted just now goes on."""
    act = by_hand.cancel(caller(), because)
    _change(context, config, json, act, choice, everything)


def _change(
    context: typer.Context, config: Path | None, json: bool, act: Act, choice: Choice, everything: bool
) -> None:
    """Carry out a verb slice by slice, each with its events in one transaction, then wake the service."""
    if choice.nothing_said and not everything:
        fail("name queue ids or deliveries, a selector such as --to, or --all", EXIT_USAGE)
    configuration = load_configuration(context, config)
    wanted = choice.selections()

    async def write(database: SqliteDatabase) -> list[ListedDelivery]:
        store = _store(configuration)
        changed: list[ListedDelivery] = []
        for selection in wanted:
            while True:
                some = await database.write(partial(_unit, store=store, selection=selection, act=act))
                changed += some
                if len(some) < SLICE:
                    break
        return changed

    async def known(database: SqliteDatabase) -> int:
        store = QueueStore()
        count = 0
        for selection in wanted:
            anywhere = Selection(ids=selection.ids, message=selection.message, states=tuple(State))
            count += await database.read(partial(store.count, selection=anywhere))
        return count

    changed = with_store(configuration, write)
    if choice.ids and not changed and not with_store(configuration, known):
        fail(_nothing(choice.ids))
    if changed:
        wake_service(configuration, waits=act.due)
    if json:
        print_json(f"relay.queue.{context.info_name}/1", [delivery_json(delivery) for delivery in changed])
        return
    print_deliveries(changed)
    typer.echo(f"{len(changed)} {'delivery' if len(changed) == 1 else 'deliveries'} {act.verb}", err=True)
    if choice.ids and not changed:
        fail("none of them is in a state that allows it; `relay queue show` tells")


def _store(configuration: Configuration) -> QueueStore:
    keeps = configuration.settings.retention.content != "until_done"
    store = QueueStore(Spool(configuration.state_dir / SPOOL_NAME))
    store.use(keep_content=keeps, waits=waits_of(configuration.settings))
    return store


def _unit(tx: Transaction, store: QueueStore, selection: Selection, act: Act) -> list[ListedDelivery]:
    return carry_out(tx, store, MailLog(), selection, act, caller(), SystemClock().now())


def _nothing(ids: Sequence[str]) -> str:
    return f"no such delivery or message: {', '.join(ids)}"


def print_deliveries(deliveries: Sequence[ListedDelivery]) -> None:
    """Print deliveries as a table for people."""
    now = SystemClock().now()
    print_table(
        ("ID", "MESSAGE", "ROLE", "STATE", "TRIES", "AGE", "NEXT", "FROM", "TO", "REASON"),
        [
            (
                delivery.id,
                delivery.message,
                delivery.role,
                delivery.state,
                delivery.attempts,
                ago(delivery.accepted_at, now),
                _next(delivery, now),
                delivery.sender or "<>",
                delivery.target or "-",
                delivery.reason,
            )
            for delivery in deliveries
        ],
    )


def _next(delivery: ListedDelivery, now: int) -> str:
    due = delivery.next_attempt_at
    if due is None:
        return "-"
    return "now" if due <= now else f"in {ago(due, now)}"
