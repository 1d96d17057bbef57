"""Counting: connections, messages in a span, octets a second; and how clients are named."""

from ipaddress import ip_network

import pytest

from relay.config.types import Rate
from relay.directory.throttle import network_of
from relay.submission.limits import ConnectionGate, MessageRates, Pace, plain_address
from relay.submission.trust import Trust
from relay.submission.wording import clock_time, shown, wait_text

SECOND = 1_000_000


def test_the_gate_counts_all_and_each_network() -> None:
    """One too many from a network, or in all, is not let in; who leaves makes room."""
    gate = ConnectionGate(3, 2)
    assert [gate.enter("a"), gate.enter("a"), gate.enter("a")] == [True, True, False]
    assert [gate.enter("b"), gate.enter("c")] == [True, False]
    assert gate.full
    gate.leave("a")
    assert gate.enter("c")
    assert gate.open == 3


def test_messages_are_counted_over_a_sliding_span() -> None:
    """The third of two an hour may come when the first is an hour old, and each rep has their own count."""
    rates = MessageRates(Rate(2, 3600.0))
    for at in (0, 10):
        assert rates.next_at("ana", at * SECOND) is None
        rates.take("ana", at * SECOND)
    assert rates.next_at("ana", 20 * SECOND) == 3600 * SECOND
    assert rates.next_at("bo", 20 * SECOND) is None
    assert rates.next_at("ana", 3600 * SECOND) is None


def test_a_clock_set_back_keeps_nobody_out() -> None:
    """What was counted in what is now the future does not count."""
    rates = MessageRates(Rate(2, 3600.0))
    for at in (10**6, 10**6 + 1):
        rates.take("ana", at * SECOND)
    assert rates.next_at("ana", 5 * SECOND) is None


def test_limits_change_without_forgetting() -> None:
    """After a reload what was counted before counts on, under the new limits."""
    gate = ConnectionGate(3, 3)
    assert gate.enter("a")
    assert gate.enter("a")
    gate.change(2, 2)
    assert gate.full
    assert not gate.enter("b")
    gate.change(5, 3)
    assert gate.enter("a")
    assert gate.open == 3
    rates = MessageRates(Rate(1, 3600.0))
    rates.take("ana", 0)
    rates.change(Rate(2, 3600.0))
    assert rates.next_at("ana", SECOND) is None
    rates.take("ana", SECOND)
    assert rates.next_at("ana", 2 * SECOND) == 3600 * SECOND
    rates.change(Rate(1, 60.0))
    assert rates.next_at("ana", 2 * SECOND) == 61 * SECOND
    assert rates.next_at("ana", 62 * SECOND) is None


def test_a_rate_of_nought_is_no_limit() -> None:
    """0/h counts nothing."""
    rates = MessageRates(Rate(0, 3600.0))
    rates.take("ana", 0)
    assert rates.next_at("ana", 0) is None


def test_the_pace_has_a_credit() -> None:
    """100 s of credit, then the rate; what came in early counts."""
    pace = Pace(500, 1000.0)
    assert not pace.too_slow(1100.0)
    assert pace.too_slow(1101.0)
    pace.took(5000)
    assert not pace.too_slow(1110.0)
    assert pace.too_slow(1111.0)


@pytest.mark.parametrize(
    ("host", "client", "network"),
    [
        ("192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::1", "fe80::/64"),
        ("", "", ""),
    ],
)
def test_clients_are_named_by_address_and_counted_by_network(host: str, client: str, network: str) -> None:
    """IPv4 in IPv6 is IPv4; IPv6 is counted by its /64."""
    assert plain_address(host) == client
    assert network_of(client) == network


def test_trust_wants_every_proof_that_is_named() -> None:
    """Networks and names both, where both are given; none given trusts nobody."""
    network = (ip_network("192.0.2.0/24"), ip_network("2001:db8::/32"))
    names = frozenset({"mail.example.com"})
    assert not Trust().holds("192.0.2.7", ())
    assert Trust(network).holds("192.0.2.7", ())
    assert Trust(network).holds("2001:db8::1", ())
    assert not Trust(network).holds("198.51.100.1", ())
    assert not Trust(network).holds("", ())
    assert Trust((), names).holds("198.51.100.1", ["x.example.com", "MAIL.example.com"])
    assert not Trust(network, names).holds("192.0.2.7", ())
    assert not Trust(network, names).holds("198.51.100.1", ["mail.example.com"])
    assert Trust(network, names).holds("192.0.2.7", ["mail.example.com"])


def test_what_clients_sent_is_shown_escaped_and_short() -> None:
    """No control octet, no broken UTF-8, no endless line."""
    assert shown(b"a\r\n\x00\xff\xc3\xa9") == "a\\r\\n\\x00\\xffé"
    assert len(shown(b"x" * 5000)) == 320


def test_times_are_rounded_up() -> None:
    """Whoever comes back at the time that was told is not told again."""
    assert clock_time(1_790_000_000_000_000) == "14:14"
    assert [wait_text(0.2), wait_text(59), wait_text(61), wait_text(840), wait_text(841)] == [
        "1 seconds", "59 seconds", "2 minutes", "14 minutes", "15 minutes",
    ]  # fmt: skip
