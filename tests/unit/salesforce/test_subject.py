"""The subject of a record, by its template."""

import pytest

from relay.config.placeholders import PLACEHOLDERS, unknown_placeholders
from relay.salesforce.subject import SubjectValues, subject_of

VALUES = SubjectValues("Offer", "Ana Berg", "Anna", "ana@example.com")


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{subject}", "Offer"),
        ("{{activity_type}}: {{activity_subject}}", "Email: Offer"),
        ("{sender} to {recipient} by {mailbox}: {subject}", "Ana Berg to Anna by ana@example.com: Offer"),
        ("[relay] {subject}", "[relay] Offer"),
        ("{{sales_campaign_name}}{{call_outcome}} {subject}", "Offer"),
        ("{{sales_campaign_name}}", ""),
        ("{nonsense} {subject}", "{nonsense} Offer"),
        ("a\r\nb {subject}", "a b Offer"),
        ("", ""),
    ],
)
def test_templates(template: str, expected: str) -> None:
    """Documented placeholders are filled in, empty ones give nothing, line breaks go, the rest stays."""
    assert subject_of(template, VALUES, 255) == expected


def test_a_subject_is_filled_in_once() -> None:
    """Placeholders in the mail's own subject are text."""
    assert (
        subject_of("{subject}", SubjectValues("{mailbox} {{activity_type}}"), 255)
        == "{mailbox} {{activity_type}}"
    )


def test_the_result_is_cut() -> None:
    """To the length of the field, in UTF-16 units, never through a character."""
    assert subject_of("{subject}", SubjectValues("x" * 300), 255) == "x" * 255
    assert subject_of("{subject}", SubjectValues("😀" * 200), 255) == "😀" * 127


def test_unknown_placeholders_are_told() -> None:
    """What looks like one and is none can be pointed out."""
    assert unknown_placeholders("{nonsense} {{also}} {subject} {Not}") == ("{nonsense}", "{{also}}")
    assert unknown_placeholders(" ".join(PLACEHOLDERS)) == ()
