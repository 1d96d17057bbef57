"""The simulated Salesforce for its own tests, where the tests ask what is refused, and unpatched simple-salesforce."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceError

from relay.demo.salesforce.simulator import Simulator, started

_TIMEOUT = 10


@pytest.fixture
def salesforce() -> Iterator[Simulator]:
    """A running simulated Salesforce that may refuse whatever it likes."""
    with started() as simulator:
        yield simulator
        assert not simulator.crashes, simulator.crashes


def session(salesforce: Simulator) -> requests.Session:
    """Give a session that trusts the simulator."""
    made = requests.Session()
    made.verify, made.trust_env = str(salesforce.ca_file), False
    return made


def token(salesforce: Simulator, **form: str) -> dict[str, Any]:
    """Ask for a token: by client credentials, or as the form says."""
    asked = form or {
        "grant_type": "client_credentials",
        "client_id": salesforce.client_id,
        "client_secret": salesforce.client_secret,
    }
    with session(salesforce) as http:
        answer = http.post(f"{salesforce.url}/services/oauth2/token", data=asked, timeout=_TIMEOUT)
        return {"status": answer.status_code, **answer.json()}


def connected(salesforce: Simulator, **form: str) -> Salesforce:
    """Give simple-salesforce in direct mode, with a new token."""
    granted = token(salesforce, **form)
    return Salesforce(
        session_id=granted["access_token"],
        instance_url=salesforce.url,
        version="67.0",
        session=session(salesforce),
    )


def refusal(kind: type[SalesforceError], call: Callable[[], object]) -> tuple[str, Any]:
    """Give the error code and the body that a call is refused with."""
    with pytest.raises(kind) as told:
        call()
    body: Any = told.value.content
    return body[0]["errorCode"], body
