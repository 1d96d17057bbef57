"""A next hop of bad temper: it defers, refuses and drops, before and after it has taken a message, as the dice fall."""

import random
from collections import Counter

from relay.demo.capture import Capture, Captured, Manners
from tests.support.running import BCC


class MoodyHop(Capture):
    """Moody until `calm` is set. Reports to the sender and log copies are deferred at worst."""

    def __init__(self, seed: int, port: int = 0) -> None:
        super().__init__(Manners(verdict=self._verdict), port=port)
        self._dice = random.Random(seed)
        self.calm = False
        self.unanswered: Counter[str] = Counter()
        """Recipients whose message was taken and not answered: the relay must send it again."""

    def _verdict(self, address: str) -> str | None:
        if self.calm:
            return None
        throw = self._dice.random()
        if throw < 0.02:
            raise ConnectionResetError("a whim")
        if throw < 0.12:
            return "451 4.3.0 Not now"
        if throw < 0.22 and address != BCC and not address.startswith("ana@"):
            return "550 5.7.1 Not ever"
        return None

    def take(self, message: Captured) -> None:
        """Keep it or drop it; when it is kept, answer or hang up."""
        throw = self._dice.random()
        if not self.calm and throw < 0.05:
            raise ConnectionResetError("lost before it was kept")
        super().take(message)
        if not self.calm and throw < 0.1:
            self.unanswered.update(
                [*message.addresses, *([_subject(message)] if BCC in message.addresses else [])]
            )
            raise ConnectionResetError("kept, and not answered")


def _subject(message: Captured) -> str:
    return message.content.partition(b"\r\nSubject: ")[2].partition(b"\r\n")[0].decode()
