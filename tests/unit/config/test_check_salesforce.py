"""Tests for relay.config.check_salesforce: what is wrong with how Salesforce is to be reached."""

from pathlib import Path

import pytest

from tests.support.settings import GOOD, told

JWT = "{kind: jwt, client_id: app, private_key: {file: key}}"
SECRET = "{client_id: app, client_secret: {file: secret}}"


def problems(folder: Path, text: str, *, mode: str = "off") -> list[str]:
    """Give what is told of a salesforce: part."""
    lines = [line for line in GOOD.splitlines() if not line.startswith("logging:")]
    whole = "\n".join([*lines, f"logging: {{mode: {mode}}}", "salesforce:", *text.splitlines()])
    return [line for line in told(folder, whole + "\n") if "salesforce" in line]


def part(instance: str = "https://acme.my.salesforce.com", auth: str = SECRET, more: str = "") -> str:
    """Write the part."""
    return f"  instance: {instance}\n  auth: {auth}\n{more}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (part("http://acme.my.salesforce.com"), "must begin with https://"),
        (part("acme.my.salesforce.com"), "is not an address such as"),
        (part("https://acme.my.salesforce.com/services"), "is not an address such as"),
        (part("https://user@acme.test"), "is not an address such as"),
        (part('"https://acme.test:99999"'), "is not an address such as"),
        (part("https://login.salesforce.com"), "only at your own domain"),
        (part(auth="{client_id: app}"), "client_secret: is required for client_credentials"),
        (part(auth="{kind: jwt, client_id: app}"), "private_key: is required for jwt"),
        (
            part(auth="{kind: refresh_token, client_id: app}", more="web: null"),
            "refresh_token: is required without a page",
        ),
        (
            part(auth="{client_id: app, client_secret: {file: s}, each_rep: true}"),
            "is only for kind refresh_token",
        ),
        (
            part(more="  look_up_as: {kind: refresh_token, client_id: app}"),
            "Connect on the page is for salesforce.auth",
        ),
        (part(more='  api_version: "v67"'), "must be a version such as 67.0"),
        (part(more='  api_version: "30.0"'), "must be a version such as 67.0"),
        (part(more="  proxy: proxy.example.com"), "must be an address such as http://"),
        (part(more=f"  look_up_as: {JWT}"), "one user looks up for all reps"),
        (part(more="  limits: {stop_background_at: 99}"), "is above stop_logging_at"),
    ],
)
def test_each_mistake(tmp_path: Path, text: str, said: str) -> None:
    """Each mistake is told at its place, in words that say what would be right."""
    assert any(said in line for line in problems(tmp_path, text)), problems(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        part(),
        part("https://127.0.0.1:8443"),
        part("https://acme.my.salesforce.com/"),
        part("https://login.salesforce.com", JWT.replace("jwt,", "jwt, username: a@b.test,")),
        part(auth=JWT, more=f"  look_up_as: {SECRET}"),
        part(auth="{kind: refresh_token, client_id: app, each_rep: true}"),
    ],
)
def test_what_is_right(tmp_path: Path, text: str) -> None:
    """What can be used is not complained about."""
    assert problems(tmp_path, text) == []


def test_reps_need_usernames(tmp_path: Path) -> None:
    """Signed in as each rep, each rep needs a username, and somebody should look up for all."""
    said = " ".join(problems(tmp_path, part(auth=JWT), mode="api"))
    assert "salesforce_username: is required" in said
    assert "look_up_as" in said


@pytest.mark.parametrize(
    ("domain", "said"),
    [("log@example.com", "is not a domain name"), ("example.com", "is the domain of a rep's own address")],
)
def test_the_control_domain(tmp_path: Path, domain: str, said: str) -> None:
    """The domain of control addresses is a domain, and nobody's own."""
    text = f'{GOOD}logging: {{controls: {{domain: "{domain}"}}}}\n'
    assert any(said in line for line in told(tmp_path, text))
