"""relay.policy.patterns: globs over addresses."""

import pytest

from relay.policy.patterns import compile_globs


@pytest.mark.parametrize(
    ("glob", "address", "fits"),
    [
        ("*@bank.example", "desk@bank.example", True),
        ("*@bank.example", "desk@x.bank.example", False),
        ("*@bank.example", "desk@bank.example.org", False),
        ("*@*.hospital.example", "a@b.c.hospital.example", True),
        ("*@*.hospital.example", "a@hospital.example", False),
        ("HR@Example.com", "hr@example.com", True),
        ("hr@example.com", "xhr@example.com", False),
        ("hr@example.com", "hr@exampleXcom", False),
        ("h?@example.com", "hr@example.com", True),
        ("h?@example.com", "h@example.com", False),
        ("a**b@x", "a-b@x", True),
        ("a*b*c*d@x", "abbccd@x", True),
        ("a*b*c*d@x", "abbcc@x", False),
        ("a*ab@x", "aab@x", True),
        ("*", "anybody@anywhere.example", True),
        ("bank.example", "desk@bank.example", True),
        ("*.bank.example", "desk@a.bank.example", True),
        ("*@bücher.example", "a@xn--bcher-kva.example", True),
        ("*@ü\u2028.example", "a@b.example", False),
        ("a+b@[192.0.2.1]", "a+b@[192.0.2.1]", True),
        (" hr@example.com ", "hr@example.com", True),
    ],
)
def test_fits(glob: str, address: str, fits: bool) -> None:
    """A star stands for anything, a question mark for one character, the rest for itself; case does not count."""
    globs = compile_globs([(glob, "rule")])
    assert globs is not None
    assert globs.rule_for(address) == ("rule" if fits else None)


def test_the_first_that_fits_is_named() -> None:
    """Of several globs the first one that fits gives its rule; no globs are None."""
    globs = compile_globs([("a@x", "one"), ("*@x", "two"), ("*", "three")])
    assert globs is not None
    assert [globs.rule_for(address) for address in ("a@x", "b@x", "b@y")] == ["one", "two", "three"]
    assert compile_globs([]) is None


def test_many_stars_take_no_time() -> None:
    """A glob of many stars over a long address ends at once."""
    globs = compile_globs([("*a" * 60 + "b@x", "rule")])
    assert globs is not None
    assert globs.rule_for("a" * 250 + "@x") is None
