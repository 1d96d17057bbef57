"""`relay` and `python -m relay`: the service straight away, any other command by way of the command line."""

import sys

from relay.cli.straight import serve, typed_plainly


def main() -> None:
    """Do what was typed."""
    files = typed_plainly(sys.argv[1:])
    if files is None:
        from relay.cli.main import main as command_line

        command_line()
    else:
        sys.exit(serve(files))


if __name__ == "__main__":
    main()
