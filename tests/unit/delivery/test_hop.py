"""A hop is what a route's settings say, ready to be used."""

from dataclasses import replace

import pytest

from relay.config.model import RouteSettings
from relay.delivery.happening import Stage
from relay.delivery.hop import Hop, Timeouts, exchanger_of, hop_of
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


def test_a_smarthost_without_a_name_is_no_hop() -> None:
    """A route that leads nowhere has no hop."""
    assert hop_of("main", RouteSettings(kind="smarthost", host=None)) is None


def test_a_route_to_mail_exchangers_has_its_host_from_dns() -> None:
    """With kind mx the host is filled in later; port 25 and TLS with whoever offers it are the usual things."""
    hop = hop_of("direct", RouteSettings.model_validate({"kind": "mx"}))
    assert hop is not None
    assert (hop.host, hop.port, hop.tls, hop.exchanger, hop.verified) == (
        "",
        25,
        "opportunistic",
        True,
        False,
    )
    assert str(exchanger_of(hop, "mx1.example.net")) == "mx1.example.net:25"
    assert hop.addresses >= 2, "RFC 5321 §5.1"


def test_a_smarthosts_usual_port_and_tls() -> None:
    """For a smarthost they are 587 and STARTTLS, verified."""
    hop = hop_of("main", RouteSettings.model_validate({"host": "smtp.example.com"}))
    assert hop is not None
    assert (hop.port, hop.tls, hop.exchanger, hop.verified) == (587, "starttls", False, True)


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
