"""relay.policy.acceptable: who may send as whom (smtp.md S12)."""

import pytest

from relay.address import parse_mailbox
from relay.policy.acceptable import compile_acceptable, envelope_fault, header_fault, sender_fault
from tests.support.builders import envelope
from tests.support.policy import header

ADDRESSES = [
    parse_mailbox(one, smtputf8=True)
    for one in ("ana@ours.example", "Info@Ours.example", "ana@bücher.example")
]
EXACT = compile_acceptable(ADDRESSES, plus_addresses=False)
PLUS = compile_acceptable(ADDRESSES, plus_addresses=True)


@pytest.mark.parametrize(
    ("text", "exact", "plus"),
    [
        ("ana@ours.example", True, True),
        ("ANA@OURS.EXAMPLE", True, True),
        ("info@ours.example", True, True),
        ('"ana"@ours.example', True, True),
        ("ana@xn--bcher-kva.example", True, True),
        ("ana@BÜCHER.example", True, True),
        ("ana+crm@ours.example", False, True),
        ("Ana+x+y@ours.example", False, True),
        ("+ana@ours.example", False, False),
        ('"ana+crm"@ours.example', False, False),
        ("bo@ours.example", False, False),
        ("bo+ana@ours.example", False, False),
        ("ana@sub.ours.example", False, False),
        ("ana@ours.example.org", False, False),
        ("\u0430na@ours.example", False, False),  # Cyrillic
        ("ana@\u043eurs.example", False, False),  # Cyrillic
    ],
)
def test_takes(text: str, exact: bool, plus: bool) -> None:
    """Case, quoting and IDNA forms do not matter, plus-variants where they are allowed, look-alikes never pass."""
    address = parse_mailbox(text, smtputf8=True)
    assert (EXACT.takes(address), PLUS.takes(address)) == (exact, plus)


def test_envelope_sender() -> None:
    """The null path passes; another rep's address is refused by name with 550 5.7.1."""
    assert envelope_fault(None, EXACT) is None
    assert envelope_fault(parse_mailbox("ana@ours.example"), EXACT) is None
    fault = envelope_fault(parse_mailbox("bo@ours.example"), EXACT)
    assert fault
    assert str(fault.reply).startswith("550 5.7.1 bo@ours.example is not one of your acceptable addresses")


PASS = [
    [],
    ["Subject: no From at all"],
    ["Subject: no From", "Sender: ana@ours.example"],
    ["From: ana@ours.example"],
    ["From: Info <INFO@ours.example>"],
    ["From: ana@ours.example, info@ours.example", "Sender: ana@ours.example"],
    ["From: ana@ours.example, info@ours.example"],
    ["From: ana@ours.example", "Sender: ana@laptop.localdomain"],
    ["From: ana@ours.example", "Resent-From: info@ours.example"],
    ['From: "ceo@ours.example" <ana@ours.example>'],
    [b"From: An\xe5 <ana@ours.example>"],
    ["From: ana@ours.example", "", "From: x@evil.example"],
]

REFUSED = [
    (["From: bo@ours.example"], "bo@ours.example is not one of"),
    (
        ["From: ana@ours.example", "From: ana@ours.example"],
        "The From field of this mail stands there more than once",
    ),
    (["From: ana@ours.example", "text", "From : x@evil.example"], "stands there more than once"),
    ([".From: ana@ours.example", "From: x@evil.example"], "stands there more than once"),
    (["From: ana@ours.example, x@evil.example"], "x@evil.example is not one of"),
    (["From: ana@ours.example, info@ours.example", "Sender: x@evil.example"], "x@evil.example is not one of"),
    (
        ["From: ana@ours.example, info@ours.example", "Sender: Ana"],
        "The Sender field of this mail cannot be read",
    ),
    (['From: "ana@ours.example" <x@evil.example>'], "x@evil.example is not one of"),
    (["From: ana@ours.example <x@evil.example>"], "x@evil.example is not one of"),
    (["From: (ana@ours.example) x@evil.example"], "x@evil.example is not one of"),
    (["From: Team: ana@ours.example;"], "The From field of this mail is a group"),
    (["From: =?utf-8?q?ceo=40ours.example=2C?= <ana@ours.example>"], "hides an address in an encoded word"),
    (["From: \u0430na@ours.example"], "is not one of"),
    (["From: ana@ours.example", "Resent-From: x@evil.example"], "x@evil.example is not one of"),
    (["From: ana@ours.example", "Resent-From:"], "The Resent-From field of this mail has no address"),
    (["Sender: x@evil.example", "Subject: no From"], "x@evil.example is not one of"),
    (["From:"], "The From field of this mail has no address"),
    (["From: <>"], "has no address"),
    ([b"From: \xff\xfe\xe5"], "cannot be read"),
    (["From: ana@ours.example."], "cannot be read"),
]


@pytest.mark.parametrize("lines", PASS)
def test_header_passes(lines: list[str | bytes]) -> None:
    """Mail of the rep's own addresses passes, and so does mail without any From."""
    assert header_fault(header(*lines), EXACT) is None


@pytest.mark.parametrize(("lines", "text"), REFUSED)
def test_header_refused(lines: list[str | bytes], text: str) -> None:
    """Every way to show another sender is refused with 550 5.7.1, saying what is wrong."""
    fault = header_fault(header(*lines), EXACT)
    assert fault
    assert (fault.reply.code, fault.reply.status) == (550, "5.7.1")
    assert text in fault.reply.text


def test_a_gateways_bounce_address_is_not_the_reps() -> None:
    """Of signed-in reps the envelope counts too; of gateways it counts only where the header names nobody."""
    mail, bounce = header("From: ana@ours.example"), envelope("bounce-1@ours.example")
    assert sender_fault(bounce, mail, EXACT, signed_in=True)
    assert sender_fault(bounce, mail, EXACT, signed_in=False) is None
    assert sender_fault(bounce, header("Subject: x"), EXACT, signed_in=False)
    assert sender_fault(envelope("ana@ours.example"), mail, EXACT, signed_in=True) is None
