"""Run the simulated Salesforce by itself until it is interrupted: `python -m relay.demo.salesforce`."""

import threading
from pathlib import Path
from tempfile import TemporaryDirectory

from relay.demo.salesforce.simulator import Simulator, started


def main() -> None:
    """Start one, print how to sign in, and wait."""
    with TemporaryDirectory(prefix="relay-salesforce-") as name, started(folder=Path(name)) as salesforce:
        print(told(salesforce), flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print()


def told(salesforce: Simulator) -> str:
    """Give what one needs to know to sign in and to look into it."""
    return f"""\
A simulated Salesforce with nobody in it; Ctrl-C ends it, and nothing is kept.

salesforce:
  instance: {salesforce.url}
  tls_ca: {salesforce.ca_file}
  auth:
    kind: client_credentials
    client_id: {salesforce.client_id}
    client_secret: {{env: SF_SECRET}}    # SF_SECRET={salesforce.client_secret}

curl --cacert {salesforce.ca_file} {salesforce.url}/__control__/dump/Task
curl --cacert {salesforce.ca_file} {salesforce.url}/__control__/seed -d '{{"object": "Contact", "fields": {{"LastName": "Lund", "Email": "kim@buyer.example"}}}}'
"""


if __name__ == "__main__":
    main()
