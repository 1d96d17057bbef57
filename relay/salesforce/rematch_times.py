"""When mail that nobody was matched with is matched again: soon at first, then every few hours.

Pure.
"""

_MINUTE = 60_000_000
SHORTEST = 5 * _MINUTE
LONGEST = 8 * 60 * _MINUTE


def wait_until_next(age: int) -> int:
    """Give the microseconds until the next try, for mail that was first tried `age` microseconds ago.

    Whoever gets a first mail is often entered just after; later somebody enters them now and then.
    """
    return min(max(age, SHORTEST), LONGEST)
