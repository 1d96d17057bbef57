"""Make the client of the organisation in the settings for a command: its secrets, and who looks up for all."""

from collections.abc import Iterable

from relay.clock import Clock
from relay.config.loader import Configuration
from relay.config.secrets import read_secret
from relay.directory.model import Rep
from relay.salesforce.building import client_of
from relay.salesforce.client import SalesforceClient
from relay.storage.database import Database


def open_client(
    configuration: Configuration, clock: Clock, *, database: Database | None = None, reps: Iterable[Rep] = ()
) -> SalesforceClient:
    """Make the client; nothing is called yet. The settings must name an organisation.

    Without a database, a refresh token that Salesforce replaces is lost. Of the reps, the first who may looks up for
    all where the sign-in is as each rep and nobody else is named.
    """
    base = configuration.path.parent
    client = client_of(
        configuration, lambda reference: read_secret(reference, base), clock, database=database
    )
    client.stand_in_by(reps)
    return client
