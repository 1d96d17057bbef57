"""How much is under way at once: deliveries by transport, and octets of content kept for fresh mail."""

from relay.delivery_kind import Transport
from relay.queue.rules import Room


class Budget:
    """Counts what is under way; the numbers never fall below nothing nor, but for one message, pass the room."""

    def __init__(self) -> None:
        self._active = dict.fromkeys(Transport, 0)
        self._memory = 0
        self.short = False
        """Something due was turned away for want of room: whoever frees some must say so."""

    def left(self, transport: Transport, room: Room) -> int:
        """Give how many more deliveries of a transport may start."""
        return room.active - self._active[transport]

    def takes_fresh(self, count: int, octets: int, room: Room) -> bool:
        """Tell whether mail that comes straight from the door may start at once.

        One message may be larger than the whole room: it starts when it would be alone.
        """
        active = self._active[Transport.SMTP]
        return (not active or active + count <= room.fresh) and self._memory + octets <= room.memory

    def start(self, transport: Transport, count: int) -> None:
        """Count deliveries that start."""
        self._active[transport] += count

    def end(self, transport: Transport, count: int) -> None:
        """Count deliveries that ended."""
        self._active[transport] -= count

    def keep(self, octets: int) -> None:
        """Count content that is kept in memory; a negative number lets go of it."""
        self._memory += octets
