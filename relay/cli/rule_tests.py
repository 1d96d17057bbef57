"""`relay test`: decide about the examples of mail in a file, and say which come out otherwise than expected."""

from pathlib import Path
from typing import Annotated
from xml.sax.saxutils import escape, quoteattr

import typer

from relay.cli.common import EXIT_CONFIG, EXIT_USAGE, ConfigOption, JsonOption, fail, load_configuration
from relay.cli.show import print_json, safe
from relay.cli.user_access import directory
from relay.config.loader import Configuration
from relay.errors import ConfigError
from relay.policy.rules import compile_rules
from relay.salesforce.rule_examples import Example, Result, read_examples, run_examples

DEFAULT_FILE = "relay-tests.yaml"
_MAXIMUM_OCTETS = 8 * 1024 * 1024


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("test")(rule_tests)


def rule_tests(
    context: typer.Context,
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]...", help=f"Files of examples; {DEFAULT_FILE} beside the settings."),
    ] = None,
    name: Annotated[
        str, typer.Option("-k", metavar="NAME", help="Only examples whose name contains this.")
    ] = "",
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write the results as JUnit XML, too.")
    ] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Test the rules by examples: each a mail, and what must become of it. Nothing is sent.

    Exits with 1 when an example comes out otherwise than expected.
    """
    configuration = load_configuration(context, config)
    paths = files or [configuration.resolve(DEFAULT_FILE)]
    try:
        examples = [one for path in paths for one in _read(path)]
        results = _results(configuration, examples, name)
    except ConfigError as error:
        for problem in error.problems:
            typer.echo(str(problem), err=True)
        raise typer.Exit(EXIT_CONFIG) from None
    if junit is not None:
        _write(junit, _junit(results))
    if json:
        print_json("relay.test/1", [_json(one) for one in results])
    else:
        _print(results)
    if not results:
        fail("no example was run", EXIT_USAGE)
    if any(one.problems for one in results):
        raise typer.Exit(1)


def _read(path: Path) -> tuple[Example, ...]:
    try:
        with path.open("rb") as file:
            octets = file.read(_MAXIMUM_OCTETS)
        return read_examples(octets.decode("utf-8"), path.name)
    except OSError as error:
        fail(f"cannot read {path}: {error.strerror}", EXIT_USAGE)
    except UnicodeDecodeError:
        fail(f"{path} is not UTF-8", EXIT_USAGE)


def _results(configuration: Configuration, examples: list[Example], name: str) -> tuple[Result, ...]:
    reps = directory(configuration)
    rules = compile_rules(
        configuration.settings, configuration.place, reps.reps(), hostname=configuration.hostname
    )
    return run_examples(examples, reps, rules, lambda one: name.lower() in one.name.lower())


def _print(results: tuple[Result, ...]) -> None:
    for one in results:
        print(f"{'FAILED' if one.problems else 'ok':<6}  {safe(one.example.name)}  ({one.example.place})")
        for problem in one.problems:
            print(f"        {safe(problem)}")
    failed = sum(bool(one.problems) for one in results)
    typer.echo(f"{len(results)} examples, {failed} failed", err=True)


def _json(one: Result) -> dict[str, object]:
    return {
        "name": one.example.name,
        "place": one.example.place,
        "passed": not one.problems,
        "problems": list(one.problems),
        "outcome": one.explanation.outcome if one.explanation else None,
        "rule": one.explanation.rule if one.explanation else None,
    }


def _junit(results: tuple[Result, ...]) -> str:
    failed = sum(bool(one.problems) for one in results)
    cases = "\n".join(_case(one) for one in results)
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    suite = f'<testsuite name="relay test" tests="{len(results)}" failures="{failed}" errors="0" skipped="0">'
    return f"{head}\n{suite}\n{cases}\n</testsuite>\n"


def _case(one: Result) -> str:
    file = one.example.place.rpartition(":")[0]
    start = f"  <testcase classname={quoteattr(file)} name={quoteattr(safe(one.example.name))}"
    if not one.problems:
        return f"{start}/>"
    text = escape(safe("; ".join(one.problems)))
    return f"{start}><failure message={quoteattr(safe(one.problems[0]))}>{text}</failure></testcase>"


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"cannot write {path}: {error.strerror}")
