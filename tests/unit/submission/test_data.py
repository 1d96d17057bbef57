"""Content on its way in: what splitlines takes away tells whether a line ends in anything but CRLF."""

from itertools import product

from relay.submission.data import has_bare_ends


def test_bare_line_ends_are_found_wherever_they_stand() -> None:
    """In every piece of up to six octets of CR, LF, another separator and a letter: what counting would say."""
    for length in range(7):
        for octets in product(b"\r\n\x0bx", repeat=length):
            piece = bytes(octets)
            ends = piece.count(b"\r\n")
            assert has_bare_ends(piece) == (piece.count(b"\r") != ends or piece.count(b"\n") != ends)
