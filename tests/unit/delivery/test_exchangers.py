"""The order in which mail exchangers are tried (RFC 5321 §5.1)."""

from collections.abc import Callable

import pytest

from relay.delivery.exchangers import MOST_HOSTS, Exchanger, hosts_for, interleaved
from relay.delivery.happening import Lack, NoWay

OWN = "relay.example.com"


def order(*records: tuple[int, str], chance: Callable[[], float] = lambda: 0.5) -> tuple[str, ...] | NoWay:
    """Give the hosts for dest.test."""
    return hosts_for("dest.test", [Exchanger(*record) for record in records], OWN, chance)


def test_lower_preferences_go_first() -> None:
    """The preference decides, whatever the order of the answer."""
    assert order((20, "b.test"), (5, "a.test"), (30, "c.test")) == ("a.test", "b.test", "c.test")


def test_equal_preferences_are_shuffled() -> None:
    """Hosts of one preference share the load, and stay together."""
    chances = iter([0.9, 0.1, 0.5, 0.0])
    found = order((10, "a"), (10, "b"), (10, "c"), (20, "d"), chance=lambda: next(chances))
    assert found == ("b", "c", "a", "d")


def test_without_mx_the_domain_is_the_host() -> None:
    """The implicit MX is for domains without any MX record."""
    assert order() == ("dest.test",)


def test_a_null_mx_is_the_end() -> None:
    """MX 0 . says that the domain takes no mail (RFC 7505)."""
    assert order((0, "")) == NoWay(Lack.NULL_MX, "dest.test")


def test_a_root_beside_real_hosts_is_passed_over() -> None:
    """A null MX stands alone; beside others it is a mistake of the domain (RFC 7505 §3)."""
    assert order((0, ""), (10, "a.test")) == ("a.test",)


def test_the_list_is_cut_at_our_own_name() -> None:
    """Hosts that are no better than we are would send the mail back."""
    assert order((10, "a.test"), (20, OWN), (20, "b.test"), (30, "c.test")) == ("a.test",)


@pytest.mark.parametrize("records", [[(10, OWN)], [(10, OWN), (20, "b.test")]])
def test_when_we_are_the_best_it_is_a_loop(records: list[tuple[int, str]]) -> None:
    """An empty list is an error (RFC 5321 §5.1)."""
    assert order(*records) == NoWay(Lack.LOOP, "dest.test")
    assert hosts_for(OWN, [], OWN, lambda: 0.0) == NoWay(Lack.LOOP, OWN)


def test_the_number_of_hosts_is_bounded() -> None:
    """A domain with a thousand hosts costs no more than one with five."""
    found = order(*((number, f"mx{number}.test") for number in range(1000)))
    assert found == tuple(f"mx{number}.test" for number in range(MOST_HOSTS))


def test_a_host_that_is_named_twice_is_tried_once() -> None:
    """The better preference counts."""
    assert order((10, "a.test"), (20, "a.test"), (30, "b.test")) == ("a.test", "b.test")


def test_families_take_turns() -> None:
    """A family that cannot be reached does not use up all tries."""
    assert interleaved(["1", "2", "3"], ["a"]) == ["1", "a", "2", "3"]
    assert interleaved([], ["a", "b"]) == ["a", "b"]
