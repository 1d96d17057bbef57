"""The simulated Salesforce for tests: one for each test that asks, people in it, and the settings that lead to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.demo.salesforce.simulator import Simulator, started

REP_USERNAME = "ana@example.com.crm"


@pytest.fixture
def salesforce() -> Iterator[Simulator]:
    """A running simulated Salesforce with nobody in it but the integration user."""
    with started() as simulator:
        yield simulator
        assert not simulator.crashes, simulator.crashes


def people(
    salesforce: Simulator, number: int, *, kind: str = "Contact", domain: str = "buyer.example"
) -> list[str]:
    """Seed contacts (or leads) person1@buyer.example and so on; give their ids."""
    more = {"Company": "Buyer Ltd"} if kind == "Lead" else {}
    return [
        salesforce.add(
            kind, FirstName="Person", LastName=f"Number {one}", Email=f"person{one}@{domain}", **more
        )
        for one in range(1, number + 1)
    ]


def rep(salesforce: Simulator, username: str = REP_USERNAME, email: str = "ana@example.com") -> str:
    """Seed the Salesforce user of a rep; give its id."""
    first = email.partition("@")[0].capitalize()
    return salesforce.add(
        "User", Username=username, FirstName=first, LastName="Rep", Email=email, Alias="rep"
    )


def settings(
    salesforce: Simulator, folder: Path, *, kind: str = "client_credentials", username: str | None = None
) -> str:
    """Give the `salesforce:` part of a settings file that signs in at the simulator; its secrets go to `folder`."""
    secret = folder / "salesforce.secret"
    lines = [
        f"  instance: {salesforce.url}",
        f"  tls_ca: {salesforce.ca_file}",
        "  auth:",
        f"    kind: {'refresh_token' if kind.startswith('connect') else kind}",
    ]
    lines.append(f"    client_id: {salesforce.client_id}")
    match kind:
        case "client_credentials":
            secret.write_text(salesforce.client_secret)
            lines.append(f"    client_secret: {{file: {secret}}}")
        case "jwt":
            secret.write_text(salesforce.private_key_pem)
            lines.append(f"    private_key: {{file: {secret}}}")
        case "refresh_token":
            secret.write_text(salesforce.refresh_token(salesforce.integration_user))
            lines.append(f"    refresh_token: {{file: {secret}}}")
        case "connect" | "connect_each":
            secret.write_text(salesforce.client_secret)
            lines.append(f"    client_secret: {{file: {secret}}}")
            lines.append(f"    each_rep: {str(kind == 'connect_each').lower()}")
        case _:
            raise ValueError(kind)
    if username is not None:
        lines.append(f"    username: {username}")
    secret.chmod(0o600)
    return "salesforce:\n" + "\n".join(lines) + "\n"
