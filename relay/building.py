"""Make of one Configuration and the reps all that the running parts go by: one value, swapped whole at a reload."""

import logging
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from relay.certificate import ending, ends_at
from relay.clock import Clock, SystemClock
from relay.config.loader import Configuration
from relay.config.model import ListenerSettings
from relay.config.secrets import read_secret, secret_references
from relay.directory.change_store import ChangeStore
from relay.directory.changes import merged_configuration
from relay.directory.credentials import CredentialRules
from relay.directory.model import Directory
from relay.directory.store import DirectoryStore, reps_of_settings
from relay.directory.throttle import Limits
from relay.errors import CommandError, ConfigError, Problem
from relay.policy.rules import Rules, compile_rules, left_out
from relay.queue.rules import RunnerRules, rules_of
from relay.storage.database import Transaction
from relay.tls import client_context, see_certificate, server_context

if TYPE_CHECKING:
    from relay.delivery.courier import SmtpCourier

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Built:
    """What the parts go by. Never changed, only replaced whole."""

    configuration: Configuration
    directory: Directory
    rules: Rules
    contexts: Mapping[str, ssl.SSLContext]
    """By listener name, for those with TLS."""
    credentials: CredentialRules
    runner: RunnerRules
    page_context: ssl.SSLContext | None = None
    """The page's, where it has TLS."""
    certificate_ends: int | None = None
    """When the certificate of both ends, in microseconds UTC; None where there is none, or it does not tell."""

    def with_directory(self, directory: Directory) -> "Built":
        """Give the same under other reps. Raises ConfigError when no rules can be made of them."""
        return replace(self, directory=directory, rules=_rules_of(self.configuration, directory))


def build(configuration: Configuration, directory: Directory) -> Built:
    """Build everything. Raises ConfigError, or CommandError (78) that names what cannot be read."""
    for problem in left_out(configuration.settings, configuration.place, directory.reps()):
        logger.warning("%s", problem)
    return Built(
        configuration,
        directory,
        _rules_of(configuration, directory),
        listener_contexts(configuration),
        _credential_rules(configuration),
        rules_of(configuration.settings, configuration.hostname),
        _page_context(configuration),
        _certificate_ends(configuration),
    )


def with_changes(configuration: Configuration, tx: Transaction) -> tuple[Configuration, Directory]:
    """Give the settings and the reps with what was changed on the page."""
    merged = merged_configuration(configuration, ChangeStore().read(tx).for_all)
    return merged, DirectoryStore().snapshot(tx, merged.settings, merged.place)


def smtp_courier(configuration: Configuration, clock: Clock) -> "SmtpCourier":
    """Make what delivers by SMTP; loaded here, since commands that only check the settings need none of it."""
    from relay.delivery.courier import SmtpCourier

    settings, base = configuration.settings, configuration.path.parent
    return SmtpCourier(
        settings.upstream,
        settings.logging.bcc,
        configuration.hostname,
        resolve=configuration.resolve,
        secret=lambda reference: read_secret(reference, base),
        clock=clock,
        own_route=settings.notices.route,
    )


def _rules_of(configuration: Configuration, directory: Directory) -> Rules:
    return compile_rules(
        configuration.settings, configuration.place, directory.reps(), hostname=configuration.hostname
    )


def listener_contexts(configuration: Configuration) -> dict[str, ssl.SSLContext]:
    """Make the TLS context of every listener that has one. Raises CommandError (78) that names the file."""
    return {
        listener.name: _listener_context(configuration, listener)
        for listener in configuration.settings.listeners
        if listener.tls != "none"
    }


def _listener_context(configuration: Configuration, listener: ListenerSettings) -> ssl.SSLContext:
    tls = configuration.settings.tls
    assert tls is not None, "the loader refuses a TLS listener without tls:"
    key = read_secret(tls.private_key, configuration.path.parent, "tls.private_key")
    client_ca = configuration.resolve(listener.client_ca) if listener.client_ca else None
    return server_context(
        configuration.resolve(tls.certificate), key, minimum=tls.minimum_version, client_ca=client_ca
    )


def _page_context(configuration: Configuration) -> ssl.SSLContext | None:
    web, tls = configuration.settings.web, configuration.settings.tls
    if web is None or web.tls == "none" or tls is None:
        return None
    key = read_secret(tls.private_key, configuration.path.parent, "tls.private_key")
    certificate = configuration.resolve(tls.certificate)
    return server_context(certificate, key, minimum=tls.minimum_version, client_ca=None)


def _certificate_ends(configuration: Configuration) -> int | None:
    tls = configuration.settings.tls
    if tls is None:
        return None
    try:
        return ends_at(configuration.resolve(tls.certificate).read_text("latin-1"))
    except (OSError, ValueError):
        return None


def _credential_rules(configuration: Configuration) -> CredentialRules:
    auth = configuration.settings.auth
    failures = auth.failures
    return CredentialRules(
        Limits(failures.max, _seconds(failures.per), _seconds(failures.block)), _seconds(auth.cache)
    )


def _seconds(span: timedelta) -> float:
    return span.total_seconds()


# Trying: what `relay check` and a reload want to know before anything is swapped


def build_problems(configuration: Configuration) -> list[Problem]:
    """Build what the service would build - secrets are read, certificates loaded - and give what goes wrong."""
    parts = (_secrets, _certificate, _client_authorities, _route_authorities, _other_authorities, _rules)
    return list(dict.fromkeys(problem for part in parts for problem in part(configuration)))


def _tried(configuration: Configuration, path: str, make: Callable[[], object]) -> Iterator[Problem]:
    try:
        make()
    except CommandError as error:
        yield configuration.locate(path, str(error), "error")


def _secrets(configuration: Configuration) -> Iterator[Problem]:
    base = configuration.path.parent
    for path, reference in secret_references(configuration.settings):
        try:
            read_secret(reference, base, path)
        except CommandError as error:
            yield configuration.locate(path, str(error).removeprefix(f"{path}: "), "error")


def _certificate(configuration: Configuration) -> Iterator[Problem]:
    tls = configuration.settings.tls
    if tls is None:
        return
    certificate = configuration.resolve(tls.certificate)
    yield from _tried(configuration, "tls.certificate", lambda: see_certificate(certificate))
    with suppress(CommandError):  # a key that cannot be read is told with the other secrets
        key = read_secret(tls.private_key, configuration.path.parent)
        yield from _tried(
            configuration,
            "tls.certificate",
            lambda: server_context(certificate, key, minimum=tls.minimum_version, client_ca=None),
        )
    until = _certificate_ends(configuration)
    if until is not None and (text := ending(until, SystemClock().now())):
        yield configuration.locate("tls.certificate", text, "warning")


def _client_authorities(configuration: Configuration) -> Iterator[Problem]:
    for number, listener in enumerate(configuration.settings.listeners):
        if listener.client_ca is not None:
            yield from _authority(configuration, f"listeners.{number}.client_ca", listener.client_ca)


def _route_authorities(configuration: Configuration) -> Iterator[Problem]:
    for name, route in configuration.settings.upstream.routes.items():
        if route.tls_ca is not None:
            yield from _authority(configuration, f"upstream.routes.{name}.tls_ca", route.tls_ca)


def _other_authorities(configuration: Configuration) -> Iterator[Problem]:
    salesforce, web = configuration.settings.salesforce, configuration.settings.web
    if salesforce is not None and salesforce.tls_ca is not None:
        yield from _authority(configuration, "salesforce.tls_ca", salesforce.tls_ca)
    if web is not None and web.oidc is not None and web.oidc.tls_ca is not None:
        yield from _authority(configuration, "web.oidc.tls_ca", web.oidc.tls_ca)


def _authority(configuration: Configuration, path: str, name: str) -> Iterator[Problem]:
    authority: Path = configuration.resolve(name)
    yield from _tried(configuration, path, lambda: client_context(authority))


def _rules(configuration: Configuration) -> Iterator[Problem]:
    problems: list[Problem] = []
    reps = reps_of_settings(configuration.settings, configuration.place, problems)
    try:
        compile_rules(configuration.settings, configuration.place, reps, hostname=configuration.hostname)
    except ConfigError as error:
        problems += error.problems
    for problem in problems:
        yield configuration.locate(problem.path, problem.text, problem.severity)
