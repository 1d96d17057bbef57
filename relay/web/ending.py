"""Whether sessions and links to choose a password still stand: their rep may have gone, or have another password.

Each is tied to the password that its rep had when it was made (relay.web.store.tie), and looked at whenever it is used.
So it does not matter whether the password changed by a reload, while the relay was stopped, or in the database.
"""

import hmac

from relay.directory.model import Directory, Rep
from relay.storage.database import Transaction
from relay.web.store import PageStore, Session, tie

OIDC = "oidc"
"""How somebody signed in through an identity provider: by no password of ours."""


def stands(session: Session, rep: Rep) -> bool:
    """Tell whether a rep is still signed in by this session."""
    return not rep.disabled and (session.how == OIDC or tied(session.id_hash, session.tie, rep))


def tied(id_hash: str, kept: str, rep: Rep) -> bool:
    """Tell whether what was kept with a session or link was made of the password that the rep has now."""
    return hmac.compare_digest(kept, tie(id_hash, rep.password))


def end_fallen(tx: Transaction, directory: Directory) -> None:
    """End for good what does not stand, so that nobody is let in again when they, or their password, come back."""
    store = PageStore()
    for session in store.all_sessions(tx):
        rep = directory.by_login(session.login_key)
        if rep is None or not stands(session, rep):
            store.end_session(tx, session.id_hash)
    for code_hash, key, kept in store.links(tx):
        rep = directory.by_login(key)
        if rep is None or rep.disabled or not tied(code_hash, kept, rep):
            store.drop_link(tx, code_hash)
