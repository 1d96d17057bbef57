"""Reading the structured fields of mail that is recorded."""

import pytest

from relay.salesforce.composed import Mailbox
from relay.salesforce.mime_fields import mailboxes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"odd name"@buyer.example', [("", '"odd name"@buyer.example')]),
        ('"a,b"@buyer.example, bo@buyer.example', [("", '"a,b"@buyer.example'), ("", "bo@buyer.example")]),
        ('Odd <"odd  name"@buyer.example>', [("Odd", '"odd  name"@buyer.example')]),
        ('Odd <"a>b"@buyer.example>', [("Odd", '"a>b"@buyer.example')]),
        ('a."b c".d@buyer.example', [("", 'a."b c".d@buyer.example')]),
        ('"odd \\"name" @ buyer.example', [("", '"odd \\"name"@buyer.example')]),
        ('"Berg, Anna" <anna@buyer.example>', [("Berg, Anna", "anna@buyer.example")]),
        ('"Anna" anna@buyer.example', [("", "anna@buyer.example")]),
        ("anna @buyer.example", [("", "anna@buyer.example")]),
        ('<"anna@buyer.example>, bo@buyer.example', [("", '"anna@buyer.example'), ("", "bo@buyer.example")]),
        ('"anna"@buyer.example <bo@buyer.example>', [("anna@buyer.example", "bo@buyer.example")]),
    ],
)
def test_mailboxes(text: str, expected: list[tuple[str, str]]) -> None:
    """A quoted local part belongs to the address, a quoted name to the name; what is broken costs no neighbour."""
    assert mailboxes(text) == tuple(Mailbox(*one) for one in expected)
