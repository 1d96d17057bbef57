"""Salesforce clients for tests: settings in a few words, and a clock and meter to look at."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from relay.clock import Clock, SystemClock
from relay.config.recording import SalesforceAuthSettings, SalesforceLimits, SalesforceSettings
from relay.config.types import SecretReference
from relay.errors import CommandError
from relay.salesforce.client import SalesforceClient, TokenKeeper

SECRETS = {"secret": "s3cr3t-of-the-app", "refresh": "refresh-of-the-settings"}


class Meter:
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.remaining: list[int] = []

    def salesforce_called(self, operation: str, result: str, seconds: float) -> None:
        """Keep one call."""
        assert seconds >= 0
        self.calls.append((operation, result))

    def salesforce_remaining(self, calls: int) -> None:
        """Keep what is left."""
        self.remaining.append(calls)


def reference(name: str) -> SecretReference:
    """Name a secret of SECRETS, or a file."""
    return SecretReference(file=name)


def read(secrets: dict[str, str]) -> Callable[[SecretReference], str]:
    """Make a reader of secrets."""

    def one(reference: SecretReference) -> str:
        try:
            return secrets[reference.file or ""]
        except KeyError:
            raise CommandError(f"cannot read {reference.file}", 78) from None

    return one


def client_settings(
    instance: str,
    ca: Path | None,
    *,
    auth: SalesforceAuthSettings | None = None,
    look_up_as: SalesforceAuthSettings | None = None,
    limits: SalesforceLimits | None = None,
    timeout: float = 5.0,
    proxy: str | None = None,
) -> SalesforceSettings:
    """Make settings: client credentials, unless something else is asked for."""
    plain = SalesforceAuthSettings(client_id="relay-app", client_secret=reference("secret"))
    return SalesforceSettings(
        instance=instance,
        auth=auth or plain,
        look_up_as=look_up_as,
        limits=limits or SalesforceLimits(),
        timeout=timedelta(seconds=timeout),
        tls_ca=str(ca) if ca is not None else None,
        proxy=proxy,
    )


@asynccontextmanager
async def salesforce_client(
    settings: SalesforceSettings,
    *,
    clock: Clock | None = None,
    meter: Meter | None = None,
    secrets: dict[str, str] | None = None,
    tokens: TokenKeeper | None = None,
) -> AsyncIterator[SalesforceClient]:
    """Make a client, and close it."""
    client = SalesforceClient(
        settings,
        resolve=Path,
        secret=read({**SECRETS, **(secrets or {})}),
        clock=clock or SystemClock(),
        meter=meter,
        tokens=tokens,
    )
    try:
        yield client
    finally:
        await client.close()
