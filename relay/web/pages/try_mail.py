"""*Try*: drop a mail and see the whole decision and what would be written; nothing happens."""

import asyncio
import json
from collections.abc import Sequence

from starlette.datastructures import UploadFile
from starlette.responses import Response

from relay.config.model import Mode
from relay.errors import AddressError, RelayError
from relay.salesforce.capturing import logging_of
from relay.salesforce.client import SalesforceClient
from relay.salesforce.composed import Intended
from relay.salesforce.exchange import SalesforceError
from relay.salesforce.explaining import Explanation, Tried, explain, facts_of, is_left_out, tried
from relay.salesforce.faults_table import explanation as words_of_fault
from relay.salesforce.planning import RecordPlan, plan_records
from relay.salesforce.reading import read_mail, wants_of
from relay.salesforce.wire_form import wire_form
from relay.web.access import Access, Entry, PageRoute, get, post
from relay.web.asking import Ask
from relay.web.sentences import plain

LARGEST = 32 * 1024 * 1024
"""Octets of a mail that may be tried; larger ones are refused while they come in."""
_MOST_RECIPIENTS = 100
_PATIENCE = 20.0
"""Seconds that Salesforce gets to answer; the decision is shown without it after that."""
_SHOWN_FIELDS = 4000
_UNPROCESSABLE = 422


def routes() -> Sequence[PageRoute]:
    """Give the routes."""
    return (
        get("/try", show, Access.SIGNED_IN, entry=Entry("main", "nav.try")),
        post("/try", look, Access.SIGNED_IN, body_limit=LARGEST),
    )


async def show(ask: Ask) -> Response:
    """Show the form."""
    return _page(ask)


async def look(ask: Ask) -> Response:
    """Explain the mail of the form as if who asks had sent it."""
    upload, text = ask.form.get("file"), ask.form.get("text", "")
    octets = await upload.read(LARGEST) if isinstance(upload, UploadFile) else b""
    if not octets and isinstance(text, str):
        octets = text.encode("utf-8", "replace")
    if not octets.strip():
        return _page(ask, _UNPROCESSABLE, problem=ask.words("try_mail.nothing"))
    wire = await asyncio.to_thread(wire_form, octets)
    recipients = [one for one in ask.field("recipients", 20_000).replace(",", " ").split() if one][
        :_MOST_RECIPIENTS
    ]
    try:
        mail = await asyncio.to_thread(tried, wire, ask.rep, recipients)
    except AddressError as error:
        return _page(
            ask, _UNPROCESSABLE, problem=ask.words("try_mail.address", problem=plain(ask.words, str(error)))
        )
    if not mail.recipients:
        return _page(ask, _UNPROCESSABLE, problem=ask.words("try_mail.nobody"))
    rules, signed_bcc = ask.house.actions.rules(), ask.house.configuration.settings.limits.signed_bcc
    explanation = await asyncio.to_thread(explain, mail, rules, signed_bcc)
    plan, trouble = await _planned(ask, wire, mail, explanation)
    return _page(ask, explanation=explanation, plan=plan, trouble=trouble)


def _page(
    ask: Ask,
    status: int = 200,
    problem: str = "",
    explanation: Explanation | None = None,
    plan: RecordPlan | None = None,
    trouble: str = "",
) -> Response:
    payloads = [_payload(one) for one in plan.records] if plan else []
    return ask.render(
        "try_mail.html",
        status,
        problem=problem,
        explanation=explanation,
        plan=plan,
        payloads=payloads,
        trouble=trouble,
        marks={"ok": "ok", "no": "bad", "info": "skip"},
        outcomes={"log": "ok", "given": "ok", "skipped": "skip", "refused": "bad"},
    )


def _payload(record: Intended) -> tuple[str, str]:
    """Give what would be written: in words, and field by field."""
    fields = {
        name: f"{value[:_SHOWN_FIELDS]}…" if isinstance(value, str) and len(value) > _SHOWN_FIELDS else value
        for name, value in record.fields.items()
    }
    return record.summary, json.dumps(fields, ensure_ascii=False, indent=2)


async def _planned(
    ask: Ask, wire: bytes, mail: Tried, explanation: Explanation
) -> tuple[RecordPlan | None, str]:
    """Look the recipients up as the recorder would; or say why that is not done."""
    if explanation.outcome != "log" or explanation.mode not in (Mode.API, Mode.OBSERVE):
        return None, ""
    client = ask.house.actions.salesforce()
    if client is None:
        return None, ask.words("try_mail.no_salesforce")
    try:
        async with asyncio.timeout(_PATIENCE):
            return await _plan(ask, client, wire, mail, explanation), ""
    except SalesforceError as error:
        problem = f"{error.fault.code}: {words_of_fault(error.fault, ask.words.texts)}"
        return None, ask.words("try_mail.not_looked_up", problem=problem)
    except RelayError as error:
        return None, ask.words("try_mail.not_looked_up", problem=plain(ask.words, str(error)))
    except TimeoutError:
        return None, ask.words("try_mail.slow")


async def _plan(
    ask: Ask, client: SalesforceClient, wire: bytes, mail: Tried, explanation: Explanation
) -> RecordPlan:
    from relay.salesforce.lookup import Lookup
    from relay.salesforce.org import Organization

    rules = ask.house.actions.rules()
    logging = logging_of(ask.house.configuration.settings.logging, mail.rep)
    parts = await asyncio.to_thread(read_mail, wire, wants_of(logging.capture))
    lookup = Lookup(client, ask.house.clock, logging.match)
    try:
        shape = await Organization(client, ask.house.clock).shape()
        facts = facts_of(mail, explanation, ask.now)
        return await plan_records(
            parts, facts, lookup, shape, logging, lambda address: is_left_out(address, mail.rep, rules)
        )
    finally:
        await lookup.close()
