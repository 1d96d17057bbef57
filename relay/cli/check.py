"""`relay check`: read the settings, build all that can be built without opening a port, and tell every problem."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import typer

from relay.cli.common import EXIT_CONFIG, ConfigOption, JsonOption, config_path, fail
from relay.cli.show import print_json
from relay.config.loader import Configuration, Report, read
from relay.config.secrets import read_secret, secret_references
from relay.directory.store import reps_of_settings
from relay.errors import CommandError, ConfigError, Problem
from relay.policy.rules import compile_rules
from relay.tls import client_context, server_context


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(check)


def check(context: typer.Context, json: JsonOption = False, config: ConfigOption = None) -> None:
    """Check the settings: every problem with its place, what is wrong and what would be right.

    Secrets are read, certificates loaded and rules compiled; no port is opened and nothing is connected to.
    Exits with 78 when there is an error; warnings alone do not matter.
    """
    try:
        path = config_path(context, config)
    except CommandError as error:
        fail(str(error), error.exit_code)
    report = read(path)
    problems = list(report.problems)
    if report.configuration is not None:
        problems += build_problems(report.configuration)
    errors = sum(problem.severity == "error" for problem in problems)
    if json:
        print_json("relay.check/1", [_problem_json(problem) for problem in problems])
    else:
        for problem in problems:
            print(problem)
    typer.echo(_summary(report, errors, len(problems) - errors), err=True)
    if errors:
        raise typer.Exit(EXIT_CONFIG)


def _problem_json(problem: Problem) -> dict[str, object]:
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "path": problem.path,
        "severity": problem.severity,
        "text": problem.text,
    }


def _summary(report: Report, errors: int, warnings: int) -> str:
    return ", ".join(
        (
            f"{_count(len(report.files), 'file')} read",
            _count(errors, "error"),
            _count(warnings, "warning"),
        )
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def build_problems(configuration: Configuration) -> list[Problem]:
    """Build what the service would build, and give what goes wrong."""
    parts = (_secrets, _certificate, _client_authorities, _route_authorities, _rules)
    return list(dict.fromkeys(problem for part in parts for problem in part(configuration)))


def _tried(configuration: Configuration, path: str, build: Callable[[], object]) -> Iterator[Problem]:
    try:
        build()
    except CommandError as error:
        yield configuration.locate(path, str(error), "error")


def _secrets(configuration: Configuration) -> Iterator[Problem]:
    base = configuration.path.parent
    for path, reference in secret_references(configuration.settings):
        try:
            read_secret(reference, base, path)
        except CommandError as error:
            yield configuration.locate(path, str(error).removeprefix(f"{path}: "), "error")


def _certificate(configuration: Configuration) -> Iterator[Problem]:
    tls = configuration.settings.tls
    if tls is None:
        return
    with suppress(CommandError):  # a key that cannot be read is told with the other secrets
        key = read_secret(tls.private_key, configuration.path.parent)
        certificate = configuration.resolve(tls.certificate)
        yield from _tried(
            configuration,
            "tls.certificate",
            lambda: server_context(certificate, key, minimum=tls.minimum_version, client_ca=None),
        )


def _client_authorities(configuration: Configuration) -> Iterator[Problem]:
    for number, listener in enumerate(configuration.settings.listeners):
        if listener.client_ca is not None:
            yield from _authority(configuration, f"listeners.{number}.client_ca", listener.client_ca)


def _route_authorities(configuration: Configuration) -> Iterator[Problem]:
    for name, route in configuration.settings.upstream.routes.items():
        if route.tls_ca is not None:
            yield from _authority(configuration, f"upstream.routes.{name}.tls_ca", route.tls_ca)


def _authority(configuration: Configuration, path: str, name: str) -> Iterator[Problem]:
    authority: Path = configuration.resolve(name)
    yield from _tried(configuration, path, lambda: client_context(authority))


def _rules(configuration: Configuration) -> Iterator[Problem]:
    problems: list[Problem] = []
    reps = reps_of_settings(configuration.settings, configuration.place, problems)
    try:
        compile_rules(configuration.settings, configuration.place, reps, hostname=configuration.hostname)
    except ConfigError as error:
        problems += error.problems
    for problem in problems:
        yield configuration.locate(problem.path, problem.text, problem.severity)
