"""Find out about records that were asked for and whose answer nobody knows: by looking for them in Salesforce."""

from collections.abc import Sequence

from relay.clock import Clock
from relay.outcome import Deferred
from relay.salesforce.client import SalesforceClient
from relay.salesforce.looking import Wanted, assign, find
from relay.salesforce.model import Made
from relay.salesforce.org_shape import OrgShape
from relay.salesforce.outcomes import HOP
from relay.salesforce.record_rows import RecordRow, RecordState
from relay.salesforce.store import RecordStore
from relay.status import Reply
from relay.storage.database import Database, Transaction

_UNSURE = Reply(
    451, "4.3.0", "whether Salesforce has made the record is not known yet; it is looked for again"
)


async def settle_rows(
    database: Database,
    store: RecordStore,
    client: SalesforceClient,
    clock: Clock,
    identity: str,
    rows: Sequence[RecordRow],
    shape: OrgShape,
) -> None:
    """Store of rows of one identity that are marked as started whether they are there. Raises SalesforceError.

    What is not there stays marked while Salesforce may still be at work on it: see `unsure_for`.
    """
    ahead = client.server_now() - clock.now()
    wanted = [
        Wanted(row.key, row.object, row.find_by, (row.first_started_at or row.created_at) + ahead)
        for row in rows
    ]
    asked = clock.now()
    found = await find(client, identity, wanted, shape)
    ids = [each.id for some in found.values() for each in some]
    known = await database.read(lambda tx: store.known(tx, ids))
    there = assign(wanted, found, known)
    made = [
        (row.key, Made(there[row.key], row.object), row.pending, row.reason)
        for row in rows
        if row.key in there
    ]
    gone = [
        (row.key, "it was asked for, and is not there")
        for row in rows
        if row.key not in there and not unsure_for(row, client, asked)
    ]

    def keep(tx: Transaction) -> None:
        store.made(tx, made, clock.now())
        store.not_made(tx, gone, clock.now())

    await database.write(keep)


def unsure_for(row: RecordRow, client: SalesforceClient, now: int) -> float:
    """Give for how many seconds a record that was asked for may yet come to be, though it is not there; 0: it will not.

    Salesforce goes on with a call whose caller was killed, or gave up waiting.
    """
    age = (now - row.changed_at) / 1_000_000
    return max(client.answers_within - age, 0.0) if row.state is RecordState.STARTED and age >= 0 else 0.0


def not_known_yet(seconds: float) -> Deferred:
    """Give the outcome of a message of which Salesforce may still be making a record: asked for again it would be there twice."""
    return Deferred(_UNSURE, HOP, seconds, attempted=False)
