"""Names for messages, deliveries and reps, and how a queue id is made and read.

A queue id is a 63-bit number - 52 bits of microseconds, 11 bits to tell equal instants apart - written as
13 Crockford base32 characters: time-ordered, unique, and safe to read out on the telephone.
"""

from functools import lru_cache
from typing import NewType

from relay.errors import RelayError

QueueId = NewType("QueueId", str)
DeliveryId = NewType("DeliveryId", int)
Login = NewType("Login", str)

QUEUE_ID_LENGTH = 13
_SEQUENCE_BITS = 11
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PYTHON_DIGITS = "0123456789abcdefghijklmnopqrstuv"
# Crockford: i and l read as 1, o as 0, in either case; u is none of the letters.
_TO_PYTHON = str.maketrans(
    _ALPHABET + _ALPHABET[10:].lower() + "IiLlOou", _PYTHON_DIGITS + _PYTHON_DIGITS[10:] + "111100U"
)
LARGEST = 2**63 - 1
"""The last number of a message that there can be."""
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]


@lru_cache(maxsize=512)  # each message is named by both forms some ten times while it passes, then no more
def queue_id_of(number: int) -> QueueId:
    """Write the number of a message as its queue id."""
    pairs = [_PAIRS[(number >> shift) & 1023] for shift in range(50, -10, -10)]
    return QueueId(_ALPHABET[number >> 60] + "".join(pairs))


@lru_cache(maxsize=512)
def number_of(queue_id: str) -> int:
    """Read a queue id back; any case, with the look-alikes of Crockford's alphabet.

    Raises RelayError when the text is not a queue id.
    """
    text = queue_id.strip().translate(_TO_PYTHON)
    if len(text) != QUEUE_ID_LENGTH or not set(text) <= set(_PYTHON_DIGITS):
        raise RelayError(f"{queue_id!r} is not a queue id: {QUEUE_ID_LENGTH} letters and digits are expected")
    number = int(text, 32)
    if number > LARGEST:
        raise RelayError(f"{queue_id!r} is not a queue id: it begins with 7 at most")
    return number


def next_number(previous: int, microseconds: int) -> int:
    """Give the number of the next message: above the previous one whatever the clock does.

    `microseconds` is UTC since 1970. A clock that was set back only makes the ids run ahead of it.
    """
    return max(previous + 1, microseconds << _SEQUENCE_BITS)


def instant_of(number: int) -> int:
    """Give the instant (UTC microseconds) that the number of a message was made at."""
    return number >> _SEQUENCE_BITS
