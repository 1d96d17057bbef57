"""Keep what people change on the page: settings, locks, verified addresses, app passwords, passwords.

Each verb takes part in the caller's transaction and counts as a change of the directory, so that a running service,
and every command, goes by it at once.
"""

import json

from relay.address import Address, comparable_any_case, parse_mailbox
from relay.directory.changes import Change, Changes
from relay.directory.model import Rep, Token, login_key
from relay.errors import CommandError
from relay.storage.database import Transaction

# Everything that was changed, oldest first.
_SETTINGS = (
    "SELECT login_key, key, value, changed_at, changed_by FROM changed_setting ORDER BY changed_at, key"
)
# What is locked.
_LOCKS = "SELECT key FROM locked_setting"
# Addresses that were verified, oldest first.
_ADDRESSES = "SELECT login_key, address FROM verified_address ORDER BY verified_at, compared"
# App passwords of reps of the settings.
_TOKENS = "SELECT login_key, name, sha256, created_at FROM page_token ORDER BY created_at, name"
# App passwords that work no more.
_REVOKED = "SELECT sha256 FROM revoked_token"
# Passwords of reps of the settings.
_PASSWORDS = "SELECT login_key, encoded FROM page_password"
# A setting is changed.
_SET = """
INSERT INTO changed_setting (login_key, key, value, changed_at, changed_by) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (login_key, key) DO UPDATE SET value = excluded.value, changed_at = excluded.changed_at,
    changed_by = excluded.changed_by"""
# It is as it was entered again.
_DROP = "DELETE FROM changed_setting WHERE login_key = ? AND key = ?"
# An admin locks a setting.
_LOCK = "INSERT INTO locked_setting (key, locked_at, locked_by) VALUES (?, ?, ?) ON CONFLICT (key) DO NOTHING"
# An admin unlocks it.
_UNLOCK = "DELETE FROM locked_setting WHERE key = ?"
# An address was verified.
_ADD_ADDRESS = """
INSERT INTO verified_address (compared, login_key, address, verified_at) VALUES (?, ?, ?, ?)
ON CONFLICT (compared) DO UPDATE SET login_key = excluded.login_key, verified_at = excluded.verified_at"""
# It is taken back.
_DROP_ADDRESS = "DELETE FROM verified_address WHERE login_key = ? AND compared = ?"
# All of a rep's are taken back.
_DROP_ADDRESSES = "DELETE FROM verified_address WHERE login_key = ?"
# An app password is made.
_ADD_TOKEN = "INSERT INTO page_token (sha256, login_key, name, created_at) VALUES (?, ?, ?, ?)"  # noqa: S105
# It is taken back.
_DROP_TOKEN = "DELETE FROM page_token WHERE sha256 = ?"  # noqa: S105
# One that may stand in the settings works no more.
_REVOKE = """
INSERT INTO revoked_token (sha256, login_key, name, revoked_at, revoked_by) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (sha256) DO NOTHING"""
# A password is chosen.
_SET_PASSWORD = """
INSERT INTO page_password (login_key, encoded, changed_at) VALUES (?, ?, ?)
ON CONFLICT (login_key) DO UPDATE SET encoded = excluded.encoded, changed_at = excluded.changed_at"""  # noqa: S105
# One more change.
_COUNT_CHANGE = "UPDATE directory_version SET version = version + 1"
MAXIMUM_TOKENS = 50
MAXIMUM_ADDRESSES = 50


class ChangeStore:
    """SQL for what people changed; holds no state of its own."""

    def read(self, tx: Transaction) -> Changes:
        """Give all that was changed."""
        settings: dict[str, list[Change]] = {}
        for key, name, value, at, by in tx.execute(_SETTINGS):
            assert isinstance(at, int)
            settings.setdefault(str(key), []).append(Change(str(name), json.loads(str(value)), at, str(by)))
        addresses: dict[str, list[Address]] = {}
        for key, text in tx.execute(_ADDRESSES):
            addresses.setdefault(str(key), []).append(parse_mailbox(str(text), smtputf8=True))
        tokens: dict[str, list[Token]] = {}
        for key, name, digest, made in tx.execute(_TOKENS):
            assert isinstance(made, int)
            tokens.setdefault(str(key), []).append(Token(str(name), str(digest), made))
        return Changes(
            settings,
            frozenset(str(row[0]) for row in tx.execute(_LOCKS)),
            addresses,
            tokens,
            frozenset(str(row[0]) for row in tx.execute(_REVOKED)),
            {str(key): str(encoded) for key, encoded in tx.execute(_PASSWORDS)},
        )

    def set(self, tx: Transaction, login: str, key: str, value: object, by: str, now: int) -> None:
        """Change a setting of a rep, or of all (login ""). The caller has checked the value and who may change it."""
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        tx.execute(_SET, (login_key(login), key, text, now, by))
        tx.execute(_COUNT_CHANGE)

    def drop(self, tx: Transaction, login: str, key: str) -> None:
        """Let a setting be again as it was entered."""
        tx.execute(_DROP, (login_key(login), key))
        tx.execute(_COUNT_CHANGE)

    def lock(self, tx: Transaction, key: str, by: str, now: int) -> None:
        """Keep reps from changing this for themselves; what they changed does not count meanwhile."""
        tx.execute(_LOCK, (key, now, by))
        tx.execute(_COUNT_CHANGE)

    def unlock(self, tx: Transaction, key: str) -> None:
        """Let reps change it again; what they changed before counts again."""
        tx.execute(_UNLOCK, (key,))
        tx.execute(_COUNT_CHANGE)

    def add_address(self, tx: Transaction, login: str, address: Address, now: int) -> None:
        """Make a verified address one of the rep's. Raises CommandError when the rep has fifty such."""
        key = login_key(login)
        if sum(str(owner) == key for owner, _ in tx.execute(_ADDRESSES)) >= MAXIMUM_ADDRESSES:
            raise CommandError(f"{login} has {MAXIMUM_ADDRESSES} verified addresses already")
        tx.execute(_ADD_ADDRESS, (comparable_any_case(address), key, str(address), now))
        tx.execute(_COUNT_CHANGE)

    def drop_address(self, tx: Transaction, login: str, address: Address) -> bool:
        """Take a verified address back; False when it is none of this rep's (it may stand in the settings)."""
        tx.execute(_DROP_ADDRESS, (login_key(login), comparable_any_case(address)))
        dropped = tx.changes() > 0
        tx.execute(_COUNT_CHANGE)
        return dropped

    def forget_addresses(self, tx: Transaction, login: str) -> None:
        """Take all verified addresses back: the rep's addresses were entered anew."""
        tx.execute(_DROP_ADDRESSES, (login_key(login),))

    def add_token(self, tx: Transaction, rep: Rep, token: Token, now: int) -> None:
        """Keep an app password of a rep of the settings. Raises CommandError: its name is taken, or there are fifty."""
        if token.name in {held.name for held in rep.tokens}:
            raise CommandError(f"{rep.login} has an app password named {token.name!r} already")
        if len(rep.tokens) >= MAXIMUM_TOKENS:
            raise CommandError(f"{rep.login} has {len(rep.tokens)} app passwords already; remove one first")
        tx.execute(_ADD_TOKEN, (token.sha256, login_key(rep.login), token.name, now))
        tx.execute(_COUNT_CHANGE)

    def revoke_token(self, tx: Transaction, login: str, token: Token, by: str, now: int) -> None:
        """Let an app password of a rep of the settings work no more, wherever it stands."""
        tx.execute(_DROP_TOKEN, (token.sha256,))
        tx.execute(_REVOKE, (token.sha256, login_key(login), token.name, now, by))
        tx.execute(_COUNT_CHANGE)

    def set_password(self, tx: Transaction, login: str, encoded: str, now: int) -> None:
        """Give a rep of the settings another password than that in the settings."""
        tx.execute(_SET_PASSWORD, (login_key(login), encoded, now))
        tx.execute(_COUNT_CHANGE)
