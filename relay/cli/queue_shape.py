"""`relay queue shape` and `relay queue why`: the queue at a glance, and what to do about it."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from relay.cli.common import ConfigOption, JsonOption, fail, load_configuration, nobody_answers, with_store
from relay.cli.pauses import pause_lines, pauses_of
from relay.cli.queue_choice import Choice, chosen
from relay.cli.show import Json, ago, instant, print_json, print_table, safe
from relay.clock import SystemClock
from relay.config.loader import Configuration
from relay.delivery.routing import comparable_domain, routing_of
from relay.errors import CommandError
from relay.queue.rows import address
from relay.queue.selection import Selection
from relay.queue.survey import AGES, By, Cause, Causes, RouteOf, Shape, go_through
from relay.web.admin import ask

Rows = Annotated[int, typer.Option("--limit", "-n", min=1, max=5000, help="Show at most so many rows.")]

_COLUMNS = (*(f"{minutes}m" for minutes in AGES), "older")
_DESTINATIONS = 5


@chosen
def shape(
    context: typer.Context,
    choice: Choice,
    by: Annotated[By, typer.Option("--by", help="What the rows are.")] = By.DOMAIN,
    limit: Rows = 20,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Count what waits by destination and age: each column holds what is younger than its minutes."""
    configuration = load_configuration(context, config)
    now = SystemClock().now()
    counted = Shape(by, now, _one_selection(choice), _routes(configuration))
    with_store(configuration, lambda database: go_through(database, counted))
    largest, total = counted.largest(limit), counted.total()
    if json:
        items = [_shape_json(by.value, name, ages) for name, ages in largest]
        print_json("relay.queue.shape/1", items, total=_shape_json(by.value, "", total))
        return
    rows = [("TOTAL", sum(total), *total), *((name, sum(ages), *ages) for name, ages in largest)]
    print_table((by.value.upper(), "T", *_COLUMNS), rows)
    _tell_of_rest(len(counted.rows) - len(largest))


@chosen
def why(
    context: typer.Context,
    choice: Choice,
    limit: Rows = 20,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Group what waits by its reason, with what to do; and tell what is left alone just now: hops, and Salesforce."""
    configuration = load_configuration(context, config)
    causes = Causes(_one_selection(choice))
    with_store(configuration, lambda database: go_through(database, causes))
    largest, hops = causes.largest(limit), _hops_in_trouble(configuration)
    pauses = pauses_of(configuration.state_dir)
    if json:
        print_json("relay.queue.why/1", [_cause_json(cause) for cause in largest], hops=hops, pauses=pauses)
        return
    now = SystemClock().now()
    for cause in largest:
        _print_cause(cause, now)
    for hop in hops or ():
        stands, again = (
            ("is left alone", f"tried again in {hop['retry_in']} s")
            if hop["retry_in"]
            else ("had trouble", "the next mail tries it again")
        )
        where = f"hop {safe(str(hop['host']))} (route {safe(str(hop['route']))})"
        typer.echo(f"{where} {stands}: {safe(str(hop['trouble']))}; {again}")
    for line in pause_lines(pauses or ()):
        typer.echo(line)
    if not largest:
        typer.echo("nothing waits")
    elif hops is None:
        typer.echo(nobody_answers(configuration))
    _tell_of_rest(len(causes.found) - len(largest))


def _one_selection(choice: Choice) -> Selection:
    if choice.ids:
        fail("this looks at the whole queue: give a selector such as --domain, not ids", 2)
    return choice.selection()


def _routes(configuration: Configuration) -> RouteOf:
    settings = configuration.settings
    routing = routing_of(settings.upstream, settings.logging.bcc.transaction, settings.notices.route)
    return lambda own, sender, domain: routing.route_of(
        own, address(sender) if sender else None, comparable_domain(domain)
    )


def _hops_in_trouble(configuration: Configuration) -> list[Json] | None:
    """Ask a running service which hops it leaves alone; None when there is none to ask."""
    try:
        hops = ask(configuration.state_dir, "GET", "/status").get("hops")
    except CommandError:
        return None
    known = hops if isinstance(hops, list) else []
    return [hop for hop in known if isinstance(hop, Mapping) and hop.get("trouble")]


def _shape_json(by: str, name: str, ages: Sequence[int]) -> Json:
    return {by: name, "total": sum(ages), "ages": dict(zip(_COLUMNS, ages, strict=True))}


def _cause_json(cause: Cause) -> Json:
    return {
        "count": cause.count,
        "state": cause.state,
        "kind": cause.play.kind,
        "reason": cause.reason,
        "example": cause.example,
        "oldest": instant(cause.oldest),
        "next_attempt": instant(cause.next_attempt_at),
        "destinations": [
            {"domain": domain, "count": count}
            for domain, count in cause.destinations.most_common(_DESTINATIONS)
        ],
        "advice": cause.play.advice,
    }


def _print_cause(cause: Cause, now: int) -> None:
    due = cause.next_attempt_at
    then = "" if due is None else ", next now" if due <= now else f", next in {ago(due, now)}"
    typer.echo(f"{cause.count} {cause.state}, oldest {ago(cause.oldest, now)}{then} [{cause.play.kind}]")
    if cause.example:
        typer.echo(f"    {safe(cause.example)}")
    where = cause.destinations.most_common(_DESTINATIONS)
    more = len(cause.destinations) - len(where)
    listed = ", ".join(f"{domain} {count}" for domain, count in where)
    typer.echo(f"    to {safe(listed)}{f' and {more} more' if more > 0 else ''}")
    typer.echo(f"    -> {cause.play.advice}\n")


def _tell_of_rest(left: int) -> None:
    if left > 0:
        typer.echo(f"{left} more rows; -n shows more", err=True)
