"""Run the simulated Salesforce by itself until it is interrupted: `python -m relay.demo.salesforce [FOLDER]`."""

import argparse
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from relay.demo.organisation import furnish
from relay.demo.salesforce.simulator import Simulator, started
from relay.demo.service import free_ports

_CERTIFICATE, _KEY, _SECRET = "cert.pem", "key.pem", "secret"  # names of files


def main() -> None:
    """Start one, print how to sign in, and wait."""
    wanted = _arguments().parse_args()
    if wanted.port and free_ports(1, wanted.port) != [wanted.port]:
        raise SystemExit(f"port {wanted.port} is in use")
    with _folder(wanted.folder) as folder, started(folder=folder, port=wanted.port) as salesforce:
        secret = folder / _SECRET
        secret.touch(mode=0o600)
        secret.write_text(salesforce.client_secret)
        if wanted.people:
            furnish(salesforce)
        print(told(salesforce, secret), flush=True)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print()


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m relay.demo.salesforce", description=__doc__)
    parser.add_argument(
        "folder", nargs="?", type=Path, help="where certificate and secret are left; else a temporary folder"
    )
    parser.add_argument(
        "--port", type=int, default=0, help="the port of 127.0.0.1; a free one when not given"
    )
    parser.add_argument(
        "--people",
        action="store_true",
        help="with the reps, contacts, lead and opportunities of the demonstration",
    )
    return parser


@contextmanager
def _folder(wanted: Path | None) -> Iterator[Path]:
    """Give a folder to keep files in; files that an earlier run left are replaced."""
    if wanted is None:
        with TemporaryDirectory(prefix="relay-salesforce-") as name:
            yield Path(name)
        return
    wanted.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in (_CERTIFICATE, _KEY):
        (wanted / name).unlink(missing_ok=True)
    yield wanted


def told(salesforce: Simulator, secret: Path) -> str:
    """Give what one needs to know to sign in and to look into it."""
    return f"""\
A simulated Salesforce; Ctrl-C ends it, and no record is kept. It is reached with these settings:

salesforce:
  instance: {salesforce.url}
  tls_ca: {salesforce.ca_file}
  auth: {{kind: client_credentials, client_id: {salesforce.client_id}, client_secret: {{file: {secret}}}}}

curl --cacert {salesforce.ca_file} {salesforce.url}/__control__/dump/Task
curl --cacert {salesforce.ca_file} {salesforce.url}/__control__/seed -d '{{"object": "Contact", "fields": {{"LastName": "Lund", "Email": "kim@buyer.example"}}}}'
"""


if __name__ == "__main__":
    main()
