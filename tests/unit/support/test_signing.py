"""Signing for tests notices when a message was changed."""

import pytest

from tests.support.signing import Signature, sign, verify, ways

_MESSAGE = b"From: a@example.com\r\nTo: b@example.com\r\nSubject: x\r\n\r\nHello\r\n"


@pytest.mark.parametrize("way", ways(), ids=str)
def test_a_change_is_noticed(way: Signature) -> None:
    """What was signed verifies; one letter of the body more, and it does not."""
    signed = sign(_MESSAGE, way)
    assert verify(signed)
    assert verify(b"Received: from a by b; Mon, 9 Nov 2026 09:14:03 +0100\r\n" + signed)
    assert not verify(signed + b"a\r\n")


@pytest.mark.parametrize("way", [way for way in ways() if way.over_signed], ids=str)
def test_an_added_field_is_noticed_when_it_is_over_signed(way: Signature) -> None:
    """Over-signing forbids to add a field."""
    assert not verify(b"Date: Mon, 9 Nov 2026 09:14:03 +0100\r\n" + sign(_MESSAGE, way))
