"""Reps are found by login and by acceptable address, and their BCC address stays masked."""

import pytest

from relay.address import parse_mailbox
from relay.directory.model import BccAddress, Directory, Rep, login_key
from relay.ids import Login

ANA = Rep(
    login=Login("ana"),
    addresses=(parse_mailbox("Ana@Example.com"), parse_mailbox("ana@bücher.example", smtputf8=True)),
    email_to_salesforce=BccAddress("emailtosalesforce@a1b2c3d4.le.salesforce.com"),
)


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("Ana", "ana"),
        ("ana@Example.com", "ana@example.com"),
        ("STRASSE", "strasse"),
        ("straße", "strasse"),
        ("", ""),
        ("a\0b", ""),
        ("a\u202eb", ""),
        ("a\tb", ""),
        ("x" * 256, ""),
        ("å" * 200, ""),
    ],
)
def test_how_logins_are_compared(written: str, key: str) -> None:
    """Case is nothing, controls and excess length are nobody's."""
    assert login_key(written) == key


@pytest.mark.parametrize("text", ["ana@example.com", "ANA@EXAMPLE.COM", "ana@xn--bcher-kva.example"])
def test_addresses_are_found_as_mail_systems_compare(text: str) -> None:
    """Case and the written form of the domain do not matter."""
    assert Directory([ANA]).by_address(parse_mailbox(text)) is ANA


def test_plus_addresses_are_found_only_when_allowed() -> None:
    """ana+news@ is ana@ where the settings say so."""
    address = parse_mailbox("ana+news@example.com")
    assert Directory([ANA]).by_address(address) is None
    assert Directory([ANA], plus_addresses=True).by_address(address) is ANA
    assert Directory([ANA], plus_addresses=True).by_address(parse_mailbox("+x@example.com")) is None


def test_the_bcc_address_is_masked_wherever_it_is_shown() -> None:
    """str, repr and formatting of it, and of a rep, do not show enough to use."""
    assert ANA.email_to_salesforce is not None
    shown = f"{ANA.email_to_salesforce} {ANA.email_to_salesforce!r} {ANA!r}"
    assert "a1b2c3d4" not in shown
    assert str(ANA.email_to_salesforce) == "emailtosalesforce@a1…om"
    assert ANA.email_to_salesforce.reveal().endswith("le.salesforce.com")
