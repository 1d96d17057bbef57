"""A settings file becomes a Configuration, or every problem it has."""

from pathlib import Path

import pytest

from relay.config.loader import find_config, load
from relay.config.model import Mode
from relay.errors import CommandError, ConfigError
from tests.support.nobody import as_nobody
from tests.support.settings import GOOD, loaded, problems_of, told, written


def test_good_settings_load(tmp_path: Path) -> None:
    """Values are typed, names are resolved against the file's folder."""
    configuration = loaded(tmp_path)
    assert configuration.settings.logging.mode is Mode.BCC
    assert configuration.hostname == "relay.example.com"
    assert configuration.state_dir == tmp_path / "state"
    assert configuration.resolve("/etc/key.pem") == Path("/etc/key.pem")


def test_places_tell_where_each_setting_stands(tmp_path: Path) -> None:
    """Written settings have file:line, an item below them too; others are defaults."""
    configuration = loaded(tmp_path)
    assert configuration.place("users.0.addresses.0") == "config.yaml:12"
    assert configuration.place("upstream.routes.main.port") == "config.yaml:9"
    assert configuration.place("users") == "config.yaml:10"
    assert configuration.place("logging.mode") == "default"
    assert configuration.place("users.0.mode") == "default"
    assert configuration.place("users.0.addresses.7") == "config.yaml:12"


def test_a_problem_can_be_put_at_a_setting(tmp_path: Path) -> None:
    """Other parts of the relay name a path and get a problem with its place."""
    problem = loaded(tmp_path).locate("users.0.login", "is odd", "warning")
    assert str(problem) == f"{tmp_path / 'config.yaml'}:11:12: warning: users.0.login: is odd"


def test_all_problems_are_told_at_once_in_file_order(tmp_path: Path) -> None:
    """Mistakes of kind, unknown names and cross checks stand beside each other."""
    text = GOOD.replace("login: ana", "lgoin: ana").replace("default: main", "default: mian")
    text = text.replace("auth: optional", "auth: maybe") + "nonsense: 1\n"
    assert told(tmp_path, text) == [
        '4:68 listeners.0.auth: "maybe" is not one of none, optional, required',
        '7:12 upstream.default: "mian" names no route; did you mean "main"?',
        '11:5 users.0.lgoin: unknown setting; did you mean "login"?',
        "15:1 nonsense: unknown setting; known here: version, server, listeners, tls, auth, upstream, notices,"
        " logging, metrics, logs, limits, retry, retention, salesforce, reminders, web, users, include",
    ]


def test_what_is_missing_points_at_its_mapping(tmp_path: Path) -> None:
    """There is no better place for what is not there."""
    text = GOOD.replace("    addresses: [ana@example.com]\n", "")
    assert told(tmp_path, text)[-1] == (
        "11:5 users.0.addresses: is required: The acceptable addresses: those the rep may send from."
    )


def test_a_group_left_empty_is_told(tmp_path: Path) -> None:
    """All of its settings commented out leaves nothing, which is no mapping."""
    assert told(tmp_path, GOOD + "logging:\n#  mode: bcc\n")[-1] == (
        "15:9 logging: has no value; give it one, or remove the line"
    )


@pytest.mark.parametrize("text", ["", "# only a comment\n"])
def test_an_empty_file_is_told(tmp_path: Path, text: str) -> None:
    """Nothing is no settings."""
    assert told(tmp_path, text)[0].startswith("1:1 : is empty")


def test_a_list_is_no_settings(tmp_path: Path) -> None:
    """The file must be a mapping."""
    assert told(tmp_path, "- a\n") == ["1:1 : must be a mapping of settings"]


def test_a_file_that_is_not_utf_8_is_told_with_its_place(tmp_path: Path) -> None:
    """Latin-1 from an old editor is refused cleanly."""
    path = tmp_path / "config.yaml"
    path.write_bytes("version: 1\nusers: [{name: J\xf6rg}]\n".encode("latin-1"))
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value) == f"{path}:2:17: is not UTF-8; save the file in that encoding"


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A missing file is a problem like any other."""
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path)


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    """It is not even read whole."""
    path = tmp_path / "config.yaml"
    path.write_bytes(b"#" * (8 * 1024 * 1024 + 1))
    with pytest.raises(ConfigError, match="larger than 8 MiB"):
        load(path)


def test_included_files_add_users_with_their_own_places(tmp_path: Path) -> None:
    """Each user remembers the file it was written in."""
    user = (
        "users:\n  - login: {0}\n    addresses: [{0}@example.com]\n    email_to_salesforce: {0}@le.example\n"
    )
    written(tmp_path, user.format("bo"), "users.d/b.yaml")
    written(tmp_path, "# nobody yet\n", "users.d/c.yaml")
    written(tmp_path, user.format("cy"), "users.d/d.yaml")
    configuration = loaded(tmp_path, GOOD + "include: [users.d/*.yaml, users.d/b.yaml, config.yaml]\n")
    assert [user.login for user in configuration.settings.users] == ["ana", "bo", "cy"]
    assert configuration.place("users.2.addresses.0") == "users.d/d.yaml:3"
    assert configuration.place("users.1") == "users.d/b.yaml:2"
    assert len(configuration.files) == 4


def test_problems_of_included_files_name_those_files(tmp_path: Path) -> None:
    """Positions and numbers count in the file that holds the mistake; doubles name both places."""
    written(
        tmp_path, "users:\n  - login: ana\n    addresses: [ana@example.com]\n    mode: nothing\n", "more.yaml"
    )
    written(tmp_path, "logging: {mode: off}\nusers: 3\n", "odd.yaml")
    found = [str(one) for one in problems_of(tmp_path, GOOD + "include: [more.yaml, odd.yaml, none.yaml]\n")]
    assert [one.removeprefix(f"{tmp_path}/") for one in found if "warning" not in one] == [
        'config.yaml:15:32: include.2: "none.yaml" is no file',
        'more.yaml:2:12: users.0.login: "ana" is also the login of users.0 (config.yaml:11)',
        'more.yaml:3:17: users.0.addresses.0: "ana@example.com" is also an address of users.0 (config.yaml:11)',
        'more.yaml:4:11: users.0.mode: "nothing" is not one of bcc, api, observe, off',
        "odd.yaml:1:1: logging: may only stand in the main file; an included one holds users: alone",
        "odd.yaml:2:8: users: must be a list of users",
    ]


def test_a_main_file_without_users_may_include_them(tmp_path: Path) -> None:
    """`users:` need not stand in the main file."""
    head, _, users = GOOD.partition("users:\n")
    written(tmp_path, f"users:\n{users}", "users.yaml")
    configuration = loaded(tmp_path, head + "include: [users.yaml]\n")
    assert configuration.place("users.0.login") == "users.yaml:2"


def test_settings_of_later_versions_load_with_a_warning(tmp_path: Path) -> None:
    """A file for a later version is read; each setting that nothing acts on is told once."""
    text = GOOD.replace("auth: {require_tls: false}\n", "").replace(
        "auth: optional", "auth: none, trust: {networks: [127.0.0.0/8]}"
    )
    text = text.replace("server: {", "server: {postgresql: {dsn: {env: RELAY_DSN}}, ")
    assert [one.path for one in loaded(tmp_path, text).warnings] == ["server.postgresql"]


def test_a_secret_that_all_can_read_is_told(tmp_path: Path) -> None:
    """The file's mode is looked at when the settings are loaded."""
    key = tmp_path / "password"
    key.write_text("secret\n")
    key.chmod(0o644)
    text = GOOD.replace(
        "tls: none}\nusers",
        "tls: none, auth: {kind: password, username: u, password: {file: password}}}\nusers",
    )
    found = told(tmp_path, text)
    assert any(
        "password can be read by every user of this machine; run chmod 600 on it" in one for one in found
    )
    key.chmod(0o600)
    assert not any("chmod" in one for one in told(tmp_path, text))


def test_where_the_settings_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """-c first, then $RELAY_CONFIG, then the usual places; without any the command cannot go on."""
    monkeypatch.setenv("RELAY_CONFIG", "/from/environment.yaml")
    assert find_config(Path("given.yaml")) == Path("given.yaml")
    assert find_config(None) == Path("/from/environment.yaml")
    monkeypatch.delenv("RELAY_CONFIG")
    monkeypatch.chdir(tmp_path)
    if not Path("/etc/relay/config.yaml").exists():
        with pytest.raises(CommandError) as caught:
            find_config(None)
        assert caught.value.exit_code == 78
        written(tmp_path)
        assert find_config(None) == Path("config.yaml")


def test_a_usual_place_that_is_closed_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who forgot sudo is told that /etc/relay cannot be read, not that there are no settings, nor a traceback."""
    monkeypatch.delenv("RELAY_CONFIG", raising=False)
    monkeypatch.setattr(
        "relay.config.loader._USUAL", (tmp_path / "relay" / "config.yaml", Path("config.yaml"))
    )
    (tmp_path / "relay").mkdir()
    with as_nobody(tmp_path / "relay"):
        found = find_config(None)
        assert found == tmp_path / "relay" / "config.yaml"
        with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
            load(found)


@pytest.mark.parametrize("written", ["käufer.example", "Käufer.example", "xn--kufer-gra.example."])
def test_a_hostname_is_used_in_its_ascii_form(tmp_path: Path, written: str) -> None:
    """It stands in greetings, in Received and in Message-ID, where nothing else may (RFC 5321 §2.3.5)."""
    found = loaded(tmp_path, GOOD.replace("hostname: relay.example.com", f"hostname: {written}"))
    assert found.hostname == "xn--kufer-gra.example"


def test_the_machine_s_name_stands_in_for_a_missing_hostname(tmp_path: Path) -> None:
    """server.hostname may be left out."""
    assert loaded(tmp_path, GOOD.replace("hostname: relay.example.com, ", "")).hostname


def test_two_thousand_users_load(tmp_path: Path) -> None:
    """A large company's file is read, and a mistake in its last user is found."""
    user = "  - {{login: u{0}, addresses: [u{0}@example.com], email_to_salesforce: e@a{0}.le.example}}\n"
    text = GOOD + "".join(user.format(number) for number in range(2000))
    assert len(loaded(tmp_path, text).settings.users) == 2001
    found = told(tmp_path, text + "  - {login: u5, addresses: [x@example.com], mode: off}\n")
    assert found[-1] == '2015:13 users.2001.login: "u5" is also the login of users.6 (config.yaml:20)'
