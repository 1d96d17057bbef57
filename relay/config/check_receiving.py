"""Check what mail clients meet: listeners, their proofs and certificate, sign-in, limits.

Pure.
"""

from collections.abc import Iterator

from relay.config.draft import Draft
from relay.config.explain import Finding
from relay.config.forms import domain_problem, network_problem
from relay.config.model import ListenerSettings, RelaySettings
from relay.config.tree import Path


def check_receiving(draft: Draft) -> Iterator[Finding]:
    """Check the listeners one by one, then against each other, then the rest."""
    for number, listener in zip(draft.numbered("listeners"), draft.settings.listeners, strict=True):
        path = ("listeners", number)
        yield from _listener_tls(listener, path, draft.settings)
        yield from _listener_sign_in(listener, path, draft.settings)
        yield from _trust(listener, path)
    yield from _twice(draft)
    yield from _server(draft.settings)


def _listener_tls(listener: ListenerSettings, path: Path, settings: RelaySettings) -> Iterator[Finding]:
    if listener.tls != "none" and settings.tls is None:
        yield Finding(
            (*path, "tls"),
            f"{listener.tls} needs a certificate: write tls: {{certificate: …, private_key: {{file: …}}}} at the top level",
            given=(("tls",),),
        )
    if listener.tls == "none" and listener.client_ca is not None:
        yield Finding(
            (*path, "client_ca"),
            "is of no use with tls: none; write tls: starttls or implicit",
            given=((*path, "tls"),),
        )


def _listener_sign_in(listener: ListenerSettings, path: Path, settings: RelaySettings) -> Iterator[Finding]:
    if listener.auth == "none":
        return
    if listener.trust is not None:
        yield Finding(
            (*path, "trust"), f"is only looked at with auth: none; here auth is {listener.auth}", "warning"
        )
    if listener.tls == "none" and settings.auth.require_tls:
        yield Finding(
            (*path, "auth"),
            "nobody can sign in here: the listener has tls: none, and auth.require_tls is true",
            "warning",
            given=(("auth", "require_tls"), (*path, "tls")),
        )
    elif listener.tls != "implicit" and not settings.auth.require_tls:
        yield Finding(
            ("auth", "require_tls"),
            f"lets passwords cross in clear text at listener {listener.name}",
            "warning",
            given=((*path, "auth"), (*path, "tls")),
        )


def _trust(listener: ListenerSettings, path: Path) -> Iterator[Finding]:
    trust = listener.trust
    if listener.auth == "none" and (trust is None or not (trust.networks or trust.client_certificate_names)):
        yield Finding(
            (*path, "trust"),
            "auth: none without a proof would be an open relay; write trust: {networks: […]}"
            " or trust: {client_certificate_names: […]}",
            given=((*path, "auth"),),
        )
    if trust is None:
        return
    for index, network in enumerate(trust.networks):
        if problem := network_problem(network):
            yield Finding((*path, "trust", "networks", index), f'"{network}" {problem}')
    for index, name in enumerate(trust.client_certificate_names):
        if problem := domain_problem(name.removeprefix("*.")):
            yield Finding((*path, "trust", "client_certificate_names", index), f'"{name}" {problem}')
    if trust.client_certificate_names:
        at = (*path, "trust", "client_certificate_names")
        if listener.tls == "none":
            yield Finding(
                at, "needs TLS: write tls: starttls or implicit for this listener", given=((*path, "tls"),)
            )
        if listener.client_ca is None:
            yield Finding(
                at,
                "needs client_ca: the CA that the clients' certificates are checked against",
                given=((*path, "client_ca"),),
            )


def _twice(draft: Draft) -> Iterator[Finding]:
    names: dict[str, Path] = {}
    addresses: dict[str, Path] = {}
    for number, listener in zip(draft.numbered("listeners"), draft.settings.listeners, strict=True):
        at: Path = ("listeners", number)
        if not listener.name:
            yield Finding((*at, "name"), "is empty; give the listener a name such as submission")
        if (first := names.setdefault(listener.name, at)) != at:
            yield Finding((*at, "name"), f'"{listener.name}" is also the name of {_other(draft, first)}')
        address = str(listener.address)
        if listener.address.port and (first := addresses.setdefault(address, at)) != at:
            yield Finding((*at, "address"), f"{address} is also the address of {_other(draft, first)}")
    metrics = draft.settings.metrics.address
    if metrics is not None and metrics.port and (taken := addresses.get(str(metrics))):
        yield Finding(("metrics", "address"), f"{metrics} is also the address of {_other(draft, taken)}")


def _other(draft: Draft, path: Path) -> str:
    return f"{'.'.join(map(str, path))} ({draft.place(path)})"


def _server(settings: RelaySettings) -> Iterator[Finding]:
    hostname = settings.server.hostname
    if hostname is not None and (problem := domain_problem(hostname)):
        yield Finding(("server", "hostname"), f'"{hostname}" {problem}')
    if settings.server.store == "postgresql":
        yield Finding(
            ("server", "store"), "postgresql is for a later version; this one keeps its queue in sqlite"
        )
    if not settings.server.state_dir:
        yield Finding(("server", "state_dir"), "is empty; name a folder")
    if settings.limits.header_size > settings.limits.message_size:
        yield Finding(("limits", "header_size"), "is larger than limits.message_size")
