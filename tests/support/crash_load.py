"""Load for a relay that is killed, and the account of what arrived against what was promised."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from relay.demo.capture import Captured
from tests.support.crash_left import Snapshot, name_reported
from tests.support.raw_client import RawClient
from tests.support.running import BCC

_LIMIT = 180.0


def mail(name: str, octets: int) -> bytes:
    """Give a message whose subject is its name."""
    body = "".join(f"{name} {line:06d} {'x' * 60}\r\n" for line in range(octets // 78 + 1))
    return (
        f"From: ana@example.com\r\nTo: kim@buyer.example\r\nMessage-ID: <{name}@example.com>\r\n"
        f"Date: Mon, 09 Nov 2026 09:14:03 +0100\r\nSubject: {name}\r\n\r\n{body}"
    ).encode()


@dataclass
class Mail:
    """One message that was submitted."""

    recipients: Sequence[str]
    content: bytes
    answer: bytes = b""

    @property
    def acknowledged(self) -> bool:
        """Tell whether the client was promised something."""
        return self.answer.startswith(b"250")


Recipients = Callable[[str, int], Sequence[str]]


def one_in_three_refused(name: str, number: int) -> Sequence[str]:
    """Give a recipient who is there, and now and then one who is not."""
    refused = [f"refuse-{name}@buyer.example"] if number % 3 == 0 else []
    return [f"{name}@buyer.example", *refused]


class Load:
    """Clients that submit until they are stopped, small mail and large; they live through crashes."""

    def __init__(
        self,
        port: int,
        name: str = "load",
        senders: int = 3,
        recipients: Recipients = one_in_three_refused,
        pause: float = 0.0,
    ) -> None:
        """`pause`: seconds that each sender waits after a message."""
        self._port, self._name, self._recipients, self._pause = port, name, recipients, pause
        self.sent: dict[str, Mail] = {}
        self._changed = threading.Condition()
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._send_all, args=(n,)) for n in range(senders)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join(_LIMIT)

    @property
    def acknowledged(self) -> int:
        """Tell how many messages were."""
        with self._changed:
            return sum(one.acknowledged for one in self.sent.values())

    def wait_for(self, count: int) -> None:
        """Wait until so many messages were acknowledged."""
        with self._changed:
            assert self._changed.wait_for(
                lambda: sum(one.acknowledged for one in self.sent.values()) >= count, _LIMIT
            )

    def submit(self, name: str, recipients: Sequence[str], octets: int, helo: str = "client.test") -> bytes:
        """Submit one message; b"" when the relay died before it answered."""
        one = Mail(recipients, mail(name, octets))
        with self._changed:
            self.sent[name] = one
        with suppress(OSError), RawClient(self._port) as client:
            client.say(f"EHLO {helo}")
            self._submit(client, one)
        return one.answer

    def submit_content(self, name: str, recipients: Sequence[str], content: bytes) -> bytes:
        """Submit one message of one's own making; b"" when the relay died before it answered."""
        one = Mail(recipients, content)
        with self._changed:
            self.sent[name] = one
        with suppress(OSError), RawClient(self._port) as client:
            client.say("EHLO client.test")
            self._submit(client, one)
        return one.answer

    def _submit(self, client: RawClient, one: Mail) -> None:
        answer = client.submit("ana@example.com", one.recipients, one.content)
        with self._changed:
            one.answer = answer
            self._changed.notify_all()

    def _send_all(self, sender: int) -> None:
        number = 0
        while not self._ends.is_set():
            try:
                with RawClient(self._port) as client:
                    client.say("EHLO client.test")
                    while not self._ends.is_set():
                        number += 1
                        name = f"{self._name}-{sender}-{number}"
                        octets = 100_000 if number % 5 == 0 else 2000
                        one = Mail(self._recipients(name, number), mail(name, octets))
                        with self._changed:
                            self.sent[name] = one
                        self._submit(client, one)
                        self._ends.wait(self._pause)
            except (OSError, ConnectionError):
                self._ends.wait(0.05)


class Account:
    """What arrived, counted."""

    def __init__(self, arrived: Sequence[Captured]) -> None:
        self.copies: Counter[str] = Counter()
        """Arrivals of each recipient address."""
        self.log_copies: Counter[str] = Counter()
        """Arrivals of the log copy, by the name of the message."""
        self.reports: Counter[str] = Counter()
        """Arrivals of reports, by the name of the message they are on."""
        self.contents: dict[str, bytes] = {}
        for one in arrived:
            if one.sender == "":
                self.reports[name_reported(one.content)] += 1
                continue
            name = one.content.partition(b"\r\nSubject: ")[2].partition(b"\r\n")[0].decode()
            for address in one.addresses:
                if address == BCC:
                    self.log_copies[name] += 1
                else:
                    self.copies[address] += 1
            self.contents.setdefault(name, one.content)


def settle_accounts(sent: Mapping[str, Mail], arrived: Sequence[Captured], *lefts: Snapshot) -> Account:
    """See that what arrived is what was promised, once; and once more for each crash that it was under way at.

    A message that a crash has left in the store arrives whether or not it was acknowledged; no other one does.
    `lefts`: what each crash has left, in order; nothing was accepted after the last.
    """
    account = Account(arrived)
    stored = [{one.name: one for one in left.messages if not one.report} for left in lefts]
    reporting = Counter(
        one.name for left in lefts for one in left.messages if one.report and "active" in one.states
    )
    for name, one in sent.items():
        stories = [messages[name] for messages in stored if name in messages]
        was = stored[-1].get(name)
        assert was or not (stories or one.acknowledged), f"{name} was acknowledged and is not in the store"
        under_way = Counter(
            target for story in stories for _, target, state in story.deliveries if state == "active"
        )
        for address in one.recipients:
            least = 1 if was and not address.startswith("refuse") else 0
            assert least <= account.copies[address] <= least + under_way[address], (address, stories)
        copy = next((target for role, target, _ in was.deliveries if role == "log_copy"), "") if was else ""
        least = 1 if was else 0
        assert least <= account.log_copies[name] <= least + under_way[copy], (name, stories)
        if was:
            assert account.contents[name].endswith(one.content)
        told = 1 if was and any(each.startswith("refuse") for each in one.recipients) else 0
        assert told <= account.reports[name] <= told + reporting[name], (name, stories, reporting[name])
    return account
