"""relay.encoded_words: text beyond ASCII in header fields."""

import pytest

from relay.encoded_words import decode_words


@pytest.mark.parametrize(
    ("text", "decoded"),
    [
        ("plain", "plain"),
        ("=?utf-8?q?Offert_f=C3=B6r_v=C3=A5r?=", "Offert för vår"),
        ("=?UTF-8?B?w6XDpMO2?=", "åäö"),
        ("=?UTF-8?B?w6XDpMO2w6U?=", "åäöå"),
        ("=?iso-8859-1?Q?J=F6rg?= Smith", "Jörg Smith"),
        ("=?iso-8859-1?Q?J=F6rg?=  =?iso-8859-1?Q?en?=", "Jörgen"),
        ("a =?utf-8?q?b?= c", "a b c"),
        ("=?utf-8?q?=C3?= =?utf-8?q?=A5?=", "å"),
        ("=?utf-8*sv?q?hej?=", "hej"),
        ("=?utf-8?q?=ff?=", "�"),
        ("=?no-such-set?q?x?=", "=?no-such-set?q?x?="),
        ("=?zip?b?eJw=?=", "=?zip?b?eJw=?="),
        ("=?punycode?q?abc?=", "=?punycode?q?abc?="),
        ("=?unicode_escape?q?=5Cudc80?=", "=?unicode_escape?q?=5Cudc80?="),
        ("=?utf-8?b?x?=", "=?utf-8?b?x?="),
        ("=?utf-8?q??=x", "x"),
        ("=?utf-8?x?abc?=", "=?utf-8?x?abc?="),
        ("=?", "=?"),
    ],
)
def test_decodes(text: str, decoded: str) -> None:
    """Encoded words are decoded, joined where they adjoin, and left alone where they cannot be read."""
    assert decode_words(text) == decoded


def test_looks_at_a_bounded_length() -> None:
    """A field of megabytes of encoded words costs no more than its first 16 KiB."""
    assert len(decode_words("=?utf-8?q?a?=" * 1_000_000)) < 16 * 1024
