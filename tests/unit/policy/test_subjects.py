"""relay.policy.subjects: regular expressions that cannot run away."""

import re
from dataclasses import replace

import pytest

from relay.policy.subjects import (
    MAXIMUM_EFFORT,
    Found,
    PatternError,
    compile_subject,
    find_subject,
)

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
    for one in (compiled, replace(compiled, quick=None)):
        assert [find_subject([one], subject) == Found("rule") for subject in SUBJECTS] == expected


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a+)+$",
        r"^(a|a)*$",
        r"^(a*)*$",
        r"a*a*a*a*a*a*b",
        r"(.*a){12}$",
        r"(?:a|aa){4}" + r"(?:a|aa)" * 50 + "b",
        r"(?:a|aa)" * 60 + "b",
        "a*" + "a" * 400 + "b",
        "a?a?a?a?a?" + "a" * 90 + "b",
    ],
)
def test_never_runs_away(pattern: str) -> None:
    """Patterns that would keep Python's own engine busy for ages end at once, or at the end of the effort."""
    found = find_subject([compile_subject(pattern, "rule")], "a" * 900 + "!")
    assert found in (None, Found("rule", too_costly=True))
    assert find_subject([compile_subject(pattern, "rule")], "Our offer for the spring, aaaa!") is None


def test_the_effort_ends_for_all_patterns_together() -> None:
    """However many patterns there are, and however they were made, a subject is no more than so much work."""
    costly = compile_subject(".{0,20}" * 20 + "x", "costly")
    assert find_subject([costly], "ab c" * 200) == Found("costly", too_costly=True)
    some = compile_subject(r"(a|b)+\d?\d", "some")
    _, left = some.search("ab" * 499, MAXIMUM_EFFORT)
    many = MAXIMUM_EFFORT // (MAXIMUM_EFFORT - left) + 1
    assert find_subject([some] * many, "ab" * 499) == Found("some", too_costly=True)
    assert find_subject([some] * 100, "Our offer for the spring") is None


@pytest.mark.parametrize(
    "form", [r"^(re|fwd?): .*project {}\b", r"project {}", r"about.*{}", r"(the|own) project {}"]
)
def test_long_lists_of_ordinary_patterns_are_no_effort(form: str) -> None:
    """Two hundred patterns of the kind that people write are compared with a long subject, and the last one found."""
    patterns = [compile_subject(form.format(number), str(number)) for number in range(200, 400)]
    assert find_subject(patterns, "Fwd: " + "about the " * 8 + "project 399") == Found("399")
    assert find_subject(patterns, "about the " * 15) is None


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
    assert find_subject([compile_subject(r"((){900000}){900000}x", "rule")], "x")


def test_looks_at_the_first_998_characters() -> None:
    """A subject is cut before it is searched."""
    assert not find_subject([compile_subject("x", "rule")], "a" * 998 + "x")
