"""What is checked of the page's settings."""

from pathlib import Path

import pytest

from tests.support.settings import GOOD, told

OIDC = '{issuer: "https://login.example", client_id: x, client_secret: {env: X}}'


@pytest.mark.parametrize(
    ("web", "text"),
    [
        ('{address: "0.0.0.0:8025"}', "is no loopback address"),
        ('{address: "192.0.2.1:8025"}', "is no loopback address"),
        ('{address: "relay.example.com:8025"}', "is no loopback address"),
        ("{tls: implicit}", "implicit needs a certificate"),
        ("{trusted_proxies: [nonsense]}", "trusted_proxies.0"),
        ("{public_url: relay.example.com}", "must be https://host"),
        ('{public_url: "http://relay.example.com"}', "must be https://host"),
        ('{public_url: "https://relay.example.com/mail"}', "must be https://host"),
        ('{digest: "25:00"}', "must be off or a time of day"),
        ("{passwords: false}", "nobody could sign in"),
        ('{oidc: {issuer: "http://login.example", client_id: x, client_secret: {env: X}}}', "https address"),
    ],
)
def test_what_cannot_work_is_refused(tmp_path: Path, web: str, text: str) -> None:
    """Each mistake is told with its place."""
    assert any(text in line for line in told(tmp_path, GOOD + f"web: {web}\n"))


@pytest.mark.parametrize(
    "web",
    [
        "null",
        "{}",
        '{address: "[::1]:0", public_url: "https://relay.example.com"}',
        '{address: "localhost:8025", public_url: "http://localhost:8025", digest: "off"}',
        f"{{passwords: false, oidc: {OIDC}}}",
    ],
)
def test_what_can_work_is_taken(tmp_path: Path, web: str) -> None:
    """No finding is about the page."""
    assert not any(" web" in line for line in told(tmp_path, GOOD + f"web: {web}\n"))
