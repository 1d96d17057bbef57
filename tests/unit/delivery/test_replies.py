"""Replies are read in every style that is allowed, and in no other; never without bound."""

import pytest

from relay.delivery.replies import MAXIMUM_LINE, MAXIMUM_LINES, MAXIMUM_TEXT, ReplyReader
from relay.status import Reply


@pytest.mark.parametrize(
    ("octets", "reply"),
    [
        (b"250 2.1.5 ok\r\n", Reply(250, "2.1.5", "ok")),
        (b"250 ok\r\n", Reply(250, "", "ok")),
        (b"250\r\n", Reply(250, "", "")),
        (b"250 \r\n", Reply(250, "", "")),
        (b"250 ok\n", Reply(250, "", "ok")),
        (b"550 5.1.1\r\n", Reply(550, "5.1.1", "")),
        (b"450 5.1.1 classes differ\r\n", Reply(450, "", "5.1.1 classes differ")),
        (b"550 5.1.1234 too long\r\n", Reply(550, "", "5.1.1234 too long")),
        (
            b"550-5.7.1 first\r\n550-5.7.1 second\r\n550 5.7.1 third\r\n",
            Reply(550, "5.7.1", "first second third"),
        ),
        (b"550-first\r\n550 5.7.1 second\r\n", Reply(550, "5.7.1", "first second")),
        (
            b"250-one\r\n550 the last line's code counts\r\n",
            Reply(550, "", "one the last line's code counts"),
        ),
        (b"299 unknown codes are kept\r\n", Reply(299, "", "unknown codes are kept")),
        (b"250 caf\xc3\xa9 \xff \x07\r\n", Reply(250, "", r"caf\xc3\xa9 \xff \x07")),
        (b"250 a\rb\r\n", Reply(250, "", r"a\x0db")),
    ],
)
def test_a_reply_is_read(octets: bytes, reply: Reply) -> None:
    """Single and multiline replies give code, enhanced code and a text that is safe to log."""
    reader = ReplyReader()
    assert reader.feed(octets) == [reply]
    assert (reader.malformed, reader.pending) == ("", False)


@pytest.mark.parametrize(
    "octets",
    [
        b"hello\r\n",
        b"\r\n",
        b"25\r\n",
        b"250ok\r\n",
        b"100 too low\r\n",
        b"600 too high\r\n",
        b"\xb2\xb5\xb0 digits of another script\r\n",
        b" 250 space in front\r\n",
        b"250-one\r\nnot a reply\r\n",
        b"HTTP/1.1 400 Bad Request\r\n",
    ],
)
def test_what_is_no_reply_spoils_the_reader(octets: bytes) -> None:
    """Something that is no reply is told, and nothing behind it is believed."""
    reader = ReplyReader()
    assert reader.feed(octets) == []
    assert reader.malformed
    assert reader.feed(b"250 ok\r\n") == []


def test_replies_before_a_malformed_one_are_given() -> None:
    """What was answered in good order stands, whatever comes after it."""
    reader = ReplyReader()
    assert [reply.code for reply in reader.feed(b"250 ok\r\n550 no\r\nrubbish\r\n250 late\r\n")] == [250, 550]
    assert "rubbish" in reader.malformed


def test_a_line_without_end_is_bounded() -> None:
    """A reply line of a gibibyte is given up after a few kibibytes (S17)."""
    reader = ReplyReader()
    fed = 0
    while not reader.malformed:
        reader.feed(b"2" * 1024)
        fed += 1024
    assert fed <= MAXIMUM_LINE + 1024
    assert not reader.pending


def test_a_long_line_in_one_piece_is_refused() -> None:
    """The limit holds also for a line that comes in one piece with its end."""
    reader = ReplyReader()
    assert reader.feed(b"250 " + b"x" * MAXIMUM_LINE + b"\r\n") == []
    assert reader.malformed


def test_an_endless_multiline_reply_is_bounded() -> None:
    """A reply whose last line never comes is given up (S17)."""
    reader = ReplyReader()
    lines = 0
    while not reader.malformed:
        reader.feed(b"250-more\r\n")
        lines += 1
    assert lines == MAXIMUM_LINES + 1


def test_long_texts_are_cut() -> None:
    """What is kept of a reply is short enough for a log line and a report."""
    reader = ReplyReader()
    (reply,) = reader.feed(b"".join(b"550-" + b"x" * 500 + b"\r\n" for _ in range(50)) + b"550 end\r\n")
    assert len(reply.text) == MAXIMUM_TEXT
    assert reply.text.endswith("…")


def test_pending_tells_of_a_part() -> None:
    """A reply that has only begun is known to have begun, at line borders too."""
    reader = ReplyReader()
    reader.feed(b"25")
    assert reader.pending
    reader.feed(b"0-one\r\n")
    assert reader.pending
    assert reader.feed(b"250 two\r\n") == [Reply(250, "", "one two")]
    assert not reader.pending
