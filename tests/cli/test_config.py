"""`relay config show` and `relay config schema`."""

from pathlib import Path

from relay.config.loader import load
from tests.support.command import relay
from tests.support.settings import GOOD, written

BCC = "emailtosalesforce@a1b2.le.salesforce.com"
HASH = "$argon2id$v=19$m=65536,t=3,p=4$bm9ib2R5J3Mgc2FsdA$" + "A" * 43


def test_settings_in_force_are_shown_with_their_places(tmp_path: Path) -> None:
    """Written ones with file:line, the rest as defaults."""
    ran = relay("config", "show", "-c", written(tmp_path))
    assert ran.code == 0
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    assert "hostname: relay.example.com # config.yaml:2" in lines
    assert "mode: bcc # default" in lines
    assert "port: 2526 # config.yaml:9" in lines
    assert "- login: ana # config.yaml:11" in lines


def test_secrets_are_masked(tmp_path: Path) -> None:
    """Hashes always, the log copy's address unless it is asked for."""
    config = written(tmp_path, GOOD + f'    password: "{HASH}"\n')
    for arguments in ((), ("--json",)):
        ran = relay("config", "show", "-c", config, *arguments)
        assert BCC not in ran.out
        assert HASH not in ran.out
        assert "6f0c2b1d" not in ran.out
        assert "emailtosalesforce@a1…om" in ran.out
    ran = relay("config", "show", "-c", config, "--reveal")
    assert BCC in ran.out
    assert HASH not in ran.out


def test_settings_as_json(tmp_path: Path) -> None:
    """One item for each value."""
    ran = relay("config", "show", "--json", "-c", written(tmp_path))
    assert ran.json["schema"] == "relay.config/1"
    found = {item["path"]: (item["value"], item["place"]) for item in ran.items}
    assert found["users.0.login"] == ("ana", "config.yaml:11")
    assert found["retry.delivery.give_up_after"] == ("2d", "default")
    assert found["users.0.tokens.0.sha256"] == ("***", "config.yaml:14")


def test_what_is_shown_loads_again(tmp_path: Path) -> None:
    """With the addresses revealed the output is a settings file with the same meaning."""
    before = load(
        written(tmp_path, GOOD.replace("    tokens", "    exclude: {subjects: ['^x: y']}\n    # tokens"))
    )
    ran = relay("config", "show", "--reveal", "-c", before.path)
    unset = (": null", "  controls:")  # a group of which nothing is set has nothing left to write
    text = "\n".join(line for line in ran.out.splitlines() if not any(one in line for one in unset))
    after = load(written(tmp_path, text, "again.yaml"))
    assert after.settings == before.settings


def test_the_schema_is_printed() -> None:
    """For editors; no settings are needed."""
    ran = relay("config", "schema")
    assert ran.code == 0
    assert "listeners" in ran.json["properties"]
