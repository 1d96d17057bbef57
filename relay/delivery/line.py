"""How long the line for a hop may be: a hop that is slow must not fill the room that all hops share.

Pure: who holds the line says how it moves.
"""

LONG = 20
"""Transactions that may wait for a hop however slow it is."""
PATIENCE = 30.0
"""Seconds that anybody waits in a longer line; one in which nobody would wait so long is never cut."""
_LATEST = 300.0
"""Seconds after which one that was sent away is back at the latest: the hop may be faster by then."""


class Line:
    """Judges one line by how it moves."""

    __slots__ = ("_turn", "each")

    def __init__(self) -> None:
        self.each = 0.0
        """Seconds that each one takes while the hop is slow; 0: it is not."""
        self._turn = PATIENCE

    def look(self, waiting: int, taken: int, seconds: float) -> int:
        """Judge the line by how many were taken from it in so many seconds; give how many may stay in it."""
        each = seconds / max(taken, 1)
        self.each = each if waiting > LONG and waiting * each > PATIENCE else 0.0
        return max(LONG, int(PATIENCE / each)) if self.each else waiting

    def later(self) -> float:
        """Give seconds after which one that is sent away comes back: one after the other, as the line moves."""
        self._turn = self._turn + self.each if self._turn + self.each <= _LATEST else PATIENCE
        return self._turn
