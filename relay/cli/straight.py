"""`relay serve` without the command line's library, which a service would carry with it as long as it runs.

What is not plainly that - help, a mistake, another command - is for relay.cli.main, and reads the same there.
"""

import io
import sys
from collections.abc import Sequence
from pathlib import Path

from relay.errors import CommandError, ConfigError, RelayError

_INTERRUPTED = 130


def typed_plainly(arguments: Sequence[str]) -> list[Path] | None:
    """Give the settings files that `serve` was typed with, the one that counts last; None when it is more than that."""
    files, others, rest = [], [], iter(arguments)
    for one in rest:
        if one in ("-c", "--config"):
            files.append(next(rest, None))
        elif one.startswith("--config="):
            files.append(one.removeprefix("--config="))
        elif one.startswith("-c"):
            files.append(one.removeprefix("-c"))
        else:
            others.append(one)
    found = [Path(one) for one in files if one is not None]
    return found if others == ["serve"] and len(found) == len(files) else None


def print_anything() -> None:
    """Have a character that standard output or error cannot show written as its escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def serve(files: Sequence[Path]) -> int:
    """Run the service by the last of these files, or the usual one; gives the exit code. Problems go to standard error."""
    print_anything()
    try:
        from relay.config.loader import find_config, load

        configuration = load(find_config(files[-1] if files else None)).at_rest()
        from relay.server import run  # every part of the service, which a mistake need not wait for

        return run(configuration)
    except ConfigError as exc:
        for problem in exc.problems:
            print(problem, file=sys.stderr)
        return 78
    except CommandError as exc:
        print(f"relay: {exc}", file=sys.stderr)
        return exc.exit_code
    except RelayError as exc:
        print(f"relay: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # before the service minds signals itself
        return _INTERRUPTED
