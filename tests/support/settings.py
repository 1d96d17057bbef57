"""Settings files for tests."""

from pathlib import Path

from relay.config.loader import Configuration, load
from relay.errors import ConfigError, Problem

GOOD = """\
version: 1
server: {hostname: relay.example.com, state_dir: state}
listeners:
  - {name: submission, address: "127.0.0.1:2587", tls: none, auth: optional}
auth: {require_tls: false}
upstream:
  default: main
  routes:
    main: {host: 127.0.0.1, port: 2526, tls: none}
users:
  - login: ana
    addresses: [ana@example.com]
    email_to_salesforce: emailtosalesforce@a1b2.le.salesforce.com
    tokens: [{name: Laptop, sha256: 6f0c2b1d5e3a4f798091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f7}]
"""


def written(folder: Path, text: str = GOOD, name: str = "config.yaml") -> Path:
    """Write a settings file."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def loaded(folder: Path, text: str = GOOD) -> Configuration:
    """Load settings that are good."""
    return load(written(folder, text))


def problems_of(folder: Path, text: str) -> tuple[Problem, ...]:
    """Give what is wrong with settings, warnings among it; nothing when all is well."""
    try:
        return loaded(folder, text).warnings
    except ConfigError as error:
        return error.problems


def told(folder: Path, text: str) -> list[str]:
    """Give what is wrong with settings as `line:column path: text`."""
    return [f"{one.line}:{one.column} {one.path}: {one.text}" for one in problems_of(folder, text)]
