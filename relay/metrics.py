"""What the relay counts and measures, for Prometheus: every metric is declared here, once, with its help.

No label takes values from outside. `python -m relay.metrics` prints the page docs/metrics.md.
"""

import platform
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from relay.counting import Declared, Distribution, Family, Number, collected

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Metric

CONTENT_TYPE = "text/plain; version=1.0.0; charset=utf-8"
"""What prometheus-client says that its text is."""
_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SLOW = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0)
_LONG = (0.1, 0.5, 1.0, 5.0, 30.0, 60.0, 300.0, 1800.0, 3600.0, 14_400.0, 86_400.0, 604_800.0)
_SIZES = tuple(float(1024 * 4**n) for n in range(9))
STATES = ("waiting", "queued", "active", "deferred", "held")


REMINDER_STATES = ("linked", "pending", "never_push", "conflict", "error", "off")
"""How reminders stand to Salesforce (relay.reminders.model.Link)."""


class Metrics:
    """All metrics of one running service, in a registry of its own.

    The parts with a message's path in front of them call the methods, several for each message: plain numbers are
    counted, a tenth of the price of prometheus-client's own, which is loaded when somebody asks for the first time.
    """

    def __init__(self) -> None:
        self._families: list[Family[Number] | Family[Distribution]] = []
        self._declare_service()
        self._declare_door()
        self._declare_queue()
        self._declare_salesforce()
        self._declare_reminders()

    def _declare_service(self) -> None:
        build = self._gauges("relay_build_info", "The running version; always 1.", "version", "python")
        build[_version(), platform.python_version()].set(1)
        self._started = self._gauge("relay_start_time_seconds", "When the service started, since 1970.")
        self._reload_ok = self._gauge(
            "relay_config_last_reload_successful",
            "1 when the last settings that were read are in use, 0 when they had mistakes.",
        )
        self._reloaded = self._gauge(
            "relay_config_last_reload_success_timestamp_seconds",
            "When settings were last taken into use, since 1970.",
        )
        self._lag = self._histogram(
            "relay_event_loop_lag_seconds", "How late the event loop runs what is due.", _FAST
        )
        self._commit = self._histogram(
            "relay_store_commit_duration_seconds", "How long a commit to the store takes.", _FAST
        )
        self._certificate = self._gauge(
            "relay_tls_certificate_expiry_timestamp_seconds",
            "When the certificate that clients are shown ends, since 1970; 0 without one.",
        )
        self._free = self._gauge("relay_store_free_bytes", "Free disk where the state is kept.")
        self._dropped = self._gauge(
            "relay_log_lines_dropped", "Log lines that standard error did not take, since the start."
        )
        self._reload_ok.set(1)

    def _declare_door(self) -> None:
        self._connections = self._gauges(
            "relay_smtp_connections_open", "Connections of clients now.", "listener"
        )
        self._connected = self._counters(
            "relay_smtp_connections_total", "Connections of clients.", "listener"
        )
        self._auth = self._counters(
            "relay_auth_attempts_total",
            "Sign-ins by outcome (proven, wrong, blocked, unavailable) and mechanism (PLAIN, LOGIN).",
            "outcome",
            "mechanism",
        )
        self._auth_took = self._histograms(
            "relay_auth_duration_seconds",
            "How long a sign-in takes, by what decided it (token, cache, password, none).",
            _FAST,
            "kind",
        )
        self._accepted = self._counters(
            "relay_messages_accepted_total", "Messages that were answered 250.", "listener"
        )
        self._refused = self._counters(
            "relay_messages_rejected_total",
            "Messages refused at the door, by enhanced status code.",
            "reason",
        )
        self._size = self._histogram("relay_message_size_bytes", "Size of accepted messages.", _SIZES)
        self._accept_took = self._histogram(
            "relay_accept_duration_seconds", "From the end of the data to the 250.", _FAST
        )

    def _declare_queue(self) -> None:
        self._deliveries = self._counters(
            "relay_deliveries_total",
            "Attempts at deliveries to recipients, by route and outcome (sent, deferred, bounced, held, expired, skipped).",
            "route",
            "outcome",
        )
        self._attempt_took = self._histograms(
            "relay_delivery_attempt_duration_seconds", "How long an attempt takes.", _SLOW, "route"
        )
        self._latency = self._histogram(
            "relay_delivery_latency_seconds",
            "From accepting a message to the end of its last delivery.",
            _LONG,
        )
        self._log_outcomes = self._counters(
            "relay_log_outcomes_total",
            "Attempts at log copies (bcc) and records (api), by outcome.",
            "target",
            "outcome",
        )
        self._queue = self._gauges("relay_queue_deliveries", "Deliveries in the queue, by state.", "state")
        self._oldest = self._gauges(
            "relay_queue_oldest_seconds", "Age of the oldest delivery in the queue, by state.", "state"
        )

    def _declare_salesforce(self) -> None:
        self._called = self._counters(
            "relay_salesforce_requests_total",
            "Calls of Salesforce, by operation and result (ok, or the kind of fault).",
            "operation",
            "result",
        )
        self._call_took = self._histograms(
            "relay_salesforce_request_duration_seconds",
            "How long a call of Salesforce takes, by operation, with the sign-in where there was one.",
            _SLOW,
            "operation",
        )
        self._remaining = self._gauge(
            "relay_salesforce_api_calls_remaining",
            "API calls that the organisation has left of its 24 hours, as last seen; -1 before the first call.",
        )
        self._remaining.set(-1)
        self._recorded = self._histogram(
            "relay_log_latency_seconds", "From the acceptance of a mail to its record in Salesforce.", _LONG
        )

    def _declare_reminders(self) -> None:
        self._reminders_synced = self._counters(
            "relay_reminders_synced_total",
            "What travelled between reminders and Salesforce (pulled, pushed, deleted), what both sides had changed "
            "(conflicts), and what Salesforce refused (errors).",
            "what",
        )
        self._reminders_cycles = self._counters(
            "relay_reminders_cycles_total",
            "Runs of keeping reminders in step, by result (ok, failed).",
            "result",
        )
        self._reminders = self._gauges(
            "relay_reminders",
            "Reminders by how they stand to Salesforce (linked, pending, never_push, conflict, error, off).",
            "sync",
        )

    # -- the service

    def started(self, seconds: float) -> None:
        """Set when the service started, in seconds since 1970."""
        self._started.set(seconds)
        self._reloaded.set(seconds)

    def reloaded(self, ok: bool, seconds: float) -> None:
        """Say whether the settings just read are in use."""
        self._reload_ok.set(1 if ok else 0)
        if ok:
            self._reloaded.set(seconds)

    def loop_lag(self, seconds: float) -> None:
        """Measure how late the loop is."""
        self._lag.observe(seconds)

    def commit_took(self, seconds: float) -> None:
        """Measure one commit; from any thread."""
        self._commit.observe(seconds)

    def certificate_ends(self, at: float) -> None:
        """Set when the certificate ends, since 1970."""
        self._certificate.set(at)

    def disk_free(self, octets: int) -> None:
        """Set the free disk."""
        self._free.set(octets)

    def log_lines_dropped(self, count: int) -> None:
        """Set how many log lines were dropped."""
        self._dropped.set(count)

    # -- the door

    def connected(self, listener: str) -> None:
        """Count a connection that begins."""
        self._connected[listener,].inc()
        self._connections[listener,].inc()

    def disconnected(self, listener: str) -> None:
        """Count a connection that ends."""
        self._connections[listener,].dec()

    def signed_in(self, outcome: str, mechanism: str, kind: str, seconds: float) -> None:
        """Count and measure a sign-in: outcome proven, wrong, blocked or unavailable; kind of what decided it."""
        self._auth[outcome, mechanism].inc()
        self._auth_took[kind,].observe(seconds)

    def accepted(self, listener: str, octets: int, seconds: float) -> None:
        """Count an accepted message, with its size and the time from the end of the data to the 250."""
        self._accepted[listener,].inc()
        self._size.observe(octets)
        self._accept_took.observe(seconds)

    def refused(self, enhanced: str) -> None:
        """Count a refused message under its enhanced status code, such as 5.7.1."""
        self._refused[enhanced,].inc()

    # -- the queue

    def attempted(self, route: str, outcome: str, count: int = 1) -> None:
        """Count what an attempt came to for so many recipients."""
        self._deliveries[route, outcome].inc(count)

    def attempt_took(self, route: str, seconds: float) -> None:
        """Measure one attempt."""
        self._attempt_took[route,].observe(seconds)

    def closed(self, seconds: float) -> None:
        """Measure a message from accept to close."""
        self._latency.observe(seconds)

    def logged(self, target: str, outcome: str) -> None:
        """Count what an attempt at a log copy ("bcc") or record ("api") came to."""
        self._log_outcomes[target, outcome].inc()

    def salesforce_called(self, operation: str, result: str, seconds: float) -> None:
        """Count and measure one call: operation such as query or create, result ok or a kind of fault."""
        self._called[operation, result].inc()
        self._call_took[operation,].observe(seconds)

    def recorded(self, seconds: float) -> None:
        """Measure a mail from its acceptance to its record in Salesforce."""
        self._recorded.observe(seconds)

    def salesforce_remaining(self, calls: int) -> None:
        """Set how many of the day's calls are left."""
        self._remaining.set(calls)

    def queue_holds(self, counts: Mapping[str, int], oldest: Mapping[str, float]) -> None:
        """Set the gauges of the queue; a state that is not named holds nothing."""
        for state in STATES:
            self._queue[state,].set(counts.get(state, 0))
            self._oldest[state,].set(oldest.get(state, 0.0))

    @property
    def declared(self) -> list[Declared]:
        """Give every metric that there is."""
        return [family.declared for family in self._families]

    @property
    def registry(self) -> "CollectorRegistry":
        """Give a registry of prometheus-client that collects what was counted."""
        from prometheus_client import CollectorRegistry

        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return registry

    def reminders_synced(self, counts: Mapping[str, int]) -> None:
        """Count what a run came to for one rep: pulled, pushed, deleted, conflicts, errors."""
        for what, count in counts.items():
            self._reminders_synced[what,].inc(count)

    def reminders_cycle(self, ok: bool) -> None:
        """Count a run."""
        self._reminders_cycles["ok" if ok else "failed",].inc()

    def reminders_hold(self, counts: Mapping[str, int]) -> None:
        """Set how many reminders there are, by how they stand to Salesforce; a state that is not named has none."""
        for state in REMINDER_STATES:
            self._reminders[state,].set(counts.get(state, 0))

    def exposition(self) -> bytes:
        """Give everything in Prometheus' text form."""
        from prometheus_client import generate_latest

        return generate_latest(self.registry)

    def collect(self) -> "Iterator[Metric]":
        """Give all metrics as prometheus-client takes them (its Collector)."""
        for family in self._families:
            yield collected(family.declared, list(family.items()))

    # -- declaring

    def _numbers(self, name: str, kind: str, text: str, labels: tuple[str, ...]) -> Family[Number]:
        family = Family(Declared(name, kind, labels, text), Number)
        self._families.append(family)
        return family

    def _gauge(self, name: str, text: str) -> Number:
        return self._numbers(name, "gauge", text, ())[()]

    def _counters(self, name: str, text: str, *labels: str) -> Family[Number]:
        return self._numbers(name, "counter", text, labels)

    def _gauges(self, name: str, text: str, *labels: str) -> Family[Number]:
        return self._numbers(name, "gauge", text, labels)

    def _histograms(
        self, name: str, text: str, bounds: tuple[float, ...], *labels: str
    ) -> Family[Distribution]:
        family = Family(Declared(name, "histogram", labels, text), partial(Distribution, bounds))
        self._families.append(family)
        return family

    def _histogram(self, name: str, text: str, bounds: tuple[float, ...]) -> Distribution:
        return self._histograms(name, text, bounds)[()]


def _version() -> str:
    try:
        return version("crm-relay")
    except PackageNotFoundError:
        return "unknown"


def page() -> str:
    """Print the page docs/metrics.md."""
    rows = [
        f"| `{one.name}` | {one.kind} | {', '.join(f'`{label}`' for label in one.labels)} | {one.help} |\n"
        for one in Metrics().declared
    ]
    return (
        "# Metrics\n\n"
        "`GET /metrics` at `metrics.address` gives these in Prometheus' text form. Printed from the code by"
        " `make docs`.\n\n"
        "| name | kind | labels | what it says |\n|---|---|---|---|\n" + "".join(rows)
    )


if __name__ == "__main__":
    sys.stdout.write(page())
