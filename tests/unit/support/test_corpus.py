"""The corpus is what it says it is."""

import re

import pytest

from tests.support.corpus import corpus, stuffed
from tests.support.corpus_headers import SECRET
from tests.support.corpus_parts import Sample

_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n|\0")


def test_there_are_enough_messages() -> None:
    """At least 200, no two alike, and no name twice."""
    samples = corpus()
    assert len(samples) >= 200
    assert len({sample.sent for sample in samples}) == len(samples)
    assert len({sample.name for sample in samples}) == len(samples)


@pytest.mark.parametrize("sample", corpus(), ids=lambda sample: sample.name)
def test_every_line_ends_in_crlf(sample: Sample) -> None:
    """No bare CR, bare LF or NUL anywhere, and the last line is ended."""
    assert not _BARE.search(sample.sent)
    assert sample.sent.endswith(b"\r\n") or not sample.sent


@pytest.mark.parametrize("sample", corpus(), ids=lambda sample: sample.name)
def test_what_must_come_out_is_what_went_in_less_whole_lines(sample: Sample) -> None:
    """The expectation is the message without some lines; without the secret address when that is in a Bcc field."""
    lines = iter(sample.sent.split(b"\r\n"))
    assert all(line in lines for line in sample.expected.split(b"\r\n"))
    assert SECRET.encode() not in sample.expected


def test_many_have_bcc_fields() -> None:
    """A good number of messages hold fields that must go."""
    assert sum(sample.sent != sample.expected for sample in corpus()) >= 25


def test_a_sample_is_always_the_same() -> None:
    """Making the corpus again gives the same octets."""
    again = corpus.__wrapped__()
    assert again == corpus()


def test_stuffing_doubles_leading_dots_only() -> None:
    """A dot at the start of a line is doubled; others are left."""
    assert stuffed(b".\r\na.b\r\n..\r\n") == b"..\r\na.b\r\n...\r\n"
    assert stuffed(b"") == b""
