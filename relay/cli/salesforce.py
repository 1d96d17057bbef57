"""`relay salesforce whoami|describe|limits`: whether the organisation can be reached, as whom, and what is left of the day."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, TypeVar

import typer

from relay.cli.common import (
    EXIT_CONFIG,
    EXIT_TRY_AGAIN,
    ConfigOption,
    JsonOption,
    fail,
    load_configuration,
    open_store,
)
from relay.cli.show import instant, print_json, print_table, safe
from relay.cli.user_access import directory
from relay.clock import SystemClock
from relay.config.loader import Configuration
from relay.config.recording import SalesforceSettings
from relay.directory.model import Rep
from relay.errors import CommandError
from relay.salesforce.client import LOOK_UP, SalesforceClient, SalesforceError
from relay.salesforce.exchange import Description, Field
from relay.salesforce.faults_table import explanation
from relay.salesforce.model import FaultKind
from relay.salesforce.opening import open_client
from relay.salesforce.org import Organization

T = TypeVar("T")
AsRep = Annotated[
    str | None,
    typer.Option("--as", metavar="REP", help="As this rep; as whoever looks up for all when not given."),
]


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    group = typer.Typer(
        no_args_is_help=True, help="The Salesforce organisation: who we are there, what it has, what is left."
    )
    group.command("whoami")(whoami)
    group.command("describe")(describe)
    group.command("limits")(limits)
    app.add_typer(group, name="salesforce")


def whoami(
    context: typer.Context, rep: AsRep = None, as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Sign in, and tell as whom: user, organisation, and how mail would be written there."""
    configuration = load_configuration(context, config)
    person = rep_named(configuration, rep) if rep is not None else None

    async def ask(client: SalesforceClient) -> dict[str, object]:
        who = await client.whoami(LOOK_UP if person is None else client.identity_of(person))
        shape = await Organization(client, SystemClock()).shape()
        return {
            "username": who.username,
            "name": who.name,
            "email": who.email,
            "user_id": who.user_id,
            "organization_id": who.organization_id,
            "instance": who.instance_url,
            "api_version": who.api_version,
            "auth": _settings(configuration).auth.kind,
            "record": shape.kind.value,
            "why": shape.why,
        }

    _show("relay.salesforce.whoami/1", with_client(configuration, ask), as_json)


def describe(
    context: typer.Context,
    object: Annotated[
        str | None, typer.Argument(metavar="[OBJECT]", help="An object such as Task or EmailMessage.")
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Tell what the organisation has switched on; with OBJECT, the fields that are there and may be written."""
    configuration = load_configuration(context, config)
    if object is None:
        _show("relay.salesforce.describe/1", with_client(configuration, _organization), as_json)
        return
    if not object.isidentifier():
        raise CommandError(f"{object!r} is not the name of an object", 2)
    described = with_client(configuration, lambda client: client.describe(object))
    if described is None:
        fail(f"{object} is not there, or this user may not see it")
    _show_fields(described, as_json)


def limits(context: typer.Context, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Tell how many API calls of the last 24 hours are used, and when the relay stops."""
    configuration = load_configuration(context, config)
    settings = _settings(configuration).limits

    async def ask(client: SalesforceClient) -> dict[str, object]:
        answer = await client.get("limits/")
        day = answer.get("DailyApiRequests") if isinstance(answer, Mapping) else None
        told = day if isinstance(day, Mapping) else {}
        most, left = told.get("Max"), told.get("Remaining")
        maximum, remaining = (one if isinstance(one, int) else 0 for one in (most, left))
        return {
            "maximum": maximum,
            "used": maximum - remaining,
            "remaining": remaining,
            "percent_used": round(100 * (maximum - remaining) / maximum, 1) if maximum else 0.0,
            "background_stops_at": maximum * settings.stop_background_at // 100,
            "logging_stops_at": maximum * settings.stop_logging_at // 100,
            "asked_at": instant(SystemClock().now()),
        }

    _show("relay.salesforce.limits/1", with_client(configuration, ask), as_json)


async def _organization(client: SalesforceClient) -> dict[str, object]:
    shape = await Organization(client, SystemClock()).shape()
    types = shape.task.fields.get("Type") if shape.task is not None else None
    return {
        "record": shape.kind.value,
        "why": shape.why,
        "shared_activities": shape.shared_activities,
        "person_accounts": shape.person_accounts,
        "relay_key_on_task": shape.has_key("Task"),
        "relay_key_on_email_message": shape.has_key("EmailMessage"),
        "task_types": list(types.picklist) if types is not None else [],
        "statuses": [f"{row.value} (closed)" if row.closed else row.value for row in shape.statuses],
        "priorities": [f"{row.value} (high)" if row.high else row.value for row in shape.priorities],
    }


def _show_fields(described: Description, as_json: bool) -> None:
    fields = sorted(described.fields.values(), key=lambda one: one.name)
    if as_json:
        items = [
            {
                "name": one.name,
                "type": one.type,
                "length": one.length,
                "createable": one.createable,
                "updateable": one.updateable,
                "picklist": list(one.picklist),
            }
            for one in fields
        ]
        beside = {"object": described.name, "createable": described.createable}
        print_json("relay.salesforce.fields/1", items, **beside)
        return
    print_table(("FIELD", "TYPE", "LENGTH", "MAY BE", "VALUES"), [_row(one) for one in fields])


def _row(one: Field) -> tuple[str, ...]:
    may = [word for word, allowed in (("created", one.createable), ("changed", one.updateable)) if allowed]
    values = ", ".join(one.picklist) or ", ".join(one.reference_to) or "-"
    return one.name, one.type, str(one.length or "-"), ", ".join(may) or "read", values


def _show(schema: str, item: Mapping[str, object], as_json: bool) -> None:
    if as_json:
        print_json(schema, [item])
        return
    width = max(len(name) for name in item)
    for name, value in item.items():
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        print(f"{name.replace('_', ' '):{width}}  {safe(text) or '-'}")


def _settings(configuration: Configuration) -> SalesforceSettings:
    settings = configuration.settings.salesforce
    if settings is None:
        fail(
            "the settings name no Salesforce organisation (salesforce:); see docs/salesforce.md", EXIT_CONFIG
        )
    return settings


def rep_named(configuration: Configuration, login: str) -> Rep:
    """Find a rep. Raises CommandError for nobody."""
    rep = directory(configuration).by_login(login)
    if rep is None:
        raise CommandError(f"there is no rep {login!r}; see `relay user list`")
    return rep


def with_client(configuration: Configuration, work: Callable[[SalesforceClient], Awaitable[T]]) -> T:
    """Do the work with a client; what Salesforce refuses is told in plain words: exit 75 when it may pass, else 1."""
    _settings(configuration)
    reps = directory(configuration).reps()

    async def whole() -> T:
        async with organization_client(configuration, reps) as client:
            return await work(client)

    try:
        return asyncio.run(whole())
    except SalesforceError as error:
        fault = error.fault
        text = f"Salesforce: {fault.code}: {safe(fault.message)}\n{explanation(fault)}"
        fail(text, EXIT_TRY_AGAIN if fault.kind in (FaultKind.AGAIN, FaultKind.LIMIT) else 1)


@asynccontextmanager
async def organization_client(
    configuration: Configuration, reps: Sequence[Rep]
) -> AsyncIterator[SalesforceClient]:
    """Open a client; with the store where a refresh token may be replaced, which must not be lost."""
    settings = _settings(configuration)
    async with AsyncExitStack() as stack:
        database = None
        if any(
            one is not None and one.kind == "refresh_token" for one in (settings.auth, settings.look_up_as)
        ):
            database = await stack.enter_async_context(open_store(configuration))
        client = open_client(configuration, SystemClock(), database=database, reps=reps)
        stack.push_async_callback(client.close)
        yield client
