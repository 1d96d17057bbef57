"""What `relay explain` does and prints: the decision about a mail, and the records that would be made of it."""

import asyncio
import json as json_text
import sys
from dataclasses import dataclass
from pathlib import Path

import typer

from relay.cli.common import EXIT_CONFIG, EXIT_USAGE, fail
from relay.cli.salesforce import organization_client
from relay.cli.show import print_json, safe
from relay.cli.user_access import directory
from relay.clock import SystemClock
from relay.config.loader import Configuration
from relay.config.model import Mode
from relay.errors import AddressError, ConfigError, RelayError
from relay.policy.rules import Rules, compile_rules
from relay.salesforce.asked import with_controls
from relay.salesforce.capturing import logging_of
from relay.salesforce.composed import MailParts
from relay.salesforce.explaining import Explanation, Tried, explain, facts_of, is_left_out, tried
from relay.salesforce.lookup import Lookup
from relay.salesforce.org import Organization
from relay.salesforce.planning import RecordPlan, plan_records
from relay.salesforce.reading import MAXIMUM_CONTENT, read_mail, wants_of
from relay.salesforce.wire_form import wire_form

_MARKS = {"ok": "ok", "no": "no", "info": "-"}


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for."""

    file: Path
    rep: str
    recipients: tuple[str, ...]
    """Empty: those of the header."""
    sender: str | None
    salesforce: bool
    """Whether the recipients are looked up."""
    json: bool


def tell(configuration: Configuration, asked: Request) -> None:
    """Tell what would become of the mail. Exits with 1 when it would be refused."""
    wire = wire_form(_octets(asked.file))
    try:
        mail, rules = _mail(configuration, wire, asked)
    except ConfigError as error:
        fail(str(error), EXIT_CONFIG)
    except AddressError as error:
        fail(f"an address cannot be used: {error}", EXIT_USAGE)
    explanation = explain(mail, rules, configuration.settings.limits.signed_bcc)
    plan, problem = None, ""
    if explanation.outcome == "log" and explanation.mode in (Mode.API, Mode.OBSERVE):
        plan, problem = None, _NOT_ASKED
        if asked.salesforce:
            parts = read_mail(wire, wants_of(logging_of(configuration.settings.logging, mail.rep).capture))
            plan, problem = _plan(configuration, mail, rules, explanation, parts)
    if asked.json:
        print_json("relay.explain/1", [_json(explanation, plan, problem)])
    else:
        _print(explanation, plan, problem)
    if explanation.outcome == "refused":
        raise typer.Exit(1)


_NOT_ASKED = "the recipients were not looked up (--no-salesforce)"


def _octets(file: Path) -> bytes:
    try:
        if str(file) == "-":
            return sys.stdin.buffer.read(MAXIMUM_CONTENT)
        with file.open("rb") as opened:
            return opened.read(MAXIMUM_CONTENT)
    except OSError as error:
        fail(f"cannot read {file}: {error.strerror}", EXIT_USAGE)


def _mail(configuration: Configuration, wire: bytes, asked: Request) -> tuple[Tried, Rules]:
    reps = directory(configuration)
    rep = reps.by_login(asked.rep)
    if rep is None:
        fail(f"there is no rep {asked.rep!r}; see `relay user list`")
    rules = compile_rules(
        configuration.settings, configuration.place, reps.reps(), hostname=configuration.hostname
    )
    mail = tried(wire, rep, asked.recipients, asked.sender)
    if not mail.recipients:
        fail("nobody is named in To, Cc or Bcc: give --rcpt", EXIT_USAGE)
    return mail, rules


def _plan(
    configuration: Configuration, mail: Tried, rules: Rules, explanation: Explanation, parts: MailParts
) -> tuple[RecordPlan | None, str]:
    """Look the recipients up; or say why that cannot be done."""
    if configuration.settings.salesforce is None:
        return None, "the settings have no salesforce: nobody can be looked up"
    try:
        return asyncio.run(_looked_up(configuration, mail, rules, explanation, parts)), ""
    except RelayError as error:
        return None, f"the recipients could not be looked up: {error}"


async def _looked_up(
    configuration: Configuration, mail: Tried, rules: Rules, explanation: Explanation, parts: MailParts
) -> RecordPlan:
    logging, clock = logging_of(configuration.settings.logging, mail.rep), SystemClock()
    async with organization_client(configuration, [mail.rep]) as client:
        lookup = Lookup(client, clock, logging.match)
        try:
            shape = await Organization(client, clock).shape()
            return await plan_records(
                parts,
                with_controls(facts_of(mail, explanation, clock.now()), logging),
                lookup,
                shape,
                logging,
                lambda address: is_left_out(address, mail.rep, rules),
            )
        finally:
            await lookup.close()


def _print(explanation: Explanation, plan: RecordPlan | None, problem: str) -> None:
    for step in explanation.steps:
        rule = f"  [{step.rule}]" if step.rule else ""
        print(safe(f"{_MARKS[step.verdict]:<3} {step.title:<11} {step.text}{rule}"))
    if plan is None and not problem:
        return
    print("records")
    if problem:
        print(safe(f"    {problem}"))
    if plan is not None:
        _print_plan(plan)


def _print_plan(plan: RecordPlan) -> None:
    print(safe(f"    {plan.match.decision}: {plan.kind} ({plan.why_kind})"))
    for line in plan.match.why.splitlines():
        print(safe(f"    {line}"))
    for record in plan.records:
        print(safe(f"  {record.summary}"))
        for line in json_text.dumps(record.fields, ensure_ascii=False, indent=2).splitlines():
            print(safe(f"    {line}"))
        for one in record.follow_ups:
            print(safe(f"    then {one.object}: {json_text.dumps(one.fields, ensure_ascii=False)}"))


def _json(explanation: Explanation, plan: RecordPlan | None, problem: str) -> dict[str, object]:
    return {
        "outcome": explanation.outcome,
        "mode": explanation.mode,
        "reply": explanation.reply or None,
        "why": explanation.why,
        "rule": explanation.rule,
        "steps": [
            {"title": one.title, "verdict": one.verdict, "text": one.text, "rule": one.rule or None}
            for one in explanation.steps
        ],
        "deliveries": [
            {
                "role": one.role,
                "transport": one.transport,
                "target": one.target,
                "skipped": one.skipped or None,
                "rule": one.rule or None,
            }
            for one in explanation.deliveries
        ],
        "looked_up": list(explanation.looked_up),
        "records": None if plan is None else _plan_json(plan),
        "problem": problem or None,
    }


def _plan_json(plan: RecordPlan) -> dict[str, object]:
    return {
        "decision": plan.match.decision,
        "why": plan.match.why.splitlines(),
        "kind": plan.kind,
        "related": list(dict.fromkeys(one for record in plan.records for one in record.related)),
        "payload": [
            {
                "object": record.object,
                "summary": record.summary,
                "fields": dict(record.fields),
                "then": [{"object": one.object, "fields": dict(one.fields)} for one in record.follow_ups],
            }
            for record in plan.records
        ],
    }
