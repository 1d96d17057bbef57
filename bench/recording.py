"""What recording through the API costs and keeps up with: records a second at 100 ms a call, and mail beside it.

The simulated Salesforce runs in this process. Delivery is measured in turn with Salesforce answering in 100 ms, answering
in 5 s, and gone: an outage of the CRM must not slow mail.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from bench.figures import Check, Figure, ratios, spread
from bench.peers import Relay, free_port
from bench.rates import Measurement, Sink, measure
from bench.sections import Section
from bench.workloads import DELIVERY_BESIDE, RECORDED, RECORDING, RECORDING_ALONG
from relay.demo.salesforce.simulator import Simulator, started

LATENCY, SLOW = 0.1, 5.0
_LONGEST = 300.0
_REPS = 20


class Recording(Relay):
    """The relay in mode api."""

    users = _REPS

    def __init__(self, name: str, folder: Path, sink_port: int, salesforce: Simulator, instance: str) -> None:
        super().__init__(folder, sink_port)
        self.name = name
        self.salesforce = salesforce
        self.instance = instance

    def _settings(self) -> str:
        self.folder.joinpath("secret").write_text(self.salesforce.client_secret)
        self.folder.joinpath("secret").chmod(0o600)
        users = "".join(
            f"  - {{login: rep{number}, addresses: [rep{number}@example.com], salesforce_user_id: {self._user()}}}\n"
            for number in range(self.users)
        )
        head = (
            super()
            ._settings()
            .partition("users:\n")[0]
            .replace("logging: {mode: bcc}", "logging: {mode: api}")
        )
        return f"""{head}salesforce:
  instance: {self.instance}
  tls_ca: {self.salesforce.ca_file}
  auth: {{kind: client_credentials, client_id: {self.salesforce.client_id}, client_secret: {{file: secret}}}}
users:
{users}"""

    def _user(self) -> str:
        return self.salesforce.integration_user


def recording_section(folder: Path, sink: Sink, rounds: int, tell: Callable[[str], None]) -> Section:
    """Measure how many records a second are made, and how fast mail is beside it."""
    with ExitStack() as stack:
        near, far = stack.enter_context(started()), stack.enter_context(started())
        near.toggles.latency, far.toggles.latency = LATENCY, SLOW
        for one in (near, far):
            one.toggles.daily_limit = 10_000_000
            one.add("Contact", LastName="Buyer", Email="buyer@customer.example")
        up = Recording("up", folder / "up", sink.port, near, near.url)
        slow = Recording("slow", folder / "slow", sink.port, far, far.url)
        down = Recording("down", folder / "down", sink.port, near, f"https://127.0.0.1:{free_port()}")
        peers = [stack.enter_context(one.running()) for one in (up, slow, down)]
        recorded = [_records(up, sink, near, tell) for _ in range(max(rounds, 3))]
        beside = [[_delivered(one, sink, near) for one in peers] for _ in range(max(rounds, 3))]
    return _table(recorded, beside)


def _records(peer: Recording, sink: Sink, salesforce: Simulator, tell: Callable[[str], None]) -> float:
    """Give how many records a second came to be, from the first message to the last record."""
    before, calls = len(salesforce.rows("EmailMessage")), len(salesforce.calls)
    start = time.monotonic()
    measure(peer, sink, RECORDING)
    _wait(salesforce, before + RECORDING.messages)
    rate = RECORDING.messages / (time.monotonic() - start)
    tell(f"  {rate:.0f} records/s with {len(salesforce.calls) - calls} calls")
    return rate


def _wait(salesforce: Simulator, count: int) -> None:
    end = time.monotonic() + _LONGEST
    while len(salesforce.rows("EmailMessage")) < count:
        if time.monotonic() > end:
            raise TimeoutError(f"{len(salesforce.rows('EmailMessage'))} of {count} records were made")
        time.sleep(0.05)


def _delivered(peer: Recording, sink: Sink, salesforce: Simulator) -> Measurement:
    """Measure delivery, and let what is recorded because of it end before the next is measured."""
    before = len(salesforce.rows("EmailMessage"))
    found = measure(peer, sink, RECORDING_ALONG)
    if peer.name == "up":
        _wait(salesforce, before + RECORDING_ALONG.messages)
    return found


def _table(recorded: list[float], beside: list[list[Measurement]]) -> Section:
    rates = [[round_[n].rate for round_ in beside] for n in range(3)]
    cpus = [[round_[n].cpu for round_ in beside] for n in range(3)]
    names = ("answers in 100 ms", "answers in 5 s", "is gone")
    rows = [
        [
            f"Salesforce {name}",
            f"{spread(rates[n]).median:.0f}",
            f"{spread(cpus[n])}",
            f"{ratios(rates[n], rates[0])}",
        ]
        for n, name in enumerate(names)
    ]
    text = (
        f"Mode api, {_REPS} reps, one identity, 100 ms for each call: {spread(recorded)} records a second, from the first message"
        " to the last record. Below, delivery to the next hop meanwhile, measured in turn; the simulated Salesforce shares the"
        " machine's cores."
    )
    checks = [Check(Figure("records made, 100 ms a call", RECORDED, True, "/s"), spread(recorded))]
    checks += [
        Check(
            Figure(f"delivery while Salesforce {names[n]}", DELIVERY_BESIDE, True), ratios(rates[n], rates[0])
        )
        for n in (1, 2)
    ]
    columns = ("", "delivered, msg/s", "CPU s for 1,000", "rate to the first")
    return Section("Recording", text, columns, rows, checks)
