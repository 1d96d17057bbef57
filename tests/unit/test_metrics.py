"""Metrics are counted under the names that the page declares."""

from collections.abc import Mapping

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry

from relay.counting import Distribution
from relay.metrics import CONTENT_TYPE, STATES, Metrics


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    """Read one sample."""
    return registry.get_sample_value(name, labels)


def test_what_is_called_is_counted() -> None:
    """Each verb moves the metric it is named for."""
    metrics = Metrics()
    metrics.connected("submission")
    metrics.connected("submission")
    metrics.disconnected("submission")
    metrics.signed_in("wrong", "PLAIN", "none", 0.05)
    metrics.accepted("submission", 5000, 0.003)
    metrics.refused("5.7.1")
    metrics.attempted("main", "sent", 3)
    metrics.attempt_took("main", 0.2)
    metrics.closed(31.7)
    metrics.logged("bcc", "sent")
    read: Mapping[str, float | None] = {
        "open": value(metrics.registry, "relay_smtp_connections_open", listener="submission"),
        "connections": value(metrics.registry, "relay_smtp_connections_total", listener="submission"),
        "auth": value(metrics.registry, "relay_auth_attempts_total", outcome="wrong", mechanism="PLAIN"),
        "accepted": value(metrics.registry, "relay_messages_accepted_total", listener="submission"),
        "size": value(metrics.registry, "relay_message_size_bytes_sum"),
        "refused": value(metrics.registry, "relay_messages_rejected_total", reason="5.7.1"),
        "sent": value(metrics.registry, "relay_deliveries_total", route="main", outcome="sent"),
        "latency": value(metrics.registry, "relay_delivery_latency_seconds_sum"),
        "logged": value(metrics.registry, "relay_log_outcomes_total", target="bcc", outcome="sent"),
    }
    assert read == {
        "open": 1,
        "connections": 2,
        "auth": 1,
        "accepted": 1,
        "size": 5000,
        "refused": 1,
        "sent": 3,
        "latency": 31.7,
        "logged": 1,
    }


def test_a_state_that_holds_nothing_is_zero() -> None:
    """A state that is no longer named goes back to nothing."""
    metrics = Metrics()
    metrics.queue_holds({"deferred": 7}, {"deferred": 12.5})
    assert value(metrics.registry, "relay_queue_deliveries", state="deferred") == 7
    metrics.queue_holds({}, {})
    assert [value(metrics.registry, "relay_queue_deliveries", state=state) for state in STATES] == [0] * 5
    assert value(metrics.registry, "relay_queue_oldest_seconds", state="deferred") == 0


def test_two_services_in_one_process_do_not_share() -> None:
    """Each has a registry of its own."""
    first, second = Metrics(), Metrics()
    first.refused("5.7.1")
    assert value(second.registry, "relay_messages_rejected_total", reason="5.7.1") is None


def test_everything_declared_is_exposed_with_its_help() -> None:
    """Every metric of the page is in what Prometheus reads, and nothing else is."""
    metrics = Metrics()
    text = metrics.exposition().decode()
    described = {line.split()[2] for line in text.splitlines() if line.startswith("# HELP")}
    names = {one.name for one in metrics.declared}
    assert described == names
    assert all(one.help.endswith(".") for one in metrics.declared)


def test_counters_are_totals_and_units_are_base_units() -> None:
    """Names follow Prometheus' habits."""
    for one in Metrics().declared:
        assert one.name.startswith("relay_")
        assert one.name.endswith("_total") == (one.kind == "counter"), one.name
        if one.kind == "histogram":
            assert one.name.endswith(("_seconds", "_bytes")), one.name


def test_a_distribution_counts_what_is_no_higher() -> None:
    """A value that is just a bound is within it, and the last bucket has all of them."""
    times = Distribution((0.1, 1.0))
    for value in (0.1, 0.5, 1.0, 7.0):
        times.observe(value)
    assert times.buckets() == [("0.1", 1), ("1.0", 3), ("+Inf", 4)]
    assert times.sum == 8.6


def test_the_content_type_is_the_librarys() -> None:
    """What /metrics is labelled with is what the text is."""
    assert CONTENT_TYPE == CONTENT_TYPE_LATEST
