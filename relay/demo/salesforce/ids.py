"""Salesforce's record ids: a prefix that tells the object, a number, and a suffix that keeps the case.

Pure.
"""

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_SHORT, _LONG = 15, 18


def suffix(short: str) -> str:
    """Give the three characters that tell which of the fifteen are capitals."""
    return "".join(
        _SUFFIX[sum(1 << place for place, letter in enumerate(short[at : at + 5]) if letter.isupper())]
        for at in (0, 5, 10)
    )


def made(prefix: str, number: int) -> str:
    """Give the 18-character id of the record with this number."""
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = _DIGITS[digit] + digits
    short = prefix + digits.rjust(_SHORT - len(prefix), "0")
    return short + suffix(short)


def whole(text: str) -> str | None:
    """Give an id in its 18-character form; None when the text cannot be an id.

    Of 18 characters the suffix repairs the case, as Salesforce does for those who lost it.
    """
    if len(text) not in (_SHORT, _LONG) or not (text.isascii() and text.isalnum()):
        return None
    short = text[:_SHORT]
    if len(text) == _SHORT:
        return short + suffix(short)
    restored = _restored(short, text[_SHORT:].upper())
    return None if restored is None else restored + text[_SHORT:].upper()


def _restored(short: str, checks: str) -> str | None:
    letters = []
    for at, letter in enumerate(short):
        capital = (_SUFFIX.index(checks[at // 5]) if checks[at // 5] in _SUFFIX else 0) >> (at % 5) & 1
        if capital and not letter.isalpha():
            return None
        letters.append(letter.upper() if capital else letter.lower())
    return "".join(letters)
