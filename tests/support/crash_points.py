"""Where the relay can be made to kill itself: each numbered crash point of docs/queue.md, and ways to hit it.

The keys are the numbers, with a letter where there are several ways. See tests.support.crashing.
"""

import functools
import os
from typing import Any

from tests.support.crash_disk import DISKS, CrashingDisk
from tests.support.crashing import (
    Seen,
    after,
    after_await,
    at,
    before,
    die,
    hold,
    is_victim,
    of_victim,
)

# --- at the door


@at("1a")
def _after_ehlo() -> None:
    from relay.submission import protocol

    after(protocol, "carry_out", lambda _, line: line.startswith(b"EHLO victim"))


@at("1b")
def _after_rcpt() -> None:
    from relay.submission import protocol

    after(protocol, "carry_out", lambda _, line: line.startswith(b"RCPT TO:<victim"))


@at("2")
def _in_small_content() -> None:
    from relay.submission.data import Content

    after(Content, "add", lambda _, piece, __: b"Subject: victim" in piece)


@at("3")
def _in_large_content() -> None:
    from relay.storage.spool import SpoolFile

    after(SpoolFile, "write", lambda self, _: self.name in Seen.files)


@at("4a")
def _before_the_flush() -> None:
    from relay.storage.spool import SpoolFile

    before(SpoolFile, "sync", lambda self: self.name in Seen.files)


@at("4b")
def _in_the_flush() -> None:
    from relay.storage.spool import SpoolFile

    before(SpoolFile, "_flush", lambda self, _: self.name in Seen.files)


@at("5")
def _before_the_unit() -> None:
    from relay.queue.runner import Runner

    before(Runner, "take", lambda _, message, *__: is_victim(message))


# --- in the store

_STATEMENTS = {
    "6a": ("accepting", "INSERT INTO message"),
    "6b": ("accepting", "INSERT INTO delivery"),
    "6c": ("accepting", "INSERT INTO content"),
    "6d": ("accepting", "INSERT INTO event"),
    "14a": ("settling", "UPDATE delivery"),
    "14b": ("settling", "INSERT INTO message"),
    "14c": ("settling", "UPDATE message SET closed_at"),
    "14d": ("settling", "DELETE FROM content"),
    "14e": ("settling", "INSERT INTO event"),
}
"""In which unit of the victim, after which statement."""


def _after_a_statement(unit: str, sql: str) -> None:
    from relay.storage.connection import SqliteTransaction

    def reached(_: Any, text: str, *__: Any) -> bool:
        return getattr(Seen, unit) is True and text.split()[: len(sql.split())] == sql.split()

    after(SqliteTransaction, "execute", reached)
    after(SqliteTransaction, "execute_many", reached)


for _point, (_unit, _sql) in _STATEMENTS.items():
    at(_point)(functools.partial(_after_a_statement, _unit, _sql))


def _before_the_commit(unit: str) -> None:
    from relay.storage import sqlite

    after(sqlite._Writer, "_run_together", lambda *_: getattr(Seen, unit))


at("6e")(functools.partial(_before_the_commit, "accepting"))
at("14f")(functools.partial(_before_the_commit, "settling"))

for _point, _disk in {
    "7a": ("accepting", True, False),
    "7b": ("accepting", False, False),
    "7c": ("accepting", False, True),
    "14g": ("settling", True, False),
    "14h": ("settling", False, False),
}.items():

    def _install(unit: str, torn: bool, flushed: bool) -> None:
        DISKS.append(CrashingDisk(unit, torn=torn, flushed=flushed))

    at(_point)(functools.partial(_install, *_disk))


@at("8a")
def _after_the_commit() -> None:
    from relay.storage import sqlite

    after(sqlite._Writer, "_commit", lambda *_: Seen.accepting)


@at("8b")
def _before_the_answer() -> None:
    from relay.queue import intake

    take = intake.Intake.take

    def patched(self: Any, message: Any, plan: Any, events: Any, stored: Any) -> None:
        if is_victim(message):
            Seen.stored = stored
        take(self, message, plan, events, stored)

    intake.Intake.take = patched  # type: ignore[method-assign]
    before(intake, "_tell", lambda stored, _: stored is Seen.stored)


@at("9")
def _after_the_answer() -> None:
    from relay.delivery.courier import SmtpCourier
    from relay.submission.protocol import SubmissionProtocol

    flush = SubmissionProtocol._flush

    def patched(self: Any) -> None:
        told = bool(Seen.id) and any(Seen.id.encode() in each for each in self._out)
        flush(self)
        if told:
            die()

    SubmissionProtocol._flush = patched  # type: ignore[method-assign]
    hold(SmtpCourier, "attempt", _batch)  # which begins at once, beside the answer: that is point 10


# --- on the way to the hop


def _batch(_: Any, batches: Any) -> bool:
    return any(str(each.message.id) == Seen.id for each in batches)


@at("10a")
def _before_routing() -> None:
    from relay.delivery.courier import SmtpCourier

    before(SmtpCourier, "attempt", _batch)


@at("10b")
def _connecting() -> None:
    from relay.delivery import courier

    before(courier, "open_connection", lambda hop, *_: hop.route == "other")


@at("10c")
def _after_mail() -> None:
    from relay.delivery.connection import Connection

    def begins_victim(self: Any, data: bytes) -> bool:
        # Its commands may also leave behind a RSET, or behind the final dot of the mail before it.
        transactions = (self._current, self._following)
        return any(of_victim(each) and each.prepared.mail in data for each in transactions)

    after(Connection, "_write", begins_victim)


@at("10d")
def _after_rcpt_was_answered() -> None:
    from relay.delivery.connection import Connection

    after(Connection, "_rcpt_answered", lambda _, transaction, *__: of_victim(transaction))


@at("10e")
def _after_data_was_answered() -> None:
    from relay.delivery.connection import Connection

    before(Connection, "_data_answered", lambda _, transaction, __: of_victim(transaction))


@at("10f")
def _in_the_content() -> None:
    from relay.delivery.connection import Connection

    def reached(self: Any) -> bool:
        Seen.writes += of_victim(self._current) and self._streamer is not None
        return Seen.writes == 1

    before(Connection, "_got_on", reached)


@at("11")
def _after_a_claim() -> None:
    from relay.queue.attempts import Attempts

    before(Attempts, "begin", lambda _, claimed, *__: Seen.claimed and str(claimed.message.id) == Seen.id)


@at("12")
def _before_the_reply_is_read() -> None:
    from relay.delivery.connection import Connection
    from relay.delivery.happening import Stage

    before(
        Connection,
        "data_received",
        lambda self, _: of_victim(self._current) and bool(self._due) and self._due[0][0] is Stage.END,
    )


@at("13a")
def _after_the_reply() -> None:
    from relay.delivery.connection import Connection

    before(Connection, "_end_answered", lambda _, transaction, __: of_victim(transaction))


@at("13b")
def _before_settling() -> None:
    from relay.queue.settler import Settler

    before(Settler, "settle", lambda _, message, *__: str(message.id) == Seen.id)


# --- after the settlement


def _nobody_begins_with_the_report() -> None:
    """Keep the report from being sent before the crash: its claim may share the settlement's commit."""
    from relay.delivery.courier import SmtpCourier

    hold(
        SmtpCourier,
        "attempt",
        lambda _, batches: any(str(each.message.id) == Seen.report for each in batches),
    )


@at("15")
def _before_the_log_lines() -> None:
    from relay.storage import sqlite

    _nobody_begins_with_the_report()
    before(sqlite, "_run_action", lambda *_: Seen.settling)


@at("16")
def _before_the_spool_file_goes() -> None:
    from relay.storage.spool import Spool

    _nobody_begins_with_the_report()
    before(Spool, "remove", lambda _, name: name in Seen.files)


@at("17")
def _after_the_report_was_stored() -> None:
    from relay.queue import settler

    _nobody_begins_with_the_report()
    before(settler, "measure", lambda _, __, stored, *___: any(str(one.message) == Seen.id for one in stored))


@at("13c")
def _after_the_reply_to_the_report() -> None:
    from relay.delivery.connection import Connection

    before(
        Connection,
        "_end_answered",
        lambda _, one, __: bool(Seen.report) and str(one.message.id) == Seen.report,
    )


@at("18")
def _between_two_hops() -> None:
    from relay.delivery.courier import SmtpCourier
    from relay.queue.settler import Settler

    def other(_: Any, batches: Any) -> bool:
        return any(one.target.endswith("@other.example") for each in batches for one in each.deliveries)

    hold(SmtpCourier, "attempt", other)
    _nobody_begins_with_the_report()
    after_await(Settler, "settle", lambda _, message, *__: str(message.id) == Seen.id)


# --- without a victim


@at("19")
def _between_slices() -> None:
    from relay.storage.sqlite import SqliteDatabase

    after_await(SqliteDatabase, "write", lambda *_: True)


@at("20a")
def _in_the_sweep() -> None:
    from relay.storage import spool

    def second(*_: Any) -> bool:
        Seen.writes += 1
        return Seen.writes == 2

    before(spool, "_age_passed", second)


@at("20b")
def _in_the_purge() -> None:
    from relay.maillog.store import MailLog

    after(MailLog, "purge", lambda *_: True)


@at("21")
def _in_a_migration() -> None:
    from relay.storage import migrate, sqlite

    steps = [
        *migrate.migrations(),
        migrate.Migration(
            999, 999, "CREATE TABLE to_come (a TEXT) STRICT; ALTER TABLE message ADD COLUMN to_come TEXT"
        ),
    ]
    vars(sqlite)["migrations"] = lambda: steps
    after(migrate, "_apply", lambda *_: True)


@at("22")
def _in_a_backup() -> None:
    from relay.storage import backup

    after(backup, "_add", lambda *_: True)


@at("23a")
def _in_a_restore() -> None:
    from relay.queue import restoring

    after(restoring, "unpack", lambda *_, **__: True)


@at("23b")
def _in_the_last_moves_of_a_restore() -> None:
    from relay.queue import restoring

    def moved(folder: Any) -> bool:
        return (folder / "spool").exists() and not (folder / "relay.db").exists()

    after(restoring, "sync_folder", moved)


@at("24")
def _in_a_reload() -> None:
    from relay.server import Service

    before(Service, "_use", lambda *_: True)


@at("25")
def _in_a_stop() -> None:
    from relay.delivery.courier import SmtpCourier
    from relay.queue.attempts import Attempts

    hold(SmtpCourier, "attempt", _batch)
    before(Attempts, "stop", lambda *_: True)


@at("26")
def _in_the_making_of_a_key() -> None:
    before(os, "fsync", lambda *_: True)


# --- recording


def _of_victim(items: Any) -> bool:
    return any(str(each.batch.message.id) == Seen.id for each in items)


@at("27")
def _after_the_release() -> None:
    from relay.delivery_kind import Transport
    from relay.queue.store import QueueStore

    before(
        QueueStore,
        "claim",
        lambda _, __, transport, *___: transport is Transport.SALESFORCE and Seen.settling,
    )


@at("28")
def _before_anything_is_intended() -> None:
    from relay.salesforce.making import Maker

    before(Maker, "_intend", lambda self: _of_victim(self._works))


@at("29")
def _before_the_creation() -> None:
    from relay.salesforce.making import Maker

    before(Maker, "_create", lambda self, *_: _of_victim(self._works))


@at("30a")
def _after_the_creation_was_sent() -> None:
    from relay.salesforce.client import SalesforceClient

    after_await(SalesforceClient, "composite", lambda _, __, requests, **___: requests[0].method == "POST")


@at("30b")
def _before_it_is_stored_as_made() -> None:
    from relay.salesforce.making import Maker

    before(Maker, "_store_made", lambda self: _of_victim(self._works))


@at("31a")
def _before_a_file_is_sent() -> None:
    from relay.salesforce import making

    before(making, "upload", lambda *_: True)


@at("31b")
def _after_a_file_was_sent() -> None:
    from relay.salesforce import making

    after_await(making, "upload", lambda *_: True)


@at("32")
def _before_a_record_is_settled() -> None:
    from relay.delivery_kind import Transport
    from relay.queue.settler import Settler

    before(
        Settler,
        "settle",
        lambda _, message, deliveries, *__: (
            str(message.id) == Seen.id and deliveries[0].transport is Transport.SALESFORCE
        ),
    )


@at("33")
def _before_an_undone_record_is_deleted() -> None:
    from relay.salesforce.amending import Amending

    before(Amending, "_delete", lambda *_: True)
