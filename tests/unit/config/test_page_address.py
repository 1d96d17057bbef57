"""Where people reach the page, as the settings tell it."""

from pathlib import Path

import pytest

from relay.config.page_address import page_address, untold
from tests.support.settings import GOOD, loaded, told


@pytest.mark.parametrize(
    ("web", "hostname", "address"),
    [
        ('{public_url: "https://mail.example/"}', None, "https://mail.example"),
        (
            '{public_url: "https://mail.example:8443", trusted_proxies: [192.0.2.1/32]}',
            "x.y",
            "https://mail.example:8443",
        ),
        ("{}", "relay.example.com", "http://127.0.0.1:8025"),
        ('{address: "[::1]:80"}', None, "http://[::1]"),
        ('{address: "0.0.0.0:443", tls: implicit}', "relay.example.com.", "https://relay.example.com"),
        (
            '{address: "[::]:8443", tls: implicit}',
            "relay.bücher.example",
            "https://relay.xn--bcher-kva.example:8443",
        ),
        ('{address: "192.0.2.1:8443", tls: implicit}', "relay.example.com", "https://relay.example.com:8443"),
        ('{address: "page.example:8443", tls: implicit}', None, "https://page.example:8443"),
        ('{address: "0.0.0.0:443", tls: implicit}', None, ""),
        ('{address: "127.0.0.1:0"}', "relay.example.com", ""),
        ("{trusted_proxies: [127.0.0.1/32]}", "relay.example.com", ""),
    ],
)
def test_it_is_what_the_settings_tell_or_nothing(
    tmp_path: Path, web: str, hostname: str | None, address: str
) -> None:
    """public_url, else loopback, else server.hostname at the page's port; "" where one could only guess."""
    certificate = "tls: {certificate: c.pem, private_key: {file: k.pem}}\n"
    settings = loaded(tmp_path, f"{GOOD}{certificate}web: {web}\n").settings.web
    assert settings is not None
    assert page_address(settings, hostname) == address
    assert bool(untold(settings, hostname)) == (address == "")


def test_the_check_says_what_to_set(tmp_path: Path) -> None:
    """Behind a proxy without public_url, `relay check` warns that no links are mailed, and says what to write."""
    (line,) = [
        one for one in told(tmp_path, GOOD + "web: {trusted_proxies: [127.0.0.1/32]}\n") if "web" in one
    ]
    assert "web.public_url: is not set, and a proxy stands before the page: no links are mailed" in line
    assert "write public_url: https://HOST" in line
    assert not [one for one in told(tmp_path, GOOD) if "web" in one]
