"""Write a database of the current schema, with a little of everything in it, as SQL: kept for each schema version.

`python -m tests.support.dump` writes tests/store/schemas/NNNN.sql. A version that was released is never written anew.
"""

import asyncio
import io
import tempfile
from pathlib import Path

import apsw
import apsw.shell

from relay.maillog.events import MessageClosed
from relay.maillog.store import MailLog
from relay.queue.model import Change, State
from relay.queue.store import QueueStore, Selection
from relay.storage.database import Transaction
from relay.storage.migrate import migrations
from relay.storage.sqlite import SqliteDatabase
from relay.web.store import PageStore, Session
from tests.support.builders import NOW, lease, log_copy, new_message, record, to_recipient
from tests.support.clock import FakeClock

SCHEMAS = Path(__file__).parents[1] / "store" / "schemas"


def fill(tx: Transaction) -> None:
    """Put in a message of each kind: waiting, under way, deferred, held, in the spool, and closed."""
    store, mail_log = QueueStore(clock=FakeClock()), MailLog()
    store.accept(tx, new_message(number=1), [to_recipient(), log_copy(), record()], lease=None)
    store.accept(
        tx, new_message(number=2, spool_name="0" * 32, skips=((5, 9),)), [to_recipient()], lease=None
    )
    for number, state in enumerate((State.ACTIVE, State.DEFERRED, State.HELD, State.SENT), 3):
        (given,) = store.accept(tx, new_message(number=number), [to_recipient()], lease=lease(until=NOW))
        if state is not State.ACTIVE:
            due = NOW if state is State.DEFERRED else None
            store.settle(tx, given.message, [Change(given.id, 1, state, due, "because")])
    store.hold(tx, Selection(transport=None, ids=()), "by hand", 1)
    PageStore().begin_session(tx, Session("0" * 64, "ana", "password", "", "", NOW, NOW, NOW + 1, ""))
    mail_log.append(
        tx, [MessageClosed(at=NOW, message=given.message, login="ana", sent=1, failed=0, logged="none", seconds=1.0)]
    )  # fmt: skip


async def dump(path: Path) -> str:
    """Make the database in `path` and give it as SQL."""
    database = await SqliteDatabase.open(path, create=True)
    await database.write(fill)
    await database.close()
    connection = apsw.Connection(str(path))
    out = io.StringIO()
    apsw.shell.Shell(db=connection, stdout=out).process_command(".dump")  # type: ignore[no-untyped-call]
    connection.close()
    lines = (line for line in out.getvalue().splitlines() if not line.startswith("--"))
    return "\n".join(line for line in lines if line.strip()) + "\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        SCHEMAS.mkdir(exist_ok=True)
        target = SCHEMAS / f"{migrations()[-1].version:04d}.sql"
        target.write_text(asyncio.run(dump(Path(folder) / "relay.db")))
