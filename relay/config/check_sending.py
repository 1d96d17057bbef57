"""Check where mail goes next: routes, the rules that pick them, retries, and the relay's own mail.

Pure.
"""

from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_address

from relay.config.draft import Draft
from relay.config.explain import Finding, did_you_mean
from relay.config.forms import address_problem, domain_problem, host_problem
from relay.config.model import NoticeSettings, ResolverSettings, RouteChoice, RouteSettings
from relay.config.tree import Path

_SHORTEST_WAIT = timedelta(seconds=1)


def check_sending(draft: Draft) -> Iterator[Finding]:
    """Check each route, then what names one, then the relay's own mail and the retries."""
    upstream = draft.settings.upstream
    if not draft.route_names:
        yield Finding(("upstream", "routes"), "must hold at least one route")
    for name, route in upstream.routes.items():
        yield from _route(route, ("upstream", "routes", name))
        yield from _sign_in(route, ("upstream", "routes", name, "auth"))
    yield from _route_name(draft, ("upstream", "default"), upstream.default)
    for number, choice in enumerate(upstream.select):
        yield from _choice(draft, choice, ("upstream", "select", number))
    yield from _resolver(upstream.resolver, ("upstream", "resolver"))
    yield from _notices(draft, draft.settings.notices)
    yield from _retries(draft)


def _route(route: RouteSettings, path: Path) -> Iterator[Finding]:
    if route.kind == "mx":
        yield from _exchangers(route, path)
    elif not route.host:
        yield Finding(
            (*path, "host"),
            "is required for a smarthost: the name of the host that takes the mail",
            given=((*path, "kind"),),
        )
    elif problem := host_problem(route.host):
        yield Finding((*path, "host"), f'"{route.host}" {problem}')
    if route.tls == "none" and route.tls_ca is not None:
        yield Finding((*path, "tls_ca"), "is of no use with tls: none", "warning")
    for name in ("connect", "command", "data", "block", "end"):
        if getattr(route.timeouts, name) < _SHORTEST_WAIT:
            yield Finding((*path, "timeouts", name), "must be 1s or more")


def _exchangers(route: RouteSettings, path: Path) -> Iterator[Finding]:
    if route.host is not None:
        yield Finding(
            (*path, "host"), "DNS names the hosts of kind: mx; leave it out, or write kind: smarthost"
        )
    if route.tls == "implicit":
        yield Finding(
            (*path, "tls"), "mail exchangers have no port with TLS from the start: write opportunistic"
        )
    if route.auth.kind != "none":
        yield Finding((*path, "auth"), "nobody signs in at mail exchangers; leave it out")


def _resolver(resolver: ResolverSettings, path: Path) -> Iterator[Finding]:
    for number, server in enumerate(resolver.nameservers):
        try:
            ip_address(server)
        except ValueError:
            yield Finding((*path, "nameservers", number), f'"{server}" is not an IP address')
    if resolver.timeout < _SHORTEST_WAIT:
        yield Finding((*path, "timeout"), "must be 1s or more")


def _sign_in(route: RouteSettings, path: Path) -> Iterator[Finding]:
    auth = route.auth
    if auth.kind == "none":
        if auth.username is not None or auth.password is not None:
            yield Finding(path, "has a username or password, but kind: none; write kind: password", "warning")
        return
    if not auth.username:
        yield Finding((*path, "username"), "is required with kind: password")
    if auth.password is None:
        yield Finding(
            (*path, "password"), "is required with kind: password: {file: …}, {env: …} or {credential: …}"
        )
    if route.tls in ("none", "opportunistic") and route.kind != "mx":
        yield Finding(path, f"may send the password in clear text: the route has tls: {route.tls}", "warning")


def _route_name(draft: Draft, path: Path, name: str) -> Iterator[Finding]:
    if name not in draft.route_names:
        text = f'"{name}" names no route{did_you_mean(name, sorted(draft.route_names))}'
        yield Finding(path, text, given=(("upstream", "routes"),))


def _choice(draft: Draft, choice: RouteChoice, path: Path) -> Iterator[Finding]:
    yield from _route_name(draft, (*path, "route"), choice.route)
    if not (choice.sender_domain or choice.recipient_domain or choice.sender):
        yield Finding(path, "has no condition; name a sender_domain, recipient_domain or sender")
    for name in ("sender_domain", "recipient_domain"):
        domain = getattr(choice, name)
        if domain is not None and (problem := domain_problem(domain.removeprefix("*."))):
            yield Finding((*path, name), f'"{domain}" {problem}')
    if choice.sender is not None and (problem := address_problem(choice.sender)):
        yield Finding((*path, "sender"), f'"{choice.sender}" {problem}')


def _notices(draft: Draft, notices: NoticeSettings) -> Iterator[Finding]:
    if notices.route is not None:
        yield from _route_name(draft, ("notices", "route"), notices.route)
    for name, text in (("from", notices.from_), ("postmaster", notices.postmaster)):
        if text is None:
            continue
        whole = text if "@" in text else f"{text}@relay.example.com"
        if problem := address_problem(whole):
            yield Finding(("notices", name), f'"{text}" {problem}')
        elif name == "from" and not whole.rpartition("@")[0].isascii():
            yield Finding(
                ("notices", name),
                f'"{text}" must be ASCII before the @: reports go through hosts that know no other addresses',
            )


def _retries(draft: Draft) -> Iterator[Finding]:
    delivery, logging = draft.settings.retry.delivery, draft.settings.retry.logging
    for name, schedule, give_up in (
        ("delivery", delivery.schedule, delivery.give_up_after),
        ("logging", logging.schedule, logging.give_up_after),
    ):
        path = ("retry", name, "schedule")
        if not schedule:
            yield Finding(path, "must hold at least one wait, such as 5m")
        for number, wait in enumerate(schedule):
            if wait < _SHORTEST_WAIT:
                yield Finding((*path, number), "must be 1s or more")
        if give_up < _SHORTEST_WAIT:
            yield Finding(("retry", name, "give_up_after"), "must be 1s or more")
