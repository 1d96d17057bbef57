"""The ways in which the peers are loaded, and what is promised of each. Pure."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Workload:
    """One way to load the peers."""

    name: str
    messages: int
    octets: int
    sessions: int
    reused: bool
    """Whether a session sends all of its messages over one connection."""
    rate: float
    """The ratio of messages/s that must be reached; 0: none is stated."""
    cpu: float
    """The ratio of CPU per message that must not be passed; 0: none is stated."""

    def shorter(self, share: float) -> "Workload":
        """Give the same with fewer messages, but some for each session."""
        return replace(self, messages=max(int(self.messages * share), self.sessions))


WORKLOADS = (
    Workload("5 KB, 50 sessions, reused connections", 3000, 5000, 50, True, 6.0, 0.15),
    Workload("5 KB, 10 sessions, reused connections", 3000, 5000, 10, True, 4.0, 0.2),
    Workload("5 KB, 50 sessions, one message per connection", 2000, 5000, 50, False, 3.5, 0.25),
    Workload("5 KB, 10 sessions, one message per connection", 2000, 5000, 10, False, 2.5, 0.25),
    Workload("5 KB, 1 session", 2000, 5000, 1, False, 1.5, 0.4),
    Workload("1 MB, 10 sessions", 150, 1_000_000, 10, False, 1.2, 0.6),
    Workload("20 MB, 10 sessions", 20, 20_000_000, 10, False, 1.2, 0.6),
)
"""What the figures are stated for."""

SLOW_DISK = (
    Workload("5 KB, 1 session", 200, 5000, 1, False, 0, 0),
    Workload("5 KB, 10 sessions, one message per connection", 1000, 5000, 10, False, 0, 0),
    Workload("5 KB, 50 sessions, one message per connection", 1000, 5000, 50, False, 0, 0),
    Workload("5 KB, 50 sessions, reused connections", 2000, 5000, 50, True, 0, 0),
)
"""What is measured with a slow sync. No figure is stated: with few sessions everybody waits for the disk alike."""

TLS = Workload("5 KB, TLS + AUTH, one message per connection", 400, 5000, 10, False, 0, 0.5)

PEAK_PSS = 60.0
"""MiB that the relay may take at its peak in any of WORKLOADS."""
DEPTH = 0.8
"""What must be left of the accept and claim rates with the deepest queue."""
READY_EMPTY = 1.0
READY_FULL = 3.0
"""Seconds until `relay serve` takes mail: with an empty queue, with the deepest."""
RECORDING = Workload("5 KB, 10 sessions, reused connections", 2000, 5000, 10, True, 0, 0)
RECORDING_ALONG = Workload("5 KB, 10 sessions, reused connections", 1000, 5000, 10, True, 0, 0)
RECORDED = 100.0
"""Records a second that must be made, sustained, when each call of Salesforce takes 100 ms."""
DELIVERY_BESIDE = 0.9
"""What must be left of the rate of delivery while Salesforce is slow or gone."""
PAGE_LIMIT = 100.0
"""Milliseconds within which the page answers, at the 95th percentile, with a million messages stored."""
BROWSING = Workload("5 KB, 10 sessions, reused connections", 6000, 5000, 10, True, 0, 0)
"""Some seconds of mail, so that everybody turns a page meanwhile, and more than once."""
BROWSING_BESIDE = 0.9
"""What must be left of the rate of mail while twenty people browse."""
