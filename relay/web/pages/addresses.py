"""*My acceptable addresses*: which a rep may send from; one's own are added by entering a code that was mailed there."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from relay.address import Address, comparable_any_case, is_qualified, parse_mailbox
from relay.config.forms import address_problem
from relay.directory.throttle import Attempt, network_of
from relay.errors import AddressError, CommandError
from relay.storage.database import Transaction
from relay.web.access import Access, Entry, PageRoute, get, post
from relay.web.asking import Ask
from relay.web.mailing import send
from relay.web.trying import Check

HERE = "/settings/addresses"
PURPOSE = "address"
_LASTS = 30 * 60 * 1_000_000
_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH = 8
_UNPROCESSABLE = 422


def routes() -> Sequence[PageRoute]:
    """Give the routes."""
    return (
        get(HERE, show, Access.SIGNED_IN, entry=Entry("settings", "addresses.title")),
        post(f"{HERE}/add", add, Access.SIGNED_IN),
        post(f"{HERE}/verify", verify, Access.SIGNED_IN),
        post(f"{HERE}/remove", remove, Access.SIGNED_IN),
    )


@dataclass(frozen=True, slots=True)
class Own:
    """One acceptable address: where it was entered, and whether the rep can take it back."""

    text: str
    origin: str
    removable: bool


async def show(ask: Ask) -> Response:
    """Show the list, and a field for each code that was mailed and is still good; `pending` is how one was written."""
    return await _page(ask, pending=ask.query("pending"))


async def _page(ask: Ask, *, pending: str = "", problem: str = "", status: int = 200) -> Response:
    asked = await ask.house.database.read(
        lambda tx: ask.house.store.pending_codes(tx, ask.key, PURPOSE, ask.now)
    )
    written = _read(pending)
    typed = {comparable_any_case(written): str(written)} if written else {}
    return ask.render(
        "addresses.html",
        status,
        addresses=_own(ask),
        pending=[typed.get(one, one) for one in asked],
        problem=problem,
        changeable=may_change_addresses(ask),
        checks=list[Check](),
    )


def _own(ask: Ask) -> list[Own]:
    rep = ask.rep
    changed = [rep.changed_by(f"addresses.{at}") for at in range(len(rep.addresses))]
    return [
        Own(str(address), origin or rep.origin, bool(origin))
        for address, origin in zip(rep.addresses, changed, strict=True)
    ]


def may_change_addresses(ask: Ask) -> bool:
    """Tell whether reps may add addresses of their own now."""
    return "addresses" in ask.house.web.may_change and "addresses" not in ask.house.actions.locked()


async def add(ask: Ask) -> Response:
    """Mail a code to an address that somebody says is theirs."""
    if not may_change_addresses(ask):
        raise ask.refuse(403)
    address = _read(ask.field("address", 320))
    if address is None:
        return await _page(ask, problem=ask.words("addresses.none"), status=_UNPROCESSABLE)
    if ask.house.actions.directory().owner(address) is ask.rep:
        return await _page(ask, problem=ask.words("addresses.yours"), status=_UNPROCESSABLE)
    attempt = ask.house.mailings.begin(ask.key, network_of(ask.client))
    if not isinstance(attempt, Attempt):
        return await _page(ask, problem=ask.words("forgot.too_many"), status=429)
    ask.house.mailings.failed(attempt)
    code = "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
    subject = comparable_any_case(address)

    def keep(tx: Transaction) -> None:
        ask.house.store.add_code(
            tx, _bound(ask, subject, code), PURPOSE, ask.key, subject, ask.now, ask.now + _LASTS
        )
        ask.audit(tx, "address.asked", address=str(address))

    await ask.house.database.write(keep)
    # Whose address it is already is not told: the mail there says what was asked for, and by whom.
    await send(
        ask.house, ask.rep, "mail.address", address, code=f"{code[:4]}-{code[4:]}", login=ask.rep.login
    )
    return ask.redirect(HERE, said="code_sent", pending=str(address))


async def verify(ask: Ask) -> Response:
    """Take the code; then the address is one of the rep's, at once."""
    if not may_change_addresses(ask):
        raise ask.refuse(403)
    address = _read(ask.field("address", 320))
    if address is None:
        raise ask.refuse(400)
    if ask.house.actions.directory().owner(address) is ask.rep:  # the same code, sent twice
        return ask.redirect(HERE, said="address_added")
    code = ask.field("code", 40).upper().replace("-", "").replace(" ", "")
    subject = comparable_any_case(address)

    def take(tx: Transaction) -> bool:
        taken = ask.house.store.take_code(tx, _bound(ask, subject, code), PURPOSE, ask.now)
        if taken != (ask.key, subject):
            ask.house.store.wrong_code(tx, ask.key, PURPOSE, subject)
            return False
        ask.audit(tx, "address.verified", address=str(address))
        if ask.house.actions.directory().owner(address) is None:
            ask.house.changes.add_address(tx, ask.rep.login, address, ask.now)
        return True

    try:
        proven = await ask.house.database.write(take)
    except CommandError:
        return await _page(ask, problem=ask.words("addresses.too_many"), status=_UNPROCESSABLE)
    if not proven:
        return await _page(
            ask, pending=str(address), problem=ask.words("addresses.wrong"), status=_UNPROCESSABLE
        )
    await ask.house.actions.take_changes()
    owner = ask.house.actions.directory().owner(address)
    if owner is None or owner.login != ask.rep.login:
        return await _page(ask, problem=ask.words("addresses.taken"), status=_UNPROCESSABLE)
    return ask.redirect(HERE, said="address_added")


async def remove(ask: Ask) -> Response:
    """Take back an address that was added here, or one that still waits for its code."""
    address = _read(ask.field("address", 320))
    if address is None:
        raise ask.refuse(400)
    subject = comparable_any_case(address)

    def drop(tx: Transaction) -> bool:
        waited = subject in ask.house.store.pending_codes(tx, ask.key, PURPOSE, ask.now)
        ask.house.store.drop_codes(tx, ask.key, PURPOSE, subject)
        dropped = ask.house.changes.drop_address(tx, ask.rep.login, address) or waited
        if dropped:
            ask.audit(tx, "address.removed", address=str(address))
        return dropped

    if not await ask.house.database.write(drop):
        raise ask.refuse()
    await ask.house.actions.take_changes()
    return ask.redirect(HERE, said="address_removed")


def _read(text: str) -> Address | None:
    try:
        address = parse_mailbox(text, smtputf8=True)
    except AddressError:
        return None
    return None if address_problem(text) or not is_qualified(address) else address


def _bound(ask: Ask, subject: str, code: str) -> str:
    """Tie a short code to who asked and for what: another's code is worth nothing, and neither is the stored hash."""
    return f"{ask.key}\0{subject}\0{code}"
