"""Read secrets from where the settings say they are: a file, an environment variable, a systemd credential.

A secret's value never stands in an error text.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from relay.config.outline import settings_of
from relay.config.types import SecretReference, Settings
from relay.errors import CommandError

MAXIMUM_OCTETS = 64 * 1024
_EXIT_CONFIG = 78


def read_secret(reference: SecretReference, base: Path, setting: str = "") -> str:
    """Give the secret's text; `base` is the folder of the settings file, `setting` names it in errors, where
    the caller does not.

    One newline at the end of a file is not part of the secret.
    Raises CommandError (78) when it is not there, is empty, too large or not UTF-8.
    """
    if reference.env is not None:
        text = os.environ.get(reference.env)
        if text is None:
            raise _wrong(setting, f"the environment variable {reference.env} is not set")
    else:
        text = _read_file(secret_path(reference, base, setting), setting)
    if not text:
        raise _wrong(setting, f"{describe(reference)} is empty")
    return text


def secret_path(reference: SecretReference, base: Path, setting: str = "") -> Path:
    """Give the file that a secret is kept in. Raises CommandError (78) when systemd handed no credentials over."""
    if reference.file is not None:
        return base / reference.file
    name = reference.credential or ""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise _wrong(
            setting,
            f"no credentials were handed over to find {name} among: systemd does that (LoadCredential=); by hand set"
            f" CREDENTIALS_DIRECTORY to the folder with {name}",
        )
    if Path(name).name != name:
        raise _wrong(setting, f"{name} is not the name of a credential")
    return Path(folder) / name


def _read_file(path: Path, setting: str) -> str:
    try:
        with path.open("rb") as file:
            octets = file.read(MAXIMUM_OCTETS + 1)
    except OSError as error:
        raise _wrong(setting, f"cannot read {path}: {error.strerror}") from None
    if len(octets) > MAXIMUM_OCTETS:
        raise _wrong(setting, f"{path} is larger than {MAXIMUM_OCTETS // 1024} KiB")
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        raise _wrong(setting, f"{path} is not UTF-8") from None
    return text.removesuffix("\n").removesuffix("\r")


def _wrong(setting: str, text: str) -> CommandError:
    return CommandError(f"{setting}: {text}" if setting else text, exit_code=_EXIT_CONFIG)


def describe(reference: SecretReference) -> str:
    """Say where a secret is kept: the file key.pem, the environment variable X, the credential Y."""
    if reference.file is not None:
        return f"the file {reference.file}"
    if reference.env is not None:
        return f"the environment variable {reference.env}"
    return f"the credential {reference.credential}"


def exposure(reference: SecretReference, base: Path) -> str | None:
    """Say that other users of this machine can read a secret's file; None when they cannot, or there is none."""
    if reference.file is None:
        return None
    try:
        mode = (base / reference.file).stat().st_mode
    except (OSError, ValueError):
        return None
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        return f"{reference.file} can be read by every user of this machine; run chmod 600 on it"
    return None


def secret_references(
    settings: Settings, above: tuple[str, ...] = ()
) -> Iterator[tuple[str, SecretReference]]:
    """Give every secret that is named, with its path; the reps' hashes are none."""
    for setting in settings_of(type(settings)):
        value = getattr(settings, setting.field, None)
        path = (*above, setting.name)
        if isinstance(value, SecretReference):
            yield ".".join(path), value
        elif isinstance(value, Settings):
            yield from secret_references(value, path)
        elif isinstance(value, dict):
            for name, item in value.items():
                yield from secret_references(item, (*path, name))
