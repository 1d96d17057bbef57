"""`relay hash-password`: turn a password that a rep chose into the argon2id line for the settings."""

import sys

import typer

from relay.errors import CommandError

_WRONG_USAGE = 2
_LONGEST = 4096


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("hash-password")(hash_password_command)


def hash_password_command() -> None:
    """Read a password from standard input, or ask for it twice, and print its argon2id hash.

    It goes into the settings as users[].password. A password is never taken from the command line, where
    every other user of the machine can read it.
    """
    from relay.directory.passwords import hash_password

    password = read_password()
    try:
        print(hash_password(password))
    except ValueError as exc:
        raise CommandError(str(exc), _WRONG_USAGE) from None


def read_password() -> bytes:
    """Give a password as UTF-8: asked for twice on a terminal, else the first line of standard input.

    Raises CommandError (2) when the two differ or nothing comes.
    """
    if not sys.stdin.isatty():
        line = sys.stdin.buffer.readline(_LONGEST).rstrip(b"\r\n")
        if not line:
            raise CommandError("no password on standard input", _WRONG_USAGE)
        return line
    from getpass import getpass

    first = getpass("Password: ")
    if first != getpass("Again: "):
        raise CommandError("the two passwords differ", _WRONG_USAGE)
    return first.encode()
