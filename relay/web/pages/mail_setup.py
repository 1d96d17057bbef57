"""*Set up my mail*: what goes into a mail program, the app passwords that programs sign in with, and a test of it all.

An app password is shown once, in the answer to the form that made it, and kept as a hash. Taken back, it fails at the
next SMTP sign-in. The test is a real mail of the rep's, walked from accepted to verified.
"""

import hashlib
from collections.abc import Mapping, Sequence

from starlette.responses import Response

from relay.address import Address, comparable_any_case, parse_mailbox
from relay.directory.model import Token
from relay.directory.passwords import digest_of, new_token
from relay.directory.store import ORIGIN
from relay.directory.throttle import Attempt, network_of
from relay.errors import AddressError, CommandError, RelayError, StorageError
from relay.ids import number_of, queue_id_of
from relay.policy.decision import Refuse
from relay.policy.exclusions import recipient_exclusion
from relay.queue.selection import FoundMessage
from relay.storage.database import Transaction
from relay.web.access import Access, Entry, PageRoute, get, post
from relay.web.asking import Ask
from relay.web.changing import mode_of
from relay.web.client_setup import CLIENTS, doors_of
from relay.web.sample_mail import submit
from relay.web.sentences import plain
from relay.web.walking import ended, walk

HERE = "/settings/mail"
_LONGEST_NAME = 64
_UNPROCESSABLE = 422


def routes() -> Sequence[PageRoute]:
    """Give the routes."""
    return (
        get(HERE, show, Access.SIGNED_IN, entry=Entry("settings", "mail_setup.title")),
        post(f"{HERE}/test", send_test, Access.SIGNED_IN),
        get(f"{HERE}/test/{{id}}", show_test, Access.SIGNED_IN),
        post(f"{HERE}/tokens", make, Access.SIGNED_IN),
        post(f"{HERE}/tokens/revoke", revoke, Access.SIGNED_IN),
    )


async def show(ask: Ask) -> Response:
    """Show the values for each program, the app passwords there are, and how the test mail fares that was sent."""
    return _page(ask, walked=await _walked(ask, ask.query("test")) if ask.query("test") else None)


def _page(
    ask: Ask,
    *,
    problem: str = "",
    secret: str = "",
    name: str = "",
    status: int = 200,
    wrong_address: str = "",
    walked: Mapping[str, object] | None = None,
) -> Response:
    sent_to = str(walked["to"]) if walked else ""
    return ask.render(
        "mail_setup.html",
        status,
        doors=doors_of(ask.house.configuration),
        clients=CLIENTS,
        tokens=ask.rep.tokens,
        problem=problem,
        secret=secret,
        name=name,
        sender=str(ask.rep.addresses[0]),
        mode=str(mode_of(ask)),
        internal=_is_left_out(ask, ask.rep.addresses[0]),
        wrong_address=wrong_address,
        walked=walked,
        recipient=ask.field("recipient", 320) or sent_to or str(ask.rep.addresses[0]),
    )


async def make(ask: Ask) -> Response:
    """Make an app password for one device; it works at once."""
    name = ask.field("name", _LONGEST_NAME + 1)
    if not name.isprintable() or not 1 <= len(name) <= _LONGEST_NAME:
        return _page(ask, problem=ask.words("mail_setup.name_wrong"), status=_UNPROCESSABLE)
    if name in {token.name for token in ask.rep.tokens}:
        return _page(ask, problem=ask.words("mail_setup.name_taken"), status=_UNPROCESSABLE)
    secret = new_token()
    token = Token(name, digest_of(secret.encode()).hex(), ask.now)

    def keep(tx: Transaction) -> None:
        if ask.rep.origin == ORIGIN:
            ask.house.reps.add_token(tx, ask.rep.login, token, ask.now)
        else:
            ask.house.changes.add_token(tx, ask.rep, token, ask.now)
        ask.audit(tx, "token.made", name=name)

    try:
        await ask.house.database.write(keep)
    except CommandError:
        return _page(ask, problem=ask.words("mail_setup.too_many"), status=_UNPROCESSABLE)
    except StorageError:  # of one name there is one, and another tab may just have made it
        await ask.house.actions.take_changes()
        ask.someone = ask.house.actions.directory().by_login(ask.rep.login)
        if name not in {token.name for token in ask.rep.tokens}:
            raise
        return _page(ask, problem=ask.words("mail_setup.name_taken"), status=_UNPROCESSABLE)
    await ask.house.actions.take_changes()
    ask.someone = ask.house.actions.directory().by_login(ask.rep.login)
    # Shown in the answer itself, not behind a redirect: it is kept nowhere.
    return _page(ask, secret=secret, name=name)


async def revoke(ask: Ask) -> Response:
    """Take an app password back, wherever it was entered."""
    name = ask.field("name", _LONGEST_NAME + 1)
    token = next((one for one in ask.rep.tokens if one.name == name), None)
    if token is None:
        raise ask.refuse()
    found = token

    def keep(tx: Transaction) -> None:
        if ask.rep.origin == ORIGIN:
            ask.house.reps.drop_token(tx, ask.rep.login, found.name)
        else:
            ask.house.changes.revoke_token(tx, ask.rep.login, found, ask.rep.login, ask.now)
        ask.audit(tx, "token.revoked", name=found.name)

    await ask.house.database.write(keep)
    await ask.house.actions.take_changes()
    return ask.redirect(HERE, said="token_revoked")


# The test mail


async def send_test(ask: Ask) -> Response:
    """Submit a real mail of the rep's to the address of the form, and go to where its steps are shown."""
    try:
        recipient = parse_mailbox(ask.field("recipient", 320), smtputf8=True)
    except AddressError:
        return _page(ask, wrong_address=ask.words("addresses.none"), status=_UNPROCESSABLE)
    attempt = ask.house.mailings.begin(ask.key, network_of(ask.client))
    if not isinstance(attempt, Attempt):
        return _page(ask, wrong_address=ask.words("test_mail.too_many"), status=429)
    ask.house.mailings.failed(attempt)
    sent = await submit(ask, recipient)
    if isinstance(sent, Refuse):
        told = ask.words(
            "test_mail.refused", reply=plain(ask.words, str(sent.reply)), rule=plain(ask.words, sent.rule)
        )
        return _page(ask, wrong_address=told, status=_UNPROCESSABLE)
    await ask.house.database.write(lambda tx: ask.audit(tx, "test.sent", sent))
    return ask.redirect(HERE, test=sent)


async def show_test(ask: Ask) -> Response:
    """Give the steps alone, or 204 while they are what the browser has."""
    walked = await _walked(ask, ask.path("id"))
    if walked["version"] == ask.query("version"):
        return Response(status_code=204)
    return ask.render("mail_walk.html", 200, walked=walked)


async def _walked(ask: Ask, text: str) -> dict[str, object]:
    """Walk a mail of who asks. Raises HTTPException 404 for any other."""
    try:
        wanted = queue_id_of(number_of(text))
    except RelayError:
        raise ask.refuse() from None

    def read(tx: Transaction) -> FoundMessage | None:
        return ask.house.queue.message(tx, wanted)

    message = await ask.house.database.read(read)
    if message is None or message.login != ask.rep.login:
        raise ask.refuse()
    steps = await walk(ask, message)
    version = hashlib.sha256(repr(steps).encode("utf-8", "backslashreplace")).hexdigest()[:16]
    return {
        "id": message.id,
        "steps": steps,
        "version": version,
        "ended": ended(steps),
        "to": message.recipients[0],
    }


def _is_left_out(ask: Ask, address: Address) -> bool:
    """Tell whether mail to this address would be internal or excluded."""
    layers = ask.house.actions.rules().of(ask.rep).exclusions
    return recipient_exclusion(layers, comparable_any_case(address)) is not None
