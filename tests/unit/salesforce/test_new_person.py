"""The lead or contact that is made of an unknown recipient."""

import pytest

from relay.salesforce.model import PersonKind
from relay.salesforce.new_person import new_person
from tests.support.recording import REP_USER, sales_rep, told


@pytest.mark.parametrize(
    ("name", "address", "first", "last"),
    [
        ("Anna Berg", "a@customer.test", "Anna", "Berg"),
        ("Berg, Anna", "a@customer.test", "Anna", "Berg"),
        ("Anna Maria von Berg", "a@customer.test", "Anna Maria von", "Berg"),
        ("Berg", "a@customer.test", None, "Berg"),
        ("", "anna.berg+x@customer.test", "Anna", "Berg"),
        ("a@customer.test", "anna_berg@customer.test", "Anna", "Berg"),
        ("", "+@customer.test", None, "+@customer.test"),
    ],
)
def test_names(name: str, address: str, first: str | None, last: str) -> None:
    """Of the display name, else of the local part; there is always a last name."""
    made = new_person(told(address, name=name), PersonKind.CONTACT, sales_rep())
    assert (made.fields.get("FirstName"), made.fields["LastName"]) == (first, last)


def test_a_lead_has_a_company_and_an_owner() -> None:
    """The company is the domain, or none where anybody can have an address; duplicates are not made twice."""
    made = new_person(told("a@customer.test"), PersonKind.LEAD, sales_rep())
    free = new_person(told("a@gmail.com"), PersonKind.LEAD, sales_rep())
    assert (made.fields["Company"], free.fields["Company"]) == ("customer.test", "-")
    assert made.fields["OwnerId"] == REP_USER
    assert "allowSave=false" in made.headers["Sforce-Duplicate-Rule-Header"]


def test_lengths() -> None:
    """Names are cut to their fields."""
    made = new_person(told(name="x" * 50 + " " + "y" * 90), PersonKind.CONTACT, sales_rep())
    assert (len(str(made.fields["FirstName"])), len(str(made.fields["LastName"]))) == (40, 80)
