"""Make of the settings what recording works with."""

import hashlib
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from relay.clock import Clock
from relay.config.loader import Configuration
from relay.config.recording import SalesforceSettings
from relay.config.secrets import read_secret, secret_references
from relay.config.types import SecretReference
from relay.directory.model import Directory, Rep
from relay.errors import CommandError
from relay.maillog.store import MailLog
from relay.queue.retry import RetryRule
from relay.queue.store import QueueStore
from relay.salesforce.client import SalesforceClient, SalesforceMeter
from relay.salesforce.lookup import Lookup
from relay.salesforce.org import Organization
from relay.salesforce.reading import MailReader
from relay.salesforce.token_store import StoredTokens
from relay.salesforce.work import Tools
from relay.storage.database import Database


def signs_in_with(settings: SalesforceSettings, base: Path) -> object:
    """Give what differs as soon as the organisation, or the way into it, is another one.

    Also by the new content of a secret, or of the file of authorities that are trusted.
    """
    digests = []
    for path, reference in secret_references(settings):
        with suppress(CommandError):
            digests.append((path, hashlib.sha256(read_secret(reference, base).encode()).digest()))
    trusted = base / settings.tls_ca if settings.tls_ca is not None else _trusted_by_the_system()
    with suppress(OSError):
        digests.append(("tls_ca", hashlib.sha256(trusted.read_bytes()).digest()))
    return settings, digests


def _trusted_by_the_system() -> Path:
    """Give the system's own file of authorities."""
    paths = ssl.get_default_verify_paths()
    return Path(paths.cafile or paths.openssl_cafile)


def client_of(
    configuration: Configuration,
    secret: Callable[[SecretReference], str],
    clock: Clock,
    *,
    meter: SalesforceMeter | None = None,
    database: Database | None = None,
) -> SalesforceClient:
    """Make what asks Salesforce; the settings name an organisation. Nothing is called yet."""
    settings = configuration.settings.salesforce
    assert settings is not None
    return SalesforceClient(
        settings,
        resolve=configuration.resolve,
        secret=secret,
        clock=clock,
        meter=meter,
        tokens=StoredTokens(database, clock) if database is not None else None,
    )


def tools_of(
    configuration: Configuration,
    kept: Tools | None,
    *,
    database: Database,
    queue: QueueStore,
    mail_log: MailLog,
    clock: Clock,
    directory: Callable[[], Directory],
    secret: Callable[[SecretReference], str],
    retry: RetryRule,
    meter: SalesforceMeter | None = None,
    now_due: Callable[[], None] = lambda: None,
    left_out: Callable[[Rep, str], bool] = lambda rep, address: False,
) -> Tools:
    """Give the tools for these settings; what asks Salesforce is kept when it goes by the same ones as before."""
    logging = configuration.settings.logging
    if kept is not None:
        kept.lookup.use(logging.match)
        return replace(kept, settings=logging, retry=retry)
    client = client_of(configuration, secret, clock, meter=meter, database=database)
    client.stand_in_by(directory().reps())
    return Tools(
        database=database,
        queue=queue,
        mail_log=mail_log,
        clock=clock,
        client=client,
        lookup=Lookup(client, clock, logging.match),
        organization=Organization(client, clock),
        reader=MailReader(),
        settings=logging,
        retry=retry,
        directory=directory,
        now_due=now_due,
        left_out=left_out,
    )
