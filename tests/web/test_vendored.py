"""Files of others are exactly as they were published."""

import hashlib
import re
from pathlib import Path

_FOLDER = Path(__file__).resolve().parents[2] / "relay" / "web" / "static"


def test_htmx_is_the_file_that_was_published() -> None:
    """Its hash is the one that is written down, its version a 2.0, and its licence lies beside it."""
    row = re.search(
        r"\| htmx\.min\.js \|.*\| (2\.0\.\d+) \|.*\| ([0-9a-f]{64}) \|", (_FOLDER / "README.md").read_text()
    )
    assert row is not None
    octets = (_FOLDER / "htmx.min.js").read_bytes()
    assert hashlib.sha256(octets).hexdigest() == row[2]
    assert f'version:"{row[1]}"'.encode() in octets
    assert "Zero-Clause BSD" in (_FOLDER / "htmx.LICENSE").read_text()
