"""What DNS says, and what it does not say (RFC 5321 §5.1)."""

import asyncio
from collections.abc import Sequence

import dns.resolver
import pytest

from relay.config.model import ResolverSettings
from relay.delivery.happening import Kind, Lack, NoWay, Trouble
from relay.delivery.hop import exchanger_of, hop_of
from relay.delivery.mx import Resolver
from tests.support.dns import DnsServer, Records
from tests.support.outgoing import route


async def resolved(records: Records, family: str = "any") -> Sequence[str] | Trouble:
    """Give the addresses of host.test."""
    async with DnsServer(records) as server:
        template = hop_of("direct", route(25, kind="mx", addresses=family))
        assert template is not None
        resolver = Resolver(server.settings, "relay.test", lambda: 0.5)
        return await resolver.addresses(exchanger_of(template, "host.test"))


async def test_both_families_are_asked_for() -> None:
    """IPv6 and IPv4 addresses take turns, and a route may want one family alone."""
    records = {"host.test A": ["192.0.2.1", "192.0.2.2"], "host.test AAAA": ["2001:db8::1"]}
    found = await resolved(records)
    assert isinstance(found, list)
    assert found[0] == "2001:db8::1"
    assert sorted(found[1:]) == ["192.0.2.1", "192.0.2.2"]
    assert await resolved(records, "ipv6") == ["2001:db8::1"]


async def test_one_family_that_is_not_answered() -> None:
    """Trouble with AAAA does not keep mail from the IPv4 address."""
    assert await resolved({"host.test A": ["192.0.2.1"], "host.test AAAA !": ["SERVFAIL"]}) == ["192.0.2.1"]


async def test_no_address_and_no_answer_differ() -> None:
    """That there is none is something else than that nobody can tell."""
    nothing = await resolved({"host.test TXT": ["x"]})
    assert isinstance(nothing, Trouble)
    assert nothing.kind is Kind.NO_ADDRESS
    unknown = await resolved({"host.test A !": ["SERVFAIL"]})
    assert isinstance(unknown, Trouble)
    assert unknown.kind is Kind.NO_SUCH_HOST


async def test_nobody_answers_at_the_nameserver() -> None:
    """A resolver that is away makes mail wait, for no longer than the setting says."""
    async with DnsServer({}) as server:
        settings = server.settings
    found = await asyncio.wait_for(Resolver(settings, "relay.test", lambda: 0.5).hosts("dest.test"), 10)
    assert isinstance(found, NoWay)
    assert found.lack is Lack.UNANSWERED


async def test_a_machine_without_a_nameserver(monkeypatch: pytest.MonkeyPatch) -> None:
    """No nameserver in /etc/resolv.conf: mail waits, and the reason says what to set."""
    monkeypatch.setattr("dns.resolver.BaseResolver.read_resolv_conf", _nothing_configured)
    found = await Resolver(ResolverSettings(), "relay.test", lambda: 0.5).hosts("dest.test")
    assert found == NoWay(Lack.NO_RESOLVER, "dest.test")


def _nothing_configured(*_: object) -> None:
    raise dns.resolver.NoResolverConfiguration


@pytest.mark.parametrize(
    "records",
    [
        {"dest.test CNAME": ["dest.test."]},
        {"dest.test CNAME": ["other.test."], "other.test CNAME": ["dest.test."]},
    ],
)
async def test_aliases_that_go_in_circles(records: Records) -> None:
    """They end, and the mail waits: it is a mistake that can be mended."""
    async with DnsServer(records) as server:
        found = await asyncio.wait_for(
            Resolver(server.settings, "relay.test", lambda: 0.5).hosts("dest.test"), 10
        )
    assert isinstance(found, NoWay)
    assert found.lack is Lack.UNANSWERED
