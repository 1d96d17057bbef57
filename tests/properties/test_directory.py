"""Logins, passwords, counters and log lines keep their promises for any input."""

import json
import logging

from hypothesis import example, given
from hypothesis import strategies as st

from relay.directory.model import MAXIMUM_LOGIN, login_key
from relay.directory.passwords import MAXIMUM_PASSWORD, cost_of, prepare
from relay.directory.throttle import Attempt, Limits, Throttle, network_of
from relay.log_lines import Discretion, JsonLines, TextLines, escape

LIMITS = Limits(max=4, per=600.0, block=900.0)


@given(st.text())
def test_a_login_s_key_is_its_own_key(login: str) -> None:
    """Comparing twice is comparing once, and no key has a control character or is too long."""
    key = login_key(login)
    assert login_key(key) == key
    assert len(key.encode()) <= MAXIMUM_LOGIN
    assert key.isprintable()


@given(st.binary(max_size=2000) | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_prepared_passwords_stay_as_they_are(password: bytes) -> None:
    """Preparing never raises, and preparing what was prepared changes nothing."""
    prepared = prepare(password)
    if prepared is not None and len(prepared) <= MAXIMUM_PASSWORD:
        assert prepare(prepared) == prepared
        assert b"\0" not in prepared


@given(st.text())
def test_no_hash_text_costs_more_than_the_cap(encoded: str) -> None:
    """Whatever stands in the settings is refused or bounded."""
    try:
        cost = cost_of(encoded)
    except ValueError:
        return
    assert cost.memory <= 262_144


@given(st.text(max_size=60))
def test_networks_are_networks_of_themselves(client: str) -> None:
    """Any text names a network, and that network is its own."""
    network = network_of(client)
    assert network_of(network) == network


steps = st.lists(
    st.tuples(
        st.integers(0, 1),  # login
        st.integers(0, 5),  # network
        st.sampled_from(["wrong", "begin", "right"]),
        st.sampled_from([0.0, 1.0, 100.0, 700.0, 2000.0]),
    ),
    max_size=120,
)


@given(steps)
def test_no_order_of_guesses_gets_more_than_the_limit(steps: list[tuple[int, int, str, float]]) -> None:
    """From networks where a login never signed in, at most `max` guesses at it go through in any span."""
    seconds = [0.0]
    throttle = Throttle(LIMITS, lambda: seconds[0])
    guesses: dict[int, list[float]] = {0: [], 1: []}
    known: set[tuple[int, int]] = set()
    for login, network, verb, wait in steps:
        seconds[0] += wait
        attempt = throttle.begin(f"login{login}", f"192.0.2.{network}")
        if not isinstance(attempt, Attempt):
            continue
        if verb == "right":
            throttle.succeeded(attempt)
            known.add((login, network))
            continue
        if (login, network) not in known:
            guesses[login].append(seconds[0])
        if verb == "wrong":
            throttle.failed(attempt)
    for times in guesses.values():
        ended = list(times)
        for at in ended:
            assert sum(at - LIMITS.per < other <= at for other in ended) <= LIMITS.max


@given(st.text(), st.text())
@example("\x7f", "\x9b\u2028\ud800")
def test_a_record_is_one_line_whatever_it_says(text: str, argument: str) -> None:
    """Nothing in a message ends its line or fails to be printed, in either form."""
    record = logging.LogRecord(
        "relay.x", logging.INFO, "", 0, text.replace("%", "") + "%s", (argument,), None
    )
    for lines in (JsonLines(Discretion()), TextLines(Discretion())):
        assert lines.record(record).isprintable()
    assert json.loads(JsonLines(Discretion()).record(record))["message"] == text.replace("%", "") + argument


@given(st.text())
def test_escaping_shows_everything_that_prints(text: str) -> None:
    """What is printable stays, the rest becomes printable."""
    assert escape(text).isprintable()
    if text.isprintable():
        assert escape(text) == text


@given(st.sampled_from(["domain", "hash"]), st.from_regex(r"[a-z]{5,20}", fullmatch=True))
def test_a_local_part_is_kept_back_in_any_reply(kind: str, local: str) -> None:
    """An address between spaces or angle brackets never shows its local part."""
    shown = Discretion(kind, key=b"k" * 32).prose(f"550 <{local}@zz.zz> said {local}@zz.zz ")
    assert f"{local}@" not in shown
