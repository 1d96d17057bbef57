"""The settings of a whole relay that records in the simulated Salesforce, for the tests that run one as a process."""

from pathlib import Path

import yaml

from relay.demo.salesforce.simulator import Simulator
from tests.support.running import Settings, with_changes
from tests.support.salesforce import REP_USERNAME, rep
from tests.support.salesforce import settings as salesforce_settings


def api_mode(
    salesforce: Simulator, folder: Path, kind: str = "client_credentials", **logging: object
) -> Settings:
    """Give what differs from a relay in mode bcc: ana is a user of Salesforce, and what she sends is recorded.

    `kind`: how the relay signs in, as tests.support.salesforce.settings has it. `logging`: more of that group.
    """
    user = rep(salesforce)
    written = yaml.safe_load(salesforce_settings(salesforce, folder, kind=kind))
    ana = {"salesforce_user_id": user, "salesforce_username": REP_USERNAME, "addresses": ["ana@example.com"]}
    return {
        "salesforce": written["salesforce"],
        "logging": with_changes({"mode": "api", "match": {"nobody": "skip"}}, logging),
        "users": [{"login": "ana", **ana}],
    }
