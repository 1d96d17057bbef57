"""End the sessions of reps whom new settings keep out, or give another password."""

from collections.abc import Sequence

from relay.directory.model import Directory, login_key
from relay.storage.database import Database, Transaction
from relay.web.store import INVITE, RESET, PageStore


async def end_sessions(database: Database, before: Directory, after: Directory) -> None:
    """End them, with the links to choose a password, so that nobody is let in again when they are enabled later."""
    ended = _ended(before, after)

    def end(tx: Transaction) -> None:
        for key in ended:
            PageStore().end_sessions(tx, key)
            for purpose in (RESET, INVITE):
                PageStore().forget_codes(tx, key, purpose)

    if ended:
        await database.write(end)


def _ended(before: Directory, after: Directory) -> Sequence[str]:
    """Give the login keys of those who are disabled or gone, or have another password."""
    found = {login_key(rep.login): after.by_login(rep.login) for rep in before.reps()}
    return [
        key
        for key, rep in found.items()
        if rep is None or rep.disabled or ((was := before.by_login(key)) and was.password != rep.password)
    ]
