"""relay.policy.subjects: regular expressions that cannot run away."""

import re

import pytest

from relay.policy.subjects import PatternError, compile_subject

SUBJECTS = [
    "",
    "private",
    "[private] plans",
    "Re: Fwd: re: [Private] plans",
    "Invoice 2026-11 number 12345",
    "a-b_c. d",
    "aaaaab",
    "foofoobar",
    "x" * 300 + "end",
    "Offert för åäö",
    "tail #nolog",
    "ab" * 20,
    "{2}",
    "a]b}c",
]
PATTERNS = [
    r"",
    r"private",
    r"^\[private\]",
    r"^((re|fwd?):\s*)*\[private\]",
    r"(?i)PRIVATE$",
    r"^$",
    r"\d{4}-\d\d.*\b\d{5}$",
    r"(foo)+bar",
    r"(?:foo){2}bar",
    r"(?P<x>foo){2,}",
    r"(a|aa)*b",
    r"(a*)*b",
    r"(a+?)+?b$",
    r"(ab){3,20}$",
    r"(ab){,2}c",
    r"x{100,}end",
    r"(x{10}){3}.*end$",
    r"[^a-z]{3}.*[]]",
    r"[]a]+[}]|\{2\}",
    r"a]b}c",
    r"för\s+\w*ö$",
    r"\Bnolog\Z|\Anever",
    r"\Aa\W\S_\D.\s",
    r"()*x|(){3}y",
    r"(|a)+b",
    r"(^a)+",
    r"a|b||c",
    r"\.\ d",
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_agrees_with_re(pattern: str) -> None:
    """Whatever engine runs a pattern, it fits where Python's own search would find it, without regard to case."""
    compiled = compile_subject(pattern, "rule")
    expected = [bool(re.search(pattern, subject, re.IGNORECASE)) for subject in SUBJECTS]
    assert [compiled.fits(subject) for subject in SUBJECTS] == expected


@pytest.mark.parametrize(
    "pattern", [r"(a+)+$", r"^(a|a)*$", r"^(a*)*$", r"a*a*a*a*a*a*b", r"(a?){50}a{50}$", r"(.*a){12}$"]
)
def test_never_runs_away(pattern: str) -> None:
    """Patterns that would keep Python's own engine busy for ages end at once."""
    assert not compile_subject(pattern, "rule").fits("a" * 900 + "!")


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (r"(", "is not a regular expression"),
        (r"[", "is not a regular expression"),
        (r"*", "is not a regular expression"),
        (r"(a)\1", "not offered"),
        (r"a(?=b)", "not offered"),
        (r"(?<!a)b", "not offered"),
        (r"(?P<x>a)(?P=x)", "not offered"),
        (r"\x41", "not offered"),
        (r"a*+", "without the second +"),
        (r"(a{1,60}){1,60}b", "counts are too high"),
        (r"a" * 501, "longer than 500"),
        ("(" * 60 + "a*" + ")*" * 60, "too many groups"),
    ],
)
def test_refuses(pattern: str, why: str) -> None:
    """What is no regular expression, needs looking back, or is too large is refused with a reason."""
    with pytest.raises(PatternError, match=re.escape(why)):
        compile_subject(pattern, "rule")


def test_empty_groups_with_high_counts() -> None:
    """Counts of nothing cost nothing."""
    assert compile_subject(r"((){900000}){900000}x", "rule").fits("x")


def test_looks_at_the_first_998_characters() -> None:
    """A subject is cut before it is searched."""
    assert not compile_subject("x", "rule").fits("a" * 998 + "x")
