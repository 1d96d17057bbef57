"""`relay check`: read the settings, build all that can be built without opening a port, and tell every problem."""

from contextlib import suppress

import typer

from relay.building import build_problems
from relay.cli.common import EXIT_CONFIG, ConfigOption, JsonOption, config_path, fail
from relay.cli.show import print_json
from relay.cli.user_access import left_out_of
from relay.config.loader import Report, read
from relay.errors import CommandError, Problem, RelayError


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
        with suppress(RelayError):  # what keeps the store from being read is not the settings' fault
            problems += left_out_of(report.configuration)
        order = {file: number for number, file in enumerate(report.files)}
        problems.sort(key=lambda problem: (order.get(problem.file, 0), problem))
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
