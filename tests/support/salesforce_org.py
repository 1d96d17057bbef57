"""A client of the simulated Salesforce, signed in to in each way, for tests."""

from pathlib import Path

from relay.config.recording import SalesforceAuthSettings, SalesforceLimits, SalesforceSettings
from relay.demo.salesforce.simulator import Simulator
from tests.support.salesforce_client import client_settings, reference


def secrets_of(salesforce: Simulator) -> dict[str, str]:
    """Give the secrets under the names that the settings below use."""
    return {"secret": salesforce.client_secret, "key": salesforce.private_key_pem}


def by_credentials(salesforce: Simulator) -> SalesforceAuthSettings:
    """Sign in as the integration user."""
    return SalesforceAuthSettings(client_id=salesforce.client_id, client_secret=reference("secret"))


def by_jwt(salesforce: Simulator, username: str | None = None) -> SalesforceAuthSettings:
    """Sign in as each rep, or as one user."""
    return SalesforceAuthSettings(
        kind="jwt", client_id=salesforce.client_id, private_key=reference("key"), username=username
    )


def by_refresh_token(salesforce: Simulator) -> SalesforceAuthSettings:
    """Sign in with a refresh token."""
    return SalesforceAuthSettings(
        kind="refresh_token",
        client_id=salesforce.client_id,
        client_secret=reference("secret"),
        refresh_token=reference("refresh"),
    )


def org_settings(
    salesforce: Simulator,
    auth: SalesforceAuthSettings | None = None,
    *,
    look_up_as: SalesforceAuthSettings | None = None,
    limits: SalesforceLimits | None = None,
    timeout: float = 10.0,
) -> SalesforceSettings:
    """Make the settings that lead to the simulator."""
    return client_settings(
        salesforce.url,
        Path(salesforce.ca_file),
        auth=auth or by_credentials(salesforce),
        look_up_as=look_up_as,
        limits=limits,
        timeout=timeout,
    )
