"""`relay records`: the records in Salesforce - list them, try again, skip, relate, undo, and log past mail."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from relay.cli.common import (
    EXIT_CONFIG,
    EXIT_USAGE,
    ConfigOption,
    JsonOption,
    caller,
    fail,
    load_configuration,
    open_store,
    wake_service,
    with_store,
)
from relay.cli.queue_choice import Choice, chosen
from relay.cli.records_import import import_mail
from relay.cli.records_shown import (
    Shown,
    is_undone,
    nothing_to_undo,
    print_items,
    print_whole,
    shown,
    with_reasons,
)
from relay.cli.show import LimitOption, safe
from relay.clock import SystemClock
from relay.config.loader import Configuration
from relay.delivery_kind import Role
from relay.directory.model import Directory
from relay.directory.store import DirectoryStore
from relay.errors import RelayError
from relay.ids import DeliveryId
from relay.maillog.store import MailLog
from relay.queue import by_hand
from relay.queue.by_hand import Act, carry_out
from relay.queue.model import State
from relay.queue.operations import SLICE
from relay.queue.rules import waits_of
from relay.queue.selection import ListedDelivery, Selection
from relay.queue.store import QueueStore
from relay.salesforce.amending import Amended, Amending
from relay.salesforce.opening import open_client
from relay.salesforce.record_rows import RecordRow
from relay.salesforce.store import RecordStore
from relay.storage.database import Transaction
from relay.storage.spool import SPOOL_NAME, Spool
from relay.storage.sqlite import SqliteDatabase

All = Annotated[bool, typer.Option("--all", help="Everything that the command can apply to.")]
Why = Annotated[str, typer.Option("--because", metavar="TEXT", help="Why, for the mail log.")]
Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="Queue ids, or numbers of deliveries.")]


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    group = typer.Typer(
        no_args_is_help=True,
        help="Records in Salesforce: list them, try again, skip, relate or undo them, log past mail.",
    )
    group.command("list")(list_command)
    for command in (show, retry, skip, relate, undo):
        group.command()(command)
    group.command("import")(import_mail)
    app.add_typer(group, name="records")


def _selections(choice: Choice, states: tuple[State, ...] = ()) -> list[Selection]:
    return [replace(one, role=Role.RECORD) for one in choice.selections(states)]


@chosen
def list_command(
    context: typer.Context,
    choice: Choice,
    everything: Annotated[bool, typer.Option("--all", help="Also what is final.")] = False,
    limit: LimitOption = 1000,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """List records, oldest first: those that are not final, or those in the states asked for."""
    configuration = load_configuration(context, config)
    final = everything or bool(choice.ids)
    wanted = _selections(choice, tuple(State) if final and not choice.states else ())

    async def read(database: SqliteDatabase) -> list[Shown]:
        return await database.read(lambda tx: shown(tx, _listed(tx, wanted, limit)))

    found = with_store(configuration, read)
    if choice.ids and not found:
        fail(_nothing(choice.ids))
    print_items("relay.records.list/1", with_reasons(configuration.state_dir, found), json=json)
    if not (found or final or choice.states or json):
        typer.echo("nothing is open; --all shows what is final, too", err=True)


def _listed(tx: Transaction, wanted: Sequence[Selection], limit: int) -> list[ListedDelivery]:
    found: list[ListedDelivery] = []
    for selection in wanted:
        if (left := limit - len(found)) > 0:
            found += QueueStore().list(tx, selection, left)
    return found


def show(context: typer.Context, ids: Ids, json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show records whole: on whom they stand and why, and what went wrong."""
    configuration = load_configuration(context, config)
    found = with_reasons(configuration.state_dir, _found(configuration, ids))
    if json:
        print_items("relay.records.show/1", found, json=True)
        return
    print_whole(found)


def _found(configuration: Configuration, ids: list[str]) -> list[Shown]:
    wanted = _selections(Choice(ids=ids), tuple(State))

    async def read(database: SqliteDatabase) -> list[Shown]:
        return await database.read(lambda tx: shown(tx, _listed(tx, wanted, SLICE)))

    found = with_store(configuration, read)
    if not found:
        fail(_nothing(ids))
    return found


@chosen
def retry(
    context: typer.Context,
    choice: Choice,
    everything: All = False,
    because: Why = "",
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Make records due now: what was put off and what is held; a pause of Salesforce's is tried again, too."""
    _change(context, config, json, (by_hand.retry(because), by_hand.release(because)), choice, everything)


@chosen
def skip(
    context: typer.Context,
    choice: Choice,
    everything: All = False,
    because: Why = "",
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Decide that mail is not recorded; the mail itself goes on."""
    why = because or f"skipped by {caller()}"
    act = Act("skipped", lambda store, tx, some, now: store.skip(tx, some, why), because, ends=True)
    _change(context, config, json, (act,), choice, everything)


def _change(
    context: typer.Context,
    config: Path | None,
    json: bool,
    acts: Sequence[Act],
    choice: Choice,
    everything: bool,
) -> None:
    """Carry out verbs slice by slice, each with its events in one transaction, then wake the service."""
    if choice.nothing_said and not everything:
        fail("name queue ids or deliveries, a selector such as --to, or --all", EXIT_USAGE)
    configuration = load_configuration(context, config)
    changed = with_store(
        configuration, lambda database: _carried_out(database, configuration, acts, _selections(choice))
    )
    if choice.ids and not changed:
        _found(configuration, choice.ids)  # exits when there is no such record
    wake_service(configuration, waits=bool(changed) and any(act.due for act in acts))
    print_items(f"relay.records.{context.info_name}/1", changed, json=json)
    if not json:
        typer.echo(f"{len(changed)} {'record' if len(changed) == 1 else 'records'} changed", err=True)
    if choice.ids and not changed:
        fail("none of them is in a state that allows it; `relay records show` tells")


async def _carried_out(
    database: SqliteDatabase,
    configuration: Configuration,
    acts: Sequence[Act],
    selections: Sequence[Selection],
) -> list[Shown]:
    store = _store(configuration)
    changed: dict[DeliveryId, ListedDelivery] = {}
    for act in acts:
        for selection in selections:
            while True:
                some = await database.write(partial(_unit, store=store, selection=selection, act=act))
                changed.update({one.id: one for one in some})
                if len(some) < SLICE:
                    break
    return await database.read(lambda tx: shown(tx, list(changed.values())))


def _unit(tx: Transaction, store: QueueStore, selection: Selection, act: Act) -> list[ListedDelivery]:
    return carry_out(tx, store, MailLog(), selection, act, caller(), SystemClock().now())


def _store(configuration: Configuration) -> QueueStore:
    store = QueueStore(Spool(configuration.state_dir / SPOOL_NAME))
    keeps = configuration.settings.retention.content != "until_done"
    store.use(keep_content=keeps, waits=waits_of(configuration.settings))
    return store


def relate(
    context: typer.Context,
    delivery: Annotated[str, typer.Argument(metavar="ID", help="A queue id, or the number of a delivery.")],
    records: Annotated[
        list[str], typer.Argument(metavar="RECORD...", help="Ids of Salesforce: contact, lead, opportunity…")
    ],
    because: Why = "",
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Have mail stand on these records: one that waits is recorded on them now, one that is there is changed."""
    configuration = load_configuration(context, config)
    if bad := [one for one in records if len(one) not in (15, 18) or not one.isalnum()]:
        fail(f"not an id of Salesforce: {', '.join(bad)}", EXIT_USAGE)
    (one, *_) = _found(configuration, [delivery])
    if is_undone(one):
        fail("it is undone, and what was taken back is not made again")
    if one.delivery.state is State.SENT:
        _amend(context, configuration, [one], json, lambda means, rows: means.relate(rows, records), because)
        return
    if one.delivery.state not in (State.HELD, State.DEFERRED, State.QUEUED, State.WAITING):
        fail(f"its record is {one.delivery.state}: {one.delivery.reason}")

    async def name(database: SqliteDatabase) -> None:
        listed, now = one.delivery, SystemClock().now()
        await database.write(
            lambda tx: RecordStore().name(tx, listed.id, listed.message, listed.login, records, now)
        )

    with_store(configuration, name)
    _change_one(context, configuration, one, because, json)


def _change_one(
    context: typer.Context, configuration: Configuration, one: Shown, because: str, json: bool
) -> None:
    selection = Selection(ids=(one.delivery.id,))
    acts = (by_hand.retry(because), by_hand.release(because))
    with_store(configuration, lambda database: _carried_out(database, configuration, acts, [selection]))
    wake_service(configuration, waits=True)
    after = _found(configuration, [str(one.delivery.id)])
    print_items(f"relay.records.{context.info_name}/1", after, json=json)


def undo(
    context: typer.Context, ids: Ids, because: Why = "", json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Take records back: what was not made yet is cancelled, what the relay made is deleted; neither is made again."""
    configuration = load_configuration(context, config)
    found = _found(configuration, ids)
    if active := [one.delivery.message for one in found if one.delivery.state is State.ACTIVE]:
        fail(f"it is being recorded just now, try again in a moment: {', '.join(active)}", 75)
    waiting = tuple(one.delivery.id for one in found if one.delivery.state is not State.SENT)
    if waiting:
        act = by_hand.cancel(caller(), because or f"undone by {caller()}")
        one = [Selection(ids=waiting)]
        with_store(configuration, lambda database: _carried_out(database, configuration, (act,), one))
    _amend(context, configuration, found, json, lambda means, rows: means.undo(rows), because)
    for each in found:
        if why := nothing_to_undo(each):
            typer.echo(f"{each.delivery.message}: {why}", err=True)


def _directory(tx: Transaction, configuration: Configuration) -> Directory:
    return DirectoryStore().snapshot(tx, configuration.settings, configuration.place)


def _amend(
    context: typer.Context,
    configuration: Configuration,
    found: Sequence[Shown],
    json: bool,
    do: Callable[[Amending, Sequence[RecordRow]], Awaitable[list[Amended]]],
    because: str,
) -> None:
    """Change records in Salesforce, and tell what became of each."""
    results: list[Amended] = []

    async def whole() -> list[Shown]:
        async with open_store(configuration) as database:
            ids = [one.delivery.id for one in found]
            rows = await database.read(lambda tx: RecordStore().of_deliveries(tx, ids))
            some = [row for each in rows.values() for row in each]
            if some:
                if configuration.settings.salesforce is None:
                    fail("salesforce: is not in the settings", EXIT_CONFIG)
                clock = SystemClock()
                directory = await database.read(partial(_directory, configuration=configuration))
                client = open_client(configuration, clock, database=database, reps=directory.reps())
                try:
                    means = Amending(database, client, clock, caller(), because)
                    results.extend(await do(means, some))
                finally:
                    await client.close()
            same = [Selection(ids=tuple(ids), states=tuple(State))]
            return await database.read(lambda tx: shown(tx, _listed(tx, same, SLICE)))

    try:
        after = asyncio.run(whole())
    except RelayError as error:
        fail(str(error))
    print_items(f"relay.records.{context.info_name}/1", after, json=json)
    failed = [one for one in results if one.fault is not None]
    for one in failed:
        assert one.fault is not None
        typer.echo(f"{one.row.salesforce_id}: {safe(f'{one.fault.code}: {one.fault.message}')}", err=True)
    if failed:
        raise typer.Exit(1)


def _nothing(ids: Sequence[str]) -> str:
    return f"no such record: {', '.join(ids)}"
