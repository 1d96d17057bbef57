"""Test at once what was saved, and say in plain words what works, what does not, and what could not be tested.

The same lists stand below the cards of *Sync Settings* whenever somebody asks for them.
"""

import asyncio
from dataclasses import dataclass
from typing import Literal

from relay.address import comparable_any_case, parse_mailbox
from relay.config.forms import address_problem
from relay.config.model import Mode
from relay.directory.model import BccAddress, Rep
from relay.errors import AddressError
from relay.salesforce.client import SalesforceClient, SalesforceError, is_id
from relay.salesforce.faults_table import explanation
from relay.texts import Words
from relay.web.asking import Ask
from relay.web.changing import mode_of

Verdict = Literal["ok", "warn", "bad", "skip"]
_LIMIT = 20.0
_SALESFORCE_DOMAIN = ".salesforce.com"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: the verdict, what was found, and what to do."""

    verdict: Verdict
    text: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A rep's Email to Salesforce address as Salesforce has it, and whom it takes mail from."""

    address: BccAddress
    senders: tuple[str, ...]
    """Empty: anybody."""


async def try_bcc(ask: Ask) -> list[Check]:
    """Test how the log copy would fare."""
    t, rep = ask.words, ask.rep
    checks = [_mode_check(ask, Mode.BCC)]
    if rep.email_to_salesforce is None:
        return [*checks, Check("bad", t("try.no_address"), t("try.no_address_advice"))]
    rules = ask.house.actions.rules().of(rep)
    if rules.log_copy_problem:
        return [*checks, Check("bad", t("try.address_own"), t("try.address_own_advice"))]
    shaped = looks_like_salesforce(rep.email_to_salesforce.reveal())
    checks.append(
        Check("ok", t("try.address", address=rep.email_to_salesforce))
        if shaped
        else Check("warn", t("try.other_crm"), t("try.other_crm_advice"))
    )
    checks.append(await _senders_check(ask))
    return checks


async def try_api(ask: Ask) -> list[Check]:
    """Test whether records could be written for this rep."""
    t, client = ask.words, ask.house.actions.salesforce()
    checks = [_mode_check(ask, Mode.API)]
    if client is None:
        return [*checks, Check("bad", t("try.no_organisation"), t("try.no_organisation_advice"))]
    try:
        async with asyncio.timeout(_LIMIT):
            checks += await _asked(t, client, ask.rep)
    except SalesforceError as error:
        checks.append(
            Check("bad", t("try.refused", code=error.fault.code), explanation(error.fault, t.texts))
        )
    except TimeoutError:
        checks.append(Check("bad", t("try.late"), t("try.late_advice")))
    return checks


async def _asked(t: Words, client: SalesforceClient, rep: Rep) -> list[Check]:
    who = await client.whoami(client.identity_of(rep))
    checks = [Check("ok", t("try.signed_in", user=who.username or who.user_id))]
    for name in ("Contact", "Lead"):
        described = await client.describe(name)
        visible = described is not None and described.queryable
        checks.append(
            Check("ok", t("try.visible", object=name))
            if visible
            else Check("warn", t("try.hidden", object=name), t("try.hidden_advice", object=name))
        )
    mail = await client.describe("EmailMessage")
    task = await client.describe("Task")
    if mail is not None and mail.createable and mail.may_create("ToIds"):
        checks.append(Check("ok", t("try.enhanced")))
    elif task is not None and task.createable:
        checks.append(Check("ok", t("try.tasks")))
    else:
        checks.append(Check("bad", t("try.no_create"), t("try.no_create_advice")))
    checks.append(await _user_check(t, client, rep))
    usage = client.usage()
    if usage is not None:
        left = Check(
            "ok" if usage.percent < 80 else "warn",
            t("try.calls", used=t.number(usage.used), maximum=t.number(usage.maximum)),
        )
        checks.append(left)
    return checks


async def _user_check(t: Words, client: SalesforceClient, rep: Rep) -> Check:
    user = rep.salesforce_user_id or ""
    if not is_id(user):
        return Check("bad", t("try.no_user"), t("try.no_user_advice"))
    rows = await client.query(f"SELECT Username, IsActive FROM User WHERE Id = '{user}'")  # noqa: S608 - is_id saw to it
    if not rows:
        return Check("bad", t("try.user_gone", user=user), t("try.no_user_advice"))
    name = str(rows[0].get("Username") or user)
    return (
        Check("ok", t("try.user", user=name))
        if rows[0].get("IsActive")
        else Check("bad", t("try.user_inactive", user=name), t("try.user_inactive_advice"))
    )


def _mode_check(ask: Ask, wanted: Mode) -> Check:
    t = ask.words
    if mode_of(ask) is wanted:
        return Check("ok", t(f"try.on_{wanted}"))
    return Check("skip", t(f"try.off_{wanted}"))


async def _senders_check(ask: Ask) -> Check:
    """Compare the acceptable addresses with those that Salesforce takes mail from."""
    t = ask.words
    try:
        fetched = await fetch(ask)
    except SalesforceError as error:
        return Check("skip", t("try.senders_unknown"), explanation(error.fault, t.texts))
    if fetched is None:
        return Check("skip", t("try.senders_unknown"), t("try.senders_advice"))
    own = ask.rep.email_to_salesforce
    if own is None or own.reveal().lower() != fetched.address.reveal().lower():
        return Check("bad", t("try.other_address"), t("try.other_address_advice"))
    missing = missing_senders(ask.rep, fetched.senders)
    if not fetched.senders:
        return Check("warn", t("try.anybody"), t("try.anybody_advice"))
    if missing:
        return Check(
            "bad", t("try.senders_missing", addresses=", ".join(missing)), t("try.senders_missing_advice")
        )
    return Check("ok", t("try.senders"))


async def fetch(ask: Ask) -> Fetched | None:
    """Ask Salesforce for the rep's Email to Salesforce address (EmailServicesAddress); None when it cannot tell.

    Raises SalesforceError when the call is refused; TimeoutError never.
    """
    client, user = ask.house.actions.salesforce(), ask.rep.salesforce_user_id or ""
    if client is None or not is_id(user):
        return None
    soql = (
        "SELECT LocalPart, EmailDomainName, AuthorizedSenders FROM EmailServicesAddress "  # noqa: S608 - is_id saw to it
        f"WHERE LocalPart = 'emailtosalesforce' AND RunAsUserId = '{user}' AND IsActive = true"
    )
    try:
        async with asyncio.timeout(_LIMIT):
            rows = await client.query(soql)
    except TimeoutError:
        return None
    if len(rows) != 1:
        return None
    address = f"{rows[0].get('LocalPart')}@{rows[0].get('EmailDomainName')}"
    listed = str(rows[0].get("AuthorizedSenders") or "").replace(";", ",").split(",")
    if address_problem(address):
        return None
    return Fetched(BccAddress(address), tuple(one.strip() for one in listed if one.strip()))


def missing_senders(rep: Rep, listed: tuple[str, ...]) -> list[str]:
    """Give the rep's addresses that are not on Salesforce's list, which holds addresses and domains."""
    taken: set[str] = set()
    for text in listed:
        try:
            taken.add(
                comparable_any_case(parse_mailbox(text, smtputf8=True))
                if "@" in text.strip("@")
                else text.lower().lstrip("@")
            )
        except AddressError:
            taken.add(text.lower().lstrip("@"))
    forms = {str(one): comparable_any_case(one) for one in rep.addresses}
    return [text for text, form in forms.items() if form not in taken and form.partition("@")[2] not in taken]


def looks_like_salesforce(text: str) -> bool:
    """Tell whether an address has the form of an Email to Salesforce address, whatever its instance."""
    local, _, domain = text.lower().rpartition("@")
    return local == "emailtosalesforce" and domain.endswith(_SALESFORCE_DOMAIN)
