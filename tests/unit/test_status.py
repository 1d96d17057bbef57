"""Replies: how they are written, and that all of them are on their page."""

import re
from pathlib import Path

import pytest

from relay import status
from relay.status import Reply, catalogue, replies_page

ROOT = Path(__file__).parents[2]


def test_a_reply_of_several_lines_repeats_its_codes() -> None:
    """Each line has code and enhanced code; all but the last a hyphen (RFC 5321 §4.2, RFC 2034 §4)."""
    assert Reply(250, "2.0.0", "a\nb").wire() == b"250-2.0.0 a\r\n250 2.0.0 b\r\n"


def test_a_reply_without_text_keeps_its_blank() -> None:
    """An empty challenge is `334 ` with the blank (RFC 4954 §4)."""
    assert Reply(334, "", "").wire() == b"334 \r\n"


@pytest.mark.parametrize("text", ["x" * 600, "é" * 300, "a" * 497 + "é" * 20])
@pytest.mark.parametrize("utf8", [True, False])
def test_no_line_is_over_512_octets(text: str, utf8: bool) -> None:
    """A long text is cut, never within a character (RFC 5321 §4.5.3.1.5)."""
    wire = Reply(550, "5.7.1", text).wire(utf8=utf8)
    assert len(wire) <= 512
    assert wire.endswith(b"\r\n")
    wire.decode()


def test_control_characters_never_leave() -> None:
    """A CR in a text that holds what a client sent ends no line."""
    assert Reply(550, "5.7.1", "a\rb\x00c\x1b").wire() == b"550 5.7.1 a?b?c?\r\n"


def test_utf8_leaves_only_where_it_was_asked_for() -> None:
    """Without SMTPUTF8 a reply is ASCII (RFC 6531 §3.7.4)."""
    reply = Reply(550, "5.7.1", "ána")
    assert reply.wire() == b"550 5.7.1 ?na\r\n"
    assert reply.wire(utf8=True) == "550 5.7.1 ána\r\n".encode()


def test_every_enhanced_code_has_the_class_of_its_reply() -> None:
    """RFC 2034 §4: 2yz has 2.x.x, 4yz has 4.x.x, 5yz has 5.x.x; 3yz and the greeting have none."""
    for form in catalogue():
        if form.code // 100 == 3 or form is status.GREETING:
            assert not form.status
        else:
            assert re.fullmatch(rf"{form.code // 100}\.\d\.\d{{1,2}}", form.status), form


def test_every_number_stands_for_one_matter() -> None:
    """R-numbers are four digits in brackets at the end, of the three groups there are."""
    for form in catalogue():
        for number in re.findall(r"R\d+", form.text):
            assert form.text.endswith(f"({number})")
            assert number[:3] in ("R11", "R12", "R13")


def test_every_reply_of_submission_is_in_the_catalogue() -> None:
    """No reply is made elsewhere, but EHLO's, which is data."""
    made = [
        (path.name, line.strip())
        for path in sorted((ROOT / "relay" / "submission").glob("*.py"))
        for line in path.read_text().splitlines()
        if re.search(r"(?<!case )\bReply\(", line)
    ]
    assert [one for one in made if 'Reply(250, ""' not in one[1]] == []


def test_the_page_is_as_the_catalogue_prints_it() -> None:
    """docs/replies.md is current; `make docs` writes it."""
    assert (ROOT / "docs" / "replies.md").read_text() == replies_page()
