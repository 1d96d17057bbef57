"""`relay records import`: log past mail from files, without sending it."""

import secrets
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from relay.cli.common import (
    EXIT_CONFIG,
    EXIT_USAGE,
    ConfigOption,
    JsonOption,
    fail,
    load_configuration,
    wake_service,
    with_store,
)
from relay.cli.show import Json, print_json, print_table
from relay.cli.user_access import directory
from relay.clock import SystemClock
from relay.config.loader import Configuration
from relay.directory.model import Rep
from relay.errors import StorageConflict
from relay.ids import QueueId, queue_id_of
from relay.maillog.events import LogImported
from relay.maillog.store import MailLog
from relay.policy.rules import Rules, compile_rules
from relay.queue.model import State
from relay.queue.store import QueueStore
from relay.salesforce.importing import Import, imported, mails_in
from relay.salesforce.store import RecordStore
from relay.storage.database import Transaction
from relay.storage.sqlite import SqliteDatabase

_SEQUENCE = 2048
_TRIES = 5
Known = dict[str, tuple[QueueId, State]]


def import_mail(
    context: typer.Context,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", help="Mails (.eml), mailboxes (mbox), folders of them; - reads one."
        ),
    ],
    rep: Annotated[str, typer.Option("--as", metavar="REP", help="The login of the rep who sent them.")],
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Log past mail without sending it: each is recorded once, however often it is imported.

    What is not from the rep, names no recipient or is excluded by the settings is left out, and the reason is told.
    What the relay has recorded already, or is to record, is known and left as it is.
    """
    configuration = load_configuration(context, config)
    if configuration.settings.salesforce is None:
        fail("salesforce: is not in the settings", EXIT_CONFIG)
    reps = directory(configuration)
    person = reps.by_login(rep)
    if person is None:
        fail(f"there is no rep {rep!r}; see `relay user list`", EXIT_USAGE)
    rules = compile_rules(
        configuration.settings, configuration.place, reps.reps(), hostname=configuration.hostname
    )
    items = with_store(
        configuration, partial(_import_all, files=files, rep=person, rules=rules, configuration=configuration)
    )
    wake_service(configuration)
    _show(items, json=json)


async def _import_all(
    database: SqliteDatabase, files: Sequence[Path], rep: Rep, rules: Rules, configuration: Configuration
) -> list[Json]:
    items: list[Json] = []
    known = await database.read(lambda tx: RecordStore().mail_of(tx, rep.login))
    for path in files:
        for file in _files(path):
            for octets in mails_in(_read(file)):
                items.append(await _import_one(database, file, octets, rep, rules, configuration, known))
    return items


def _files(path: Path) -> Iterator[Path]:
    try:
        inside = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
    except OSError as error:
        fail(f"{error.filename or path}: {error.strerror}", EXIT_USAGE)
    yield from inside


def _read(path: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        fail(f"{path}: {error.strerror}", EXIT_USAGE)


async def _import_one(
    database: SqliteDatabase,
    file: Path,
    octets: bytes,
    rep: Rep,
    rules: Rules,
    configuration: Configuration,
    known: Known,
) -> Json:
    item: Json = {"file": str(file), "message": None, "state": "skipped", "reason": ""}
    if len(octets) > configuration.settings.limits.message_size:
        return {**item, "reason": "it is larger than limits.message_size", "message_id": "", "subject": ""}
    for _ in range(_TRIES):
        now = SystemClock().now()
        number = now * _SEQUENCE + secrets.randbelow(_SEQUENCE)
        one = imported(octets, rep, rules, number, now)
        item = {**item, "message_id": one.message_id, "subject": one.subject}
        if one.message is None:
            return {**item, "reason": one.problem}
        if one.message_id in known:
            message, state = known[one.message_id]
            return {**item, "message": message, "state": "known", "reason": f"it is known already: {state}"}
        try:
            await database.write(partial(_keep, one=one, rep=rep, now=now))
        except StorageConflict:  # the service has just given out this very number
            continue
        known[one.message_id] = queue_id_of(number), State.QUEUED
        return {**item, "message": queue_id_of(number), "state": "queued"}
    return {**item, "reason": "the store gave no number for it: try again"}


def _keep(tx: Transaction, one: Import, rep: Rep, now: int) -> None:
    assert one.message is not None
    QueueStore().accept(tx, one.message, one.plan, lease=None)
    event = LogImported(
        at=now,
        message=queue_id_of(one.message.number),
        login=rep.login,
        recipients=tuple(planned.target for planned in one.plan[:-1]),
        message_id=one.message_id,
        subject=one.subject,
    )
    MailLog().append(tx, [event])


def _show(items: Sequence[Json], *, json: bool) -> None:
    if json:
        print_json("relay.records.import/1", items)
        return
    columns = ("FILE", "MESSAGE", "STATE", "SUBJECT", "REASON")
    print_table(columns, [[one[name.lower()] or "-" for name in columns] for one in items])
    queued, known = (sum(one["state"] == state for one in items) for state in ("queued", "known"))
    also = f", {known} known already" if known else ""
    typer.echo(f"{queued} of {len(items)} mails to be recorded{also}", err=True)
