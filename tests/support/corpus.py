"""The corpus: a few hundred messages in the shapes that real mail has, always the same, each with what must come out.

All have CRLF line ends and no NUL; whatever else a mailer may do to a message is in here.
"""

from functools import lru_cache

from tests.support.corpus_clients import client_samples, special_samples
from tests.support.corpus_content import content_samples
from tests.support.corpus_headers import header_samples
from tests.support.corpus_parts import Sample


@lru_cache(maxsize=1)
def corpus() -> tuple[Sample, ...]:
    """Give every sample, in a fixed order."""
    return (*client_samples(), *special_samples(), *content_samples(), *header_samples())


def stuffed(content: bytes) -> bytes:
    """Double the dot of every line that starts with one (RFC 5321 §4.5.2), by lines rather than by replacement."""
    lines = content.split(b"\r\n")
    return b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines)
