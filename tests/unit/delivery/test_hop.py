"""A hop is what a route's settings say, ready to be used."""

from dataclasses import replace

import pytest

from relay.config.model import RouteSettings
from relay.delivery.happening import Stage
from relay.delivery.hop import Hop, Timeouts, hop_of
from tests.support.outgoing import route


def test_a_route_becomes_a_hop() -> None:
    """Host, port, TLS, limits and time limits are taken over; the password stays a reference."""
    hop = hop_of(
        "main", route(587, host="smtp.example.com", tls="starttls", sign_in=True, timeouts={"end": 60})
    )
    assert hop is not None
    assert str(hop) == "smtp.example.com:587"
    assert (hop.route, hop.connections, hop.recipients, hop.timeouts.end) == ("main", 10, 100, 60.0)
    assert hop.sign_in is not None
    assert hop.sign_in.username == "relay"
    assert "HOP" not in repr(hop)


@pytest.mark.parametrize("settings", [route(25, kind="mx"), RouteSettings(kind="smarthost", host=None)])
def test_some_routes_have_no_hop(settings: RouteSettings) -> None:
    """A route of kind mx, or without a host, leads nowhere in this version."""
    assert hop_of("main", settings) is None


def test_equal_routes_are_one_hop() -> None:
    """Reloading the same settings keeps the connections: the hop is the same."""
    assert hop_of("main", route(25, sign_in=True)) == hop_of("main", route(25, sign_in=True))
    assert hash(hop_of("main", route(25))) == hash(hop_of("main", route(25)))


@pytest.mark.parametrize(
    ("tls", "sign_in", "verified"),
    [
        ("none", False, False),
        ("none", True, False),
        ("opportunistic", False, False),
        ("opportunistic", True, True),
        ("starttls", False, True),
        ("implicit", False, True),
    ],
)
def test_who_must_prove_its_name(tls: str, sign_in: bool, verified: bool) -> None:
    """STARTTLS and implicit TLS always, opportunistic where a password is at stake (RFC 7817 §3)."""
    hop = hop_of("main", route(25, tls=tls, sign_in=sign_in))
    assert hop is not None
    assert hop.verified is verified


def test_every_stage_has_its_time() -> None:
    """DATA, the final dot and the other commands have limits of their own (RFC 5321 §4.5.3.2)."""
    timeouts = Timeouts()
    assert [timeouts.of(stage) for stage in (Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.END)] == [
        300,
        300,
        120,
        600,
    ]
    assert replace(Hop("m", "h", 25, "none"), timeouts=Timeouts(data=5)).timeouts.shortest == 5
