"""Turn a settings file into a Configuration, or into every problem that it has, each with its place."""

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from relay.address import ascii_domain
from relay.config.checks import check
from relay.config.draft import read_settings
from relay.config.explain import Finding
from relay.config.model import RelaySettings
from relay.config.secrets import exposure, secret_references
from relay.config.sources import Sources, read_sources
from relay.errors import CommandError, ConfigError, Problem

_EXIT_CONFIG = 78
_USUAL = (Path("/etc/relay/config.yaml"), Path("config.yaml"))


def _nowhere(path: str, text: str, severity: str) -> Problem:
    return Problem("", 1, 1, path, text, severity)


@dataclass(frozen=True, slots=True)
class Configuration:
    """Settings that can be used, and where each was written."""

    settings: RelaySettings
    path: Path
    """The main file."""
    places: Mapping[str, str]
    """Where each setting that was written stands: "logging.exclude.recipients.0" -> "config.yaml:31"."""
    warnings: tuple[Problem, ...] = ()
    files: tuple[str, ...] = ()
    """Every file that was read."""
    locate: Callable[[str, str, str], Problem] = field(default=_nowhere, repr=False, compare=False)
    """Make a problem of a path, a text and a severity: it gets its place."""

    def place(self, path: str) -> str:
        """Give a setting's "file:line"; "default" when it was not written.

        What is no setting of its own - an item of a list - has the place of the nearest setting above it.
        """
        found = self.places.get(path)
        while found is None and path.rpartition(".")[2].isdecimal():
            path = path.rpartition(".")[0]
            found = self.places.get(path)
        return found or "default"

    def at_rest(self) -> "Configuration":
        """Give the same for keeping: it locates no problems any more, which takes the whole tree of the files."""
        return replace(self, locate=_nowhere)

    def resolve(self, name: str) -> Path:
        """Give the path that a name in the settings stands for: relative to the main file."""
        return self.path.parent / name

    @property
    def state_dir(self) -> Path:
        """Give the folder for queue, spool and admin socket."""
        return self.resolve(self.settings.server.state_dir)

    @property
    def hostname(self) -> str:
        """Give the name that the relay greets with, in ASCII (RFC 5321 §2.3.5): of the settings, or this machine's."""
        name = (self.settings.server.hostname or machine_name()).removesuffix(".")
        return name if name.isascii() else ascii_domain(name)


@lru_cache(maxsize=1)
def machine_name() -> str:
    """Give this machine's name, with its domain where that can be found."""
    name = socket.gethostname()
    return name if "." in name else socket.getfqdn(name)


@dataclass(frozen=True, slots=True)
class Report:
    """What reading the settings came to."""

    configuration: Configuration | None
    """None when there was an error."""
    problems: tuple[Problem, ...]
    """Errors and warnings, in the order in which they are met."""
    files: tuple[str, ...]
    """Every file that was read."""


def load(path: Path) -> Configuration:
    """Read the settings. Raises ConfigError with every problem found, warnings among them."""
    report = read(path)
    if report.configuration is None:
        raise ConfigError(report.problems)
    return report.configuration


def read(path: Path) -> Report:
    """Read the settings and tell all that is wrong with them. Never raises for what a file holds."""
    try:
        sources = read_sources(path)
    except ConfigError as error:
        return Report(None, error.problems, (str(path),))
    settings, draft, findings = read_settings(sources.plain(), sources.place)
    findings += check(draft, findings)
    base = path.parent
    for name, reference in secret_references(draft.settings):
        if exposed := exposure(reference, base):
            findings.append(Finding(tuple(name.split(".")), exposed, "warning"))
    found = sources.sort(_unique(sources.problems + [sources.problem(finding) for finding in findings]))
    files = tuple(sources.files)
    if settings is None or any(problem.severity == "error" for problem in found):
        return Report(None, found, files)
    configuration = Configuration(settings, path, sources.places(), found, files, _locator(sources))
    return Report(configuration, found, files)


def _unique(problems: list[Problem]) -> list[Problem]:
    return list(dict.fromkeys(problems))


def _locator(sources: Sources) -> Callable[[str, str, str], Problem]:
    def locate(path: str, text: str, severity: str = "error") -> Problem:
        steps = tuple(int(step) if step.isdecimal() else step for step in path.split("."))
        return sources.problem(Finding(steps, text, severity))

    return locate


def find_config(option: Path | None) -> Path:
    """Find the settings file: the one asked for, $RELAY_CONFIG, /etc/relay/config.yaml or ./config.yaml.

    Raises CommandError (78) when there is none.
    """
    named = option or (Path(os.environ["RELAY_CONFIG"]) if os.environ.get("RELAY_CONFIG") else None)
    if named is not None:
        return named
    for path in _USUAL:
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:  # it may be there: why it cannot be read is told by reading it
            pass
        return path
    looked = " nor ".join(str(path) for path in _USUAL)
    raise CommandError(f"no settings: neither -c FILE, $RELAY_CONFIG, {looked}", exit_code=_EXIT_CONFIG)
