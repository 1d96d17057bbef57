"""Wrong passwords are counted per login and per network, and locks begin and end as stated."""

import pytest

from relay.directory.throttle import Attempt, Full, Limits, Locked, Throttle, network_of

LIMITS = Limits(max=8, per=600.0, block=900.0)


class Watch:
    """Seconds that the test sets."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def watch() -> Watch:
    """Give seconds to set."""
    return Watch()


@pytest.fixture
def throttle(watch: Watch) -> Throttle:
    """Give counters under the usual limits."""
    return Throttle(LIMITS, watch)


def fail(throttle: Throttle, login: str, network: str) -> float:
    """Guess wrongly, and give the delay."""
    attempt = throttle.begin(login, network)
    assert isinstance(attempt, Attempt), attempt
    return throttle.failed(attempt)


def succeed(throttle: Throttle, login: str, network: str) -> None:
    """Guess rightly."""
    attempt = throttle.begin(login, network)
    assert isinstance(attempt, Attempt), attempt
    throttle.succeeded(attempt)


def test_one_login_from_many_networks_is_locked(throttle: Throttle) -> None:
    """The ninth network that guesses at one login is turned away, though it never failed before."""
    for n in range(8):
        fail(throttle, "ana", f"192.0.2.{n}")
    assert throttle.begin("ana", "192.0.2.99") == Locked(900.0)


def test_many_logins_from_one_network_are_locked(throttle: Throttle) -> None:
    """A network that tries one password on many logins is turned away for every login."""
    for n in range(8):
        fail(throttle, f"user{n}", "192.0.2.1")
    assert throttle.begin("somebody else", "192.0.2.1") == Locked(900.0, network=True)
    assert isinstance(throttle.begin("somebody else", "192.0.2.2"), Attempt)


def test_failures_leave_the_span(throttle: Throttle, watch: Watch) -> None:
    """Seven failures, a span's wait and seven more lock nobody."""
    for _ in range(7):
        fail(throttle, "ana", "192.0.2.1")
    watch.seconds += 601
    for _ in range(7):
        fail(throttle, "ana", "192.0.2.1")
    assert isinstance(throttle.begin("ana", "192.0.2.1"), Attempt)


def test_a_lock_ends_and_the_next_one_lasts_twice_as_long(throttle: Throttle, watch: Watch) -> None:
    """The first lock lasts as set, the second one double."""
    for _ in range(8):
        fail(throttle, "ana", "192.0.2.1")
    watch.seconds += 900
    for _ in range(8):
        fail(throttle, "ana", "192.0.2.1")
    assert throttle.begin("ana", "192.0.2.1") == Locked(1800.0)


def test_a_slow_guesser_is_locked_within_a_day(throttle: Throttle, watch: Watch) -> None:
    """A guess every two minutes, always below the limit, is stopped by the fortieth in a day."""
    guesses = 0
    while isinstance(attempt := throttle.begin("ana", f"192.0.2.{guesses}"), Attempt):
        throttle.failed(attempt)
        guesses += 1
        watch.seconds += 120
    assert guesses == 40


def test_a_known_network_is_not_locked_by_others(throttle: Throttle) -> None:
    """An attacker elsewhere cannot lock a rep out where the rep has signed in."""
    succeed(throttle, "ana", "198.51.100.7")
    for n in range(8):
        fail(throttle, "ana", f"192.0.2.{n}")
    assert isinstance(throttle.begin("ana", "203.0.113.1"), Locked)
    assert isinstance(throttle.begin("ana", "198.51.100.7"), Attempt)


def test_a_known_network_has_its_own_limit(throttle: Throttle) -> None:
    """Having signed in once does not open a network for guessing: eight failures lock it, too."""
    succeed(throttle, "ana", "198.51.100.7")
    for _ in range(8):
        fail(throttle, "ana", "198.51.100.7")
    assert isinstance(throttle.begin("ana", "198.51.100.7"), Locked)


def test_a_network_is_known_for_thirty_days(throttle: Throttle, watch: Watch) -> None:
    """What was proven a month ago no longer exempts."""
    succeed(throttle, "ana", "198.51.100.7")
    watch.seconds += 30 * 86_400 + 1
    for n in range(8):
        fail(throttle, "ana", f"192.0.2.{n}")
    assert isinstance(throttle.begin("ana", "198.51.100.7"), Locked)


def test_one_account_of_ones_own_does_not_clear_the_network(throttle: Throttle) -> None:
    """Signing in as oneself between guesses at others does not set the network's counter back."""
    for n in range(7):
        fail(throttle, f"user{n}", "192.0.2.1")
    succeed(throttle, "mallory", "192.0.2.1")
    fail(throttle, "user8", "192.0.2.1")
    assert isinstance(throttle.begin("ana", "192.0.2.1"), Locked)


def test_guesses_at_once_do_not_outrun_the_counter(throttle: Throttle) -> None:
    """Of a hundred guesses begun at once only as many as the limit are let through."""
    begun = [throttle.begin("ana", f"192.0.2.{n}") for n in range(100)]
    attempts = [attempt for attempt in begun if isinstance(attempt, Attempt)]
    assert len(attempts) == 8
    assert begun[8:] == [Full()] * 92
    for attempt in attempts:
        throttle.failed(attempt)
    assert isinstance(throttle.begin("ana", "192.0.2.200"), Locked)


def test_an_abandoned_guess_is_not_counted(throttle: Throttle) -> None:
    """A fault of ours is nobody's wrong password."""
    for _ in range(50):
        attempt = throttle.begin("ana", "192.0.2.1")
        assert isinstance(attempt, Attempt)
        throttle.abandoned(attempt)
    assert fail(throttle, "ana", "192.0.2.1") == 0.1


def test_the_delay_grows_with_failures(throttle: Throttle) -> None:
    """The wait before the answer doubles from a tenth of a second and stops at five."""
    delays = [fail(throttle, "ana", "192.0.2.1") for _ in range(8)]
    assert delays == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_memory_is_bounded_and_locks_are_kept(watch: Watch) -> None:
    """A flood of invented logins is forgotten, a lock that stands is not."""
    throttle = Throttle(LIMITS, watch, keys=100)
    for _ in range(8):
        fail(throttle, "ana", "192.0.2.1")
    for n in range(5000):
        fail(throttle, f"invented{n}", f"net{n}")
    assert len(throttle._counts) <= 100
    assert isinstance(throttle.begin("ana", "192.0.2.77"), Locked)


@pytest.mark.parametrize(
    ("client", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::/64", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_networks(client: str, network: str) -> None:
    """IPv4 is counted by address, IPv6 by /64, and a network stays one."""
    assert network_of(client) == network
