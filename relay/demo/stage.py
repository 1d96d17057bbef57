"""What the demonstration plays on: a folder with a certificate, app passwords and a settings file, and free ports."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from relay.demo.certificate import write_certificate
from relay.demo.salesforce.simulator import Simulator
from relay.demo.samples import REPS, DemoRep
from relay.demo.service import free_ports
from relay.directory.passwords import hash_password

DEFAULT_BASE = 25870
"""The first port that is tried; any free ones are taken when these are in use."""

_MODE = "bcc"
"""What logging.mode says."""
_HEAD = """\
version: 1
server: {{hostname: relay.example.com, state_dir: state}}
listeners:
  - {{name: submission, address: "127.0.0.1:{submission}", tls: starttls, auth: required}}
  - {{name: submissions, address: "127.0.0.1:{submissions}", tls: implicit, auth: required}}
tls: {{certificate: cert.pem, private_key: {{file: key.pem}}}}
upstream:
  default: main
  routes:
    main: {{kind: smarthost, host: 127.0.0.1, port: {upstream}, tls: none}}
notices: {{from: postmaster@example.com, route: main}}
logging:
  mode: bcc
  exclude: {{internal: auto}}
salesforce:
  instance: {instance}
  tls_ca: {salesforce_ca}
  auth: {{kind: client_credentials, client_id: {client_id}, client_secret: {{file: salesforce.secret}}}}
metrics: {{address: "127.0.0.1:{metrics}"}}
web: {{address: "127.0.0.1:{web}"}}
users:
"""

_USER = """\
  - login: {login}
    name: {name}
    addresses: [{addresses}]
{mode}    email_to_salesforce: {email_to_salesforce}
    salesforce_user_id: {salesforce_user_id}
    tokens: [{{name: Laptop, sha256: {sha256}}}]
"""
_ADMIN = """\
    web_role: admin
    password: "{password}"
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """The folder, the ports and the reps' app passwords."""

    folder: Path
    submission: int
    submissions: int
    metrics: int
    web: int
    upstream: int
    passwords: dict[str, str]
    """App passwords by login."""
    page_password: str
    """With which the first rep, who is the admin, signs in on the page."""

    @property
    def config(self) -> Path:
        """Give the settings file."""
        return self.folder / "config.yaml"

    @property
    def certificate(self) -> Path:
        """Give the certificate that clients must trust."""
        return self.folder / "cert.pem"


def set_up(folder: Path, base: int, salesforce: Simulator, users: Mapping[str, str]) -> Stage:
    """Write certificate and settings into a folder. Passwords are new each time and kept as hashes only.

    `users` are the reps' users in Salesforce, by login.
    """
    submission, submissions, metrics, web, upstream = free_ports(5, base)
    passwords = {rep.login: secrets.token_urlsafe(24) for rep in REPS}
    page_password = secrets.token_urlsafe(18)
    stage = Stage(folder, submission, submissions, metrics, web, upstream, passwords, page_password)
    write_certificate(folder)
    ports = {"submission": submission, "submissions": submissions, "metrics": metrics, "web": web}
    head = _HEAD.format(
        **ports,
        upstream=upstream,
        instance=salesforce.url,
        salesforce_ca=salesforce.ca_file,
        client_id=salesforce.client_id,
    )
    reps = [_user(rep, passwords[rep.login], users[rep.login]) for rep in REPS]
    reps.insert(1, _ADMIN.format(password=hash_password(page_password.encode())))
    _write_secretly(folder / "salesforce.secret", salesforce.client_secret)
    _write_secretly(stage.config, head + "".join(reps))
    return stage


def _write_secretly(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text, "utf-8")


def _user(rep: DemoRep, password: str, salesforce_user_id: str) -> str:
    return _USER.format(
        login=rep.login,
        name=rep.name,
        mode="" if rep.mode == _MODE else f"    mode: {rep.mode}\n",
        salesforce_user_id=salesforce_user_id,
        addresses=", ".join(rep.addresses),
        email_to_salesforce=rep.email_to_salesforce,
        sha256=hashlib.sha256(password.encode()).hexdigest(),
    )
