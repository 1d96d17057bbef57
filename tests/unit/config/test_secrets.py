"""Secrets are read from where the settings say, and never told in errors."""

from pathlib import Path

import pytest

from relay.config.secrets import exposure, read_secret, secret_references
from relay.config.types import SecretReference
from relay.errors import CommandError
from tests.support.settings import GOOD, loaded


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        ("word", "word"),
        ("word\n", "word"),
        ("word\r\n", "word"),
        ("word\n\n", "word\n"),
        (" w ö \n", " w ö "),
    ],
)
def test_a_file_without_its_last_newline_is_the_secret(tmp_path: Path, content: str, secret: str) -> None:
    """Editors end a file with one newline; nothing else is taken away."""
    (tmp_path / "secret").write_bytes(content.encode())
    assert read_secret(SecretReference(file="secret"), tmp_path) == secret


def test_an_environment_variable_is_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands."""
    monkeypatch.setenv("RELAY_TEST_SECRET", "word\n")
    assert read_secret(SecretReference(env="RELAY_TEST_SECRET"), Path()) == "word\n"


def test_a_credential_is_read_from_systemd_s_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """$CREDENTIALS_DIRECTORY holds it; its name cannot lead out of there."""
    (tmp_path / "word").write_text("secret\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_secret(SecretReference(credential="word"), Path("/nowhere")) == "secret"
    with pytest.raises(CommandError, match="not the name of a credential"):
        read_secret(SecretReference(credential="../word"), Path())


def _error(reference: SecretReference, base: Path) -> CommandError:
    with pytest.raises(CommandError) as caught:
        read_secret(reference, base, "tls.private_key")
    return caught.value


def test_a_secret_that_is_not_there_names_its_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text tells which setting and which place; the exit code is 78."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    error = _error(SecretReference(file="none"), tmp_path)
    assert str(error) == f"tls.private_key: cannot read {tmp_path / 'none'}: No such file or directory"
    assert error.exit_code == 78
    assert "RELAY_NONE is not set" in str(_error(SecretReference(env="RELAY_NONE"), tmp_path))
    assert str(_error(SecretReference(credential="x"), tmp_path)) == (
        "tls.private_key: no credentials were handed over to find x among: systemd does that (LoadCredential=); by hand"
        " set CREDENTIALS_DIRECTORY to the folder with x"
    )


def test_a_secret_that_cannot_be_one_is_refused_without_its_value(tmp_path: Path) -> None:
    """Empty, too large and not UTF-8 are told; what the file holds is not."""
    for content, text in (
        (b"\n", "is empty"),
        (b"hunter2" * 10_000, "larger than 64 KiB"),
        (b"hunter2\xff", "not UTF-8"),
    ):
        (tmp_path / "secret").write_bytes(content)
        error = str(_error(SecretReference(file="secret"), tmp_path))
        assert text in error
        assert "hunter2" not in error


def test_who_else_can_read_a_secret_is_seen(tmp_path: Path) -> None:
    """Only a file's mode is looked at, and only when it is there."""
    (tmp_path / "secret").write_text("x")
    for mode, told in ((0o600, False), (0o640, False), (0o644, True), (0o606, True)):
        (tmp_path / "secret").chmod(mode)
        assert (exposure(SecretReference(file="secret"), tmp_path) is not None) is told
    assert exposure(SecretReference(file="none"), tmp_path) is None
    assert exposure(SecretReference(env="X"), tmp_path) is None


def test_all_secrets_of_the_settings_are_found(tmp_path: Path) -> None:
    """Each with the path of its setting."""
    text = GOOD.replace("port: 2526, tls: none", "auth: {kind: password, username: u, password: {env: X}}")
    text += "tls: {certificate: c.pem, private_key: {file: k.pem}}\n"
    assert [path for path, _ in secret_references(loaded(tmp_path, text).settings)] == [
        "tls.private_key",
        "upstream.routes.main.auth.password",
    ]
