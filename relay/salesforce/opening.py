"""Make the client of the organisation in the settings: with the secrets of the settings, and the store of its tokens."""

from collections.abc import Iterable

from relay.clock import Clock
from relay.config.loader import Configuration
from relay.config.secrets import read_secret
from relay.directory.model import Rep
from relay.salesforce.client import SalesforceClient
from relay.salesforce.dispatch import SalesforceMeter
from relay.salesforce.token_store import StoredTokens
from relay.storage.database import Database


def open_client(
    configuration: Configuration,
    clock: Clock,
    *,
    database: Database | None = None,
    reps: Iterable[Rep] = (),
    meter: SalesforceMeter | None = None,
) -> SalesforceClient:
    """Make the client; nothing is called yet. The settings must name an organisation.

    Without a database, a refresh token that Salesforce replaces is lost: a service needs one. Of the reps, the first
    with a Salesforce username looks up for all where the sign-in is as each rep and nobody else is named.
    """
    settings = configuration.settings.salesforce
    assert settings is not None, "asked for before"
    base = configuration.path.parent
    return SalesforceClient(
        settings,
        resolve=configuration.resolve,
        secret=lambda reference: read_secret(reference, base),
        clock=clock,
        meter=meter,
        tokens=StoredTokens(database, clock) if database is not None else None,
        stand_in=next((rep.salesforce_username for rep in reps if rep.salesforce_username), None),
    )
