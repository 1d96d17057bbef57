"""What Salesforce needs is loaded when it is called, so that a relay in mode bcc stays small and starts quickly."""

import subprocess
import sys

HEAVY = ("requests", "simple_salesforce", "jwt", "zeep", "urllib3")


def test_the_client_loads_no_heavy_library() -> None:
    """Importing the client, the commands and the settings loads none of the libraries that calls need."""
    code = (
        "import sys, relay.salesforce.client, relay.salesforce.org, relay.cli.main; "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
