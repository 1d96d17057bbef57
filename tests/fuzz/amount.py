"""How much is fuzzed: a short seed in the tests, RELAY_TEST_FUZZ times as much when that is set."""

import os

TIMES = int(os.environ.get("RELAY_TEST_FUZZ", "1"))


def examples(usually: int) -> int:
    """Give how many examples a fuzz test takes."""
    return usually * TIMES
