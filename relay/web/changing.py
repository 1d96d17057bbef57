"""Store what somebody changed on the page, so that the running service goes by it before the answer is sent."""

from collections.abc import Callable, Mapping, Sequence

from relay.config.model import Mode
from relay.directory.changes import Change, allowed, may_be_changed_for_all, with_setting
from relay.directory.model import login_key
from relay.errors import ConfigError
from relay.storage.database import Transaction
from relay.web.asking import Ask

_UNWRITTEN = "default"
_SECRET = frozenset({"email_to_salesforce"})


def may_change(ask: Ask, key: str) -> bool:
    """Tell whether who is signed in may change this for themselves: the settings allow it and no admin has locked it."""
    return allowed(key, ask.house.configuration.settings, ask.house.actions.locked())


async def change(ask: Ask, values: Mapping[str, object]) -> None:
    """Change settings of who is signed in; None: as it was entered. The values have been checked.

    Raises HTTPException 403 when one of them may not be changed.
    """
    if not all(may_change(ask, key) for key in values):
        raise ask.refuse(403)

    def keep(tx: Transaction) -> None:
        for key, value in values.items():
            _keep(tx, ask, key, value)

    await ask.house.database.write(keep)
    await ask.house.actions.take_changes()


async def change_within(ask: Ask, key: str, changed: Callable[[object], object]) -> None:
    """Change a setting of who is signed in to what `changed` makes of it, which another tab changes before or after.

    It gets None where nothing was changed yet. Raises HTTPException 403 when the setting may not be changed.
    """
    if not may_change(ask, key):
        raise ask.refuse(403)
    await ask.house.database.write(lambda tx: _keep(tx, ask, key, changed(changed_before(tx, ask, key))))
    await ask.house.actions.take_changes()


def changed_before(tx: Transaction, ask: Ask, key: str) -> object:
    """Give what who is signed in changed a setting to; None when they did not."""
    changes = ask.house.changes.read(tx).settings.get(ask.key, ())
    return next((one.value for one in changes if one.key == key), None)


def _keep(tx: Transaction, ask: Ask, key: str, value: object) -> None:
    login = ask.rep.login
    if value is None:
        ask.house.changes.drop(tx, login, key)
    else:
        ask.house.changes.set(tx, login, key, value, login, ask.now)
    ask.audit(tx, "settings.changed", key=key, value="(secret)" if key in _SECRET else value)


async def change_for_all(ask: Ask, values: Mapping[str, object]) -> str:
    """Change settings for all; give what is wrong with them, "" when they were kept. None: as it was entered.

    Raises HTTPException 403 for a setting that is not changed on the page.
    """
    settings = ask.house.configuration.settings
    for key, value in values.items():
        if not may_be_changed_for_all(key):
            raise ask.refuse(403)
        try:
            with_setting(settings, key, value) if value is not None else None
        except ValueError as exc:
            return f"{key}: {_plain(exc)}"

    def keep(tx: Transaction) -> list[Change]:
        earlier = [one for one in ask.house.changes.read(tx).settings.get("", ()) if one.key in values]
        for key, value in values.items():
            if value is None:
                ask.house.changes.drop(tx, "", key)
            else:
                ask.house.changes.set(tx, "", key, value, ask.rep.login, ask.now)
            ask.audit(tx, "settings.changed_for_all", about="*", key=key, value=value)
        return earlier

    earlier = await ask.house.database.write(keep)
    try:
        await ask.house.actions.take_changes()
    except ConfigError as error:
        await _take_back(ask, values, earlier)
        return "; ".join(problem.text for problem in error.problems)
    return ""


async def _take_back(ask: Ask, values: Mapping[str, object], earlier: Sequence[Change]) -> None:
    """Undo a change that the service cannot go by: the next start must not fail for it, and what was there stays."""

    def drop(tx: Transaction) -> None:
        for key in values:
            ask.house.changes.drop(tx, "", key)
            ask.audit(tx, "settings.taken_back", about="*", key=key)
        for one in earlier:
            ask.house.changes.set(tx, "", one.key, one.value, one.by, one.at)

    await ask.house.database.write(drop)
    await ask.house.actions.take_changes()


def mode_of(ask: Ask) -> Mode:
    """Give how the mail of who is signed in is logged."""
    return ask.rep.mode or ask.house.configuration.settings.logging.mode


def origin_of(ask: Ask, key: str, setting: str, for_all: str = "") -> str:
    """Say where a value of who is signed in comes from: the page, the settings, the store, or what holds for all.

    `setting` is its name below `users[]`, `for_all` the setting that counts where the rep has none of their own.
    """
    if changed := ask.rep.changed_by(key):
        return changed
    configuration = ask.house.configuration
    logins = [login_key(user.login) for user in configuration.settings.users]
    place = (
        configuration.place(f"users.{logins.index(ask.key)}.{setting}") if ask.key in logins else _UNWRITTEN
    )
    if place == _UNWRITTEN and for_all:
        return configuration.place(for_all)
    return ask.rep.origin if ask.key not in logins else place


def _plain(error: ValueError) -> str:
    """Take the sentence out of pydantic's report."""
    lines = [line.strip() for line in str(error).splitlines()]
    text = next((line for line in lines[2:] if line), lines[0])
    return text.partition(" [type=")[0].removeprefix("Value error, ")
