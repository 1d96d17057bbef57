"""What `relay test` does and prints: how the examples of rules came out, for people, programs and build servers."""

from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import typer

from relay.cli.common import EXIT_CONFIG, EXIT_USAGE, fail
from relay.cli.show import print_json, safe
from relay.cli.user_access import directory
from relay.config.loader import Configuration
from relay.errors import ConfigError
from relay.policy.rules import compile_rules
from relay.salesforce.rule_examples import Example, Result, read_examples, run_examples

_MAXIMUM_OCTETS = 8 * 1024 * 1024


def tell(
    configuration: Configuration, paths: list[Path], name: str, junit: Path | None, *, json: bool
) -> None:
    """Decide about the examples whose name contains `name`. Exits with 1 when one is not as expected."""
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
        hint = "; docs/matching.md shows what to write there" if isinstance(error, FileNotFoundError) else ""
        fail(f"cannot read {path}: {error.strerror}{hint}", EXIT_USAGE)
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
