"""*Sync Settings*, as the documented product has it: how email activity gets to Salesforce, and the connection to it.

Gear > Settings > Salesforce > Sync Settings. Two tabs, Salesforce API and Email to Salesforce (BCC), of which one is
active at most; each Save is followed at once by a test of what was saved.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from starlette.responses import Response

from relay.address import comparable_any_case, parse_mailbox
from relay.config.forms import address_problem
from relay.config.model import Mode
from relay.errors import AddressError
from relay.salesforce.client import LOOK_UP, SalesforceClient, SalesforceError, is_id
from relay.salesforce.exchange import Pause, Usage, Who
from relay.salesforce.faults_table import NOT_CONNECTED, explanation
from relay.salesforce.model import Fault
from relay.storage.database import Transaction
from relay.web.access import Access, Entry, PageRoute, get, post
from relay.web.asking import Ask
from relay.web.capturing import OWN_FIELDS, own_capture, read_capture
from relay.web.changing import change, change_for_all, may_change, mode_of, origin_of
from relay.web.preferences import FIELDS, choices_of, preview, read_preferences, shown_preferences
from relay.web.reminding import SWITCHES, key_of, sync_state, turned
from relay.web.trying import Check, fetch, try_api, try_bcc

HERE = "/settings/salesforce/sync"
TABS = ("api", "bcc")
_CONNECTION_LIMIT = 5.0
_UNPROCESSABLE = 422


def routes() -> Sequence[PageRoute]:
    """Give the routes."""
    return (
        get("/settings/salesforce", overview, Access.SIGNED_IN, entry=Entry("settings", "sync.salesforce")),
        get(HERE, show, Access.SIGNED_IN),
        post(f"{HERE}/bcc", save_bcc, Access.SIGNED_IN),
        post(f"{HERE}/bcc/reveal", reveal, Access.SIGNED_IN),
        post(f"{HERE}/api", save_api, Access.SIGNED_IN),
        post(f"{HERE}/preferences", save_preferences, Access.ADMIN),
        post(f"{HERE}/capture", save_capture, Access.SIGNED_IN),
        post(f"{HERE}/reminders", save_reminders, Access.SIGNED_IN),
        post(f"{HERE}/connection", try_again, Access.ADMIN),
    )


@dataclass(frozen=True, slots=True)
class Connection:
    """How the relay stands with Salesforce: `state` is none, unconnected, connected, reconnect or late."""

    state: str
    whose: str = ""
    """organization or mine; "": the only one."""
    may_connect: bool = False
    """Whether who asks may connect and disconnect it here."""
    who: Who | None = None
    usage: Usage | None = None
    pause: Pause | None = None
    enhanced: bool | None = None
    trouble: str = ""


async def overview(ask: Ask) -> Response:
    """Go to the first tab of Salesforce's settings."""
    return ask.redirect(HERE)


async def show(ask: Ask) -> Response:
    """Show the settings; with `tested`, try what was saved."""
    tab = _tab(ask)
    tested = ask.query("tested")
    checks = await (try_bcc(ask) if tested == "bcc" else try_api(ask)) if tested in TABS else None
    return await page(ask, tab, checks=checks)


async def page(
    ask: Ask,
    tab: str,
    *,
    checks: Sequence[Check] | None = None,
    problem: str = "",
    status: int = 200,
    revealed: str = "",
    connect_problem: str = "",
) -> Response:
    """Answer with the settings on this tab, "" for that of the mode; with what went wrong, or was tested."""
    tab = tab or _tab(ask)
    configuration = ask.house.configuration
    rules = ask.house.actions.rules().of(ask.rep)
    return ask.render(
        "sync_settings.html",
        status,
        tab=tab,
        checks=checks,
        problem=problem,
        revealed=revealed,
        connections=await connections(ask),
        connect_problem=connect_problem,
        to_end=ask.query("disconnect"),
        instance=configuration.settings.salesforce.instance if configuration.settings.salesforce else "",
        mode=str(mode_of(ask)),
        mode_rule=rules.mode_rule,
        changeable=may_change(ask, "mode"),
        reminders=ask.rep.reminders or configuration.settings.reminders.sync,
        reminders_origin=origin_of(ask, "reminders", "reminders.sync", "reminders.sync"),
        reminders_changeable=may_change(ask, "reminders"),
        capture_changeable=may_change(ask, "capture"),
        capture=own_capture(ask),
        capture_origin=ask.rep.changed_by("capture"),
        own_fields=OWN_FIELDS,
        sync=await ask.house.database.read(lambda tx: sync_state(tx, ask)),
        preferences=shown_preferences(configuration),
        choices=choices_of,
        fields=FIELDS,
        preview=preview(configuration.settings.logging.subject),
        api_possible=configuration.settings.salesforce is not None
        and is_id(ask.rep.salesforce_user_id or ""),
    )


def _tab(ask: Ask) -> str:
    wanted = ask.query("tab")
    if wanted in TABS:
        return wanted
    return "api" if mode_of(ask) in (Mode.API, Mode.OBSERVE) else "bcc"


# The card's tab Email to Salesforce (BCC)


async def save_bcc(ask: Ask) -> Response:
    """Keep the address, fetch it, activate or deactivate."""
    match ask.field("do"):
        case "deactivate":
            await change(ask, {"mode": str(Mode.OFF)})
            return ask.redirect(HERE, said="bcc_off", tab="bcc")
        case "fetch":
            return await _fetched(ask)
        case "activate":
            return await _activated(ask)
        case _:
            return await _saved_address(ask)


async def _saved_address(ask: Ask) -> Response:
    text = ask.field("email_to_salesforce")
    if not text:
        return await page(ask, "bcc", problem=ask.words("bcc.none_given"), status=_UNPROCESSABLE)
    if problem := bcc_problem(ask, text):
        return await page(ask, "bcc", problem=problem, status=_UNPROCESSABLE)
    await change(ask, {"email_to_salesforce": text})
    return ask.redirect(HERE, said="saved", tab="bcc", tested="bcc")


async def _activated(ask: Ask) -> Response:
    """Turn the log copy on. The address is taken from the form, is there already, or is fetched from Salesforce."""
    text = ask.field("email_to_salesforce")
    if not text and ask.rep.email_to_salesforce is None:
        text = await _from_salesforce(ask) or ""
        if not text:
            return await page(ask, "bcc", problem=ask.words("bcc.not_pulled_in"), status=_UNPROCESSABLE)
    if text and (problem := bcc_problem(ask, text)):
        return await page(ask, "bcc", problem=problem, status=_UNPROCESSABLE)
    await change(ask, {"mode": str(Mode.BCC)} | ({"email_to_salesforce": text} if text else {}))
    return ask.redirect(HERE, said="bcc_on", tab="bcc", tested="bcc")


async def _fetched(ask: Ask) -> Response:
    text = await _from_salesforce(ask)
    if text is None:
        return await page(ask, "bcc", problem=ask.words("bcc.not_pulled_in"), status=_UNPROCESSABLE)
    if problem := bcc_problem(ask, text):
        return await page(ask, "bcc", problem=problem, status=_UNPROCESSABLE)
    await change(ask, {"email_to_salesforce": text})
    return ask.redirect(HERE, said="bcc_fetched", tab="bcc", tested="bcc")


async def _from_salesforce(ask: Ask) -> str | None:
    if not may_change(ask, "email_to_salesforce"):
        raise ask.refuse(403)
    try:
        found = await fetch(ask)
    except SalesforceError:
        return None
    return None if found is None else found.address.reveal()


async def reveal(ask: Ask) -> Response:
    """Show one's own address in full; that is noted."""
    await ask.house.database.write(lambda tx: ask.audit(tx, "bcc.revealed"))
    own = ask.rep.email_to_salesforce
    return await page(ask, "bcc", revealed=own.reveal() if own else "")


def bcc_problem(ask: Ask, text: str) -> str:
    """Say what keeps an address from being an Email to Salesforce address; "" when nothing does."""
    if address_problem(text):
        return ask.words("bcc.no_address")
    try:
        form = comparable_any_case(parse_mailbox(text))
    except AddressError:
        return ask.words("bcc.no_address")
    everybodys = {
        comparable_any_case(one) for rep in ask.house.actions.directory().reps() for one in rep.addresses
    }
    return ask.words("bcc.own") if form in everybodys else ""


# The card's tab Salesforce API


async def save_api(ask: Ask) -> Response:
    """Activate or deactivate logging through the API for who is signed in."""
    if ask.field("do") == "deactivate":
        await change(ask, {"mode": str(Mode.OFF)})
        return ask.redirect(HERE, said="api_off", tab="api")
    if ask.house.configuration.settings.salesforce is None:
        return await page(ask, "api", problem=ask.words("api.no_organisation"), status=_UNPROCESSABLE)
    if not is_id(ask.rep.salesforce_user_id or ""):
        return await page(ask, "api", problem=ask.words("api.no_user"), status=_UNPROCESSABLE)
    await change(ask, {"mode": str(Mode.API)})
    return ask.redirect(HERE, said="api_on", tab="api", tested="api")


async def save_preferences(ask: Ask) -> Response:
    """Keep the admin's preferences for all; or let those of the settings file hold again."""
    configuration = ask.house.configuration
    if ask.field("do") == "reset":
        values: dict[str, object] = dict.fromkeys((one.key for one in FIELDS), None)
    else:
        values = read_preferences(ask, configuration)
    problem = await change_for_all(ask, values) if values else ""
    if problem:
        return await page(ask, "api", problem=problem, status=_UNPROCESSABLE)
    return ask.redirect(HERE, said="saved", tab="api", tested="api")


async def save_capture(ask: Ask) -> Response:
    """Keep what of their own mail a rep has recorded; or let the organisation's choice hold again."""
    await change(ask, {"capture": read_capture(ask)})
    return ask.redirect(HERE, said="capture_saved")


# Reminders


async def save_reminders(ask: Ask) -> Response:
    """Choose whether reminders are kept in step with Salesforce Tasks."""
    wanted = ask.field("reminders")
    if wanted not in ("off", "two_way"):
        raise ask.refuse(400)
    await change(ask, {"reminders": wanted})
    await ask.house.database.write(lambda tx: _begin(tx, ask))
    ask.house.actions.wake()
    return ask.redirect(HERE, said="saved")


def _begin(tx: Transaction, ask: Ask) -> None:
    """Have both sides brought in step now: each Save does."""
    if turned(tx, ask, ask.rep):
        SWITCHES.ask(tx, key_of(ask.rep))


# The connection


async def connections(ask: Ask) -> Sequence[Connection]:
    """Say how the relay stands with Salesforce, within seconds: one's own connection, and for an admin the one for all."""
    client = ask.house.actions.salesforce()
    if client is None:
        return (Connection("none"),)
    admin = ask.role == "admin"
    if not client.each_rep():
        only = await connection(ask, client, client.identity_of(ask.rep))
        may_connect = admin and client.connectable()
        return (replace(only, whose="organization" if may_connect else "", may_connect=may_connect),)
    own = await connection(ask, client, client.identity_of(ask.rep))
    found = [replace(own, whose="mine", may_connect=True)]
    if admin and client.organization_identity() == LOOK_UP:  # else look_up_as does it, and nobody connects
        for_all = await connection(ask, client, LOOK_UP)
        found.append(replace(for_all, whose="organization", may_connect=True))
    return found


async def connection(ask: Ask, client: SalesforceClient, identity: str) -> Connection:
    """Say how one identity stands with Salesforce."""
    pause = client.paused(identity)
    if pause is not None and pause.until > ask.now:
        return Connection(
            _state_of(pause.fault),
            usage=client.usage(),
            pause=pause,
            trouble=explanation(pause.fault, ask.words.texts),
        )
    try:
        async with asyncio.timeout(_CONNECTION_LIMIT):
            return await _connected(client, identity)
    except SalesforceError as error:
        pause = client.paused(identity)
        return Connection(
            _state_of(error.fault),
            usage=client.usage(),
            pause=pause,
            trouble=explanation(error.fault, ask.words.texts),
        )
    except TimeoutError:
        return Connection("late", usage=client.usage())


def _state_of(fault: Fault) -> str:
    return "unconnected" if fault.code == NOT_CONNECTED else "reconnect"


async def _connected(client: SalesforceClient, identity: str) -> Connection:
    who = await client.whoami(identity)
    mail = await client.describe("EmailMessage")
    enhanced = mail is not None and mail.createable and mail.may_create("ToIds")
    return Connection("connected", who=who, usage=client.usage(), enhanced=enhanced)


async def try_again(ask: Ask) -> Response:
    """Call Salesforce again at once, after what was wrong has been mended."""
    client = ask.house.actions.salesforce()
    if client is not None:
        client.try_now()
    await ask.house.database.write(lambda tx: ask.audit(tx, "salesforce.tried_again", about="*"))
    ask.house.actions.wake()
    return ask.redirect(HERE)
