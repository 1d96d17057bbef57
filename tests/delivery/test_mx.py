"""Delivery to the mail exchangers of a domain, with a DNS server of our own (RFC 5321 §5.1, RFC 7505)."""

import logging
from collections.abc import Callable

import pytest

from relay.config.model import BccSettings, UpstreamSettings
from relay.delivery.courier import SmtpCourier
from relay.outcome import Bounced, Deferred, Outcome, Sent
from tests.support.clock import FakeClock
from tests.support.dns import DnsServer, Records
from tests.support.hop import Act, Script, ScriptedHop
from tests.support.outgoing import COPY, batch, route, send

SECRET = COPY.partition("@")[2]
MakeCourier = Callable[..., SmtpCourier]


async def outcome_of(sender: SmtpCourier, *targets: str) -> Outcome:
    """Send one message, to dest.test unless told otherwise."""
    return (await send(sender, batch(targets or ("bo@dest.test",))))[0]


def status(outcome: Outcome) -> tuple[type, str]:
    """Give what an outcome is, and its enhanced code."""
    assert isinstance(outcome, Sent | Deferred | Bounced)
    return type(outcome), outcome.reply.status


class House:
    """Mail exchangers at 127.0.0.1, 127.0.0.2, … on one port, and the DNS that names them mx1.test, mx2.test, …"""

    def __init__(self, *scripts: Script, records: Records | None = None) -> None:
        self._scripts = scripts
        self.dns = DnsServer(
            {
                "dest.test MX": [f"{10 * n} mx{n}.test." for n, _ in enumerate(scripts, 1)],
                **{f"mx{n}.test A": [f"127.0.0.{n}"] for n, _ in enumerate(scripts, 1)},
                **(records or {}),
            }
        )
        self.hosts: list[ScriptedHop] = []

    async def __aenter__(self) -> "House":
        """Start all of it."""
        await self.dns.__aenter__()
        for number, script in enumerate(self._scripts, 1):
            port = self.hosts[0].port if self.hosts else 0
            host = ScriptedHop(script, address=f"127.0.0.{number}", port=port)
            self.hosts.append(await host.__aenter__())
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Stop all of it."""
        for host in self.hosts:
            await host.stop()
        await self.dns.__aexit__(None, None, None)

    @property
    def port(self) -> int:
        """Give the port of all hosts."""
        return self.hosts[0].port

    @property
    def taken(self) -> list[int]:
        """Give how many messages each host took."""
        return [len(host.messages) for host in self.hosts]

    def courier(self, make: MakeCourier, **options: object) -> SmtpCourier:
        """Make a courier whose only route goes by MX."""
        wanted = {"tls": "opportunistic", **options}
        clock = wanted.pop("clock", FakeClock())
        return make(route(self.port, kind="mx", **wanted), resolver=self.dns.settings, clock=clock)


async def test_the_best_host_takes_the_mail(courier: MakeCourier) -> None:
    """Mail goes to the host with the lowest preference, and its outcome names it."""
    async with House({}, {}) as house:
        outcome = await outcome_of(house.courier(courier))
        assert isinstance(outcome, Sent)
        assert outcome.hop == "mx1.test"
        assert house.taken == [1, 0]


async def test_connections_to_a_host_are_shared_by_its_domains(courier: MakeCourier) -> None:
    """Two domains with the same host use one connection to it, one after the other."""
    async with House({}, records={"other.test MX": ["5 MX1.test."]}) as house:
        sender = house.courier(courier)
        assert isinstance(await outcome_of(sender), Sent)
        assert isinstance(await outcome_of(sender, "bo@other.test"), Sent)
        assert len(house.hosts[0].sessions) == 1


@pytest.mark.parametrize(
    "script",
    [
        {"greeting": "450 4.3.2 busy"},
        {"greeting": "421 4.3.2 busy"},
        {"greeting": "554 5.7.1 go away"},
        {"greeting": "521 5.3.2 never"},
        {"greeting": Act.DROP},
        {"EHLO": "451 4.3.0 no"},
        {"MAIL": "451 4.3.0 no"},
        {"MAIL": "421 4.3.2 closing"},
        {"MAIL": Act.DROP},
    ],
)
async def test_the_next_host_is_tried_in_the_same_attempt(courier: MakeCourier, script: Script) -> None:
    """What a host says of itself, or 4yz to MAIL, leaves the mail to the next one."""
    async with House(script, {}) as house:
        outcome = await outcome_of(house.courier(courier))
        assert isinstance(outcome, Sent)
        assert outcome.hop == "mx2.test"


async def test_a_host_that_cannot_be_reached(courier: MakeCourier) -> None:
    """Nobody listens at the first host, the second takes the mail."""
    async with House({}, {}) as house:
        sender = house.courier(courier)
        await house.hosts[0].stop()
        outcome = await outcome_of(sender)
        assert isinstance(outcome, Sent)
        assert outcome.hop == "mx2.test"


async def test_several_addresses_of_a_host_are_tried(courier: MakeCourier) -> None:
    """The first address refuses, the second takes the mail: IPv6 first, then IPv4 (RFC 5321 §5.1)."""
    async with House({}, records={"mx1.test AAAA": ["::1"]}) as house:
        assert isinstance(await outcome_of(house.courier(courier)), Sent)
        assert house.taken == [1]


async def test_a_refusal_of_the_message_is_final(courier: MakeCourier) -> None:
    """5yz to RCPT is the domain's word, and no further host is asked."""
    async with House({"RCPT": "550 5.1.1 no such user"}, {}) as house:
        assert status(await outcome_of(house.courier(courier))) == (Bounced, "5.1.1")
        assert house.hosts[1].sessions == []


async def test_a_temporary_refusal_of_a_recipient_waits(courier: MakeCourier) -> None:
    """4yz to RCPT (greylisting) is tried again later, with the time the host names, and not at the next host."""
    async with House({"RCPT": "450 4.2.0 greylisted, try again in 300 seconds"}, {}) as house:
        outcome = await outcome_of(house.courier(courier))
        assert isinstance(outcome, Deferred)
        assert outcome.retry_after == 300.0
        assert house.hosts[1].sessions == []


async def test_all_hosts_in_trouble(courier: MakeCourier) -> None:
    """When no host can be spoken to, the mail waits."""
    async with House({"greeting": "450 4.3.2 no"}, {"greeting": Act.DROP}) as house:
        assert status(await outcome_of(house.courier(courier))) == (Deferred, "4.4.2")


async def test_a_host_that_never_takes_mail(courier: MakeCourier) -> None:
    """521 from every host bounces (RFC 7504); beside one that is only busy, the mail waits."""
    async with House({"greeting": "521 5.3.2 never"}, {"greeting": "521 5.3.2 never"}) as house:
        assert status(await outcome_of(house.courier(courier))) == (Bounced, "5.3.2")
    async with House({"greeting": "450 4.3.2 busy"}, {"greeting": "521 5.3.2 never"}) as house:
        assert status(await outcome_of(house.courier(courier))) == (Deferred, "4.3.2")


async def test_a_host_in_trouble_is_passed_over(courier: MakeCourier) -> None:
    """A host that failed a moment ago is not asked again for a while; the next one takes the mail at once."""
    async with House({"greeting": "450 4.3.2 no"}, {}) as house:
        sender = house.courier(courier)
        for _ in range(3):
            assert isinstance(await outcome_of(sender), Sent)
        assert len(house.hosts[0].sessions) == 1
        assert house.taken == [0, 3]
        states = {state.host: state for state in sender.state()}
        assert "450 4.3.2 no" in states["mx1.test"].trouble
        assert states["mx2.test"].trouble == ""


async def test_somebody_elses_trouble_is_no_alarm(
    courier: MakeCourier, caplog: pytest.LogCaptureFixture
) -> None:
    """A mail exchanger that misbehaves is told at level info: nobody here can mend it."""
    caplog.set_level(logging.INFO, "relay")
    async with House({"greeting": "554 5.7.1 go away"}) as house:
        await outcome_of(house.courier(courier))
    assert "go away" in caplog.text
    assert {record.levelname for record in caplog.records if record.name.startswith("relay")} == {"INFO"}


async def test_each_domain_has_its_hosts(courier: MakeCourier) -> None:
    """A message for two domains is two groups, each by the hosts of its own domain."""
    records = {"a.test MX": ["10 mx1.test."], "b.test MX": ["10 mx2.test."]}
    async with House({}, {}, records=records) as house:
        sender = house.courier(courier)
        mail = batch(["x@a.test", "y@b.test", "z@a.test"], copy=COPY)
        groups = sender.split(mail.message, mail.deliveries)
        assert [[delivery.target for delivery in group] for group in groups] == [
            ["x@a.test", "z@a.test"],
            ["y@b.test"],
            [COPY],
        ]


async def test_hosts_share_the_connection_limit_each(courier: MakeCourier) -> None:
    """limits.connections is for each host."""
    async with House({}) as house:
        sender = house.courier(courier, connections=2)
        mails = [batch(["bo@dest.test"], first_id=number) for number in range(30)]
        assert all(isinstance(outcome, Sent) for outcome in await send(sender, *mails))
        await house.hosts[0].until(lambda: len(house.hosts[0].sessions) >= 2)
        assert len(house.hosts[0].sessions) == 2


# Domains that nothing can be sent to


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ({"dest.test MX": ["0 ."]}, (Bounced, "5.1.10")),
        ({"dest.test MX": ["10 relay.test.", "20 mx1.test."]}, (Bounced, "5.4.6")),
        ({"dest.test MX": ["10 nowhere.test.", "20 nowhere2.test."]}, (Bounced, "5.4.4")),
        ({"dest.test MX !": ["SERVFAIL"]}, (Deferred, "4.4.3")),
        ({"dest.test MX !": ["REFUSED"]}, (Deferred, "4.4.3")),
        ({"dest.test MX !": ["silence"]}, (Deferred, "4.4.3")),
        ({"dest.test MX !": ["rubbish"]}, (Deferred, "4.4.3")),
        ({"dest.test MX !": ["NXDOMAIN"]}, (Bounced, "5.1.2")),
        ({"dest.test MX": [], "dest.test TXT": ["x"]}, (Bounced, "5.4.4")),
        ({"mx1.test A !": ["SERVFAIL"]}, (Deferred, "4.4.3")),
        ({"mx1.test A": [], "mx1.test AAAA !": ["silence"]}, (Deferred, "4.4.3")),
        ({"dest.test MX": ["10 mx1.test.", "20 nowhere.test."], "mx1.test A": ["127.0.0.9"]}, (Deferred, "4.4.1")),
    ],
)  # fmt: skip
async def test_domains_without_a_host(
    courier: MakeCourier, records: Records, expected: tuple[type, str]
) -> None:
    """What DNS is sure of bounces; what it cannot tell, or a host that is away, waits."""
    async with House({}, records=records) as house:
        assert status(await outcome_of(house.courier(courier))) == expected
        assert house.taken == [0]


@pytest.mark.parametrize("target", ["bo@[127.0.0.1]", "bo@[IPv6:::1]"])
async def test_address_literals_are_refused(courier: MakeCourier, target: str) -> None:
    """Mail to an IP address is not sent: it would let a rep have the relay talk to any host inside."""
    async with House({}) as house:
        assert status(await outcome_of(house.courier(courier), target)) == (Bounced, "5.1.2")
        assert house.dns.asked == []


@pytest.mark.parametrize("domain", ["a" * 64 + ".test", "a..test", "x" * 300])
async def test_what_is_no_name_of_dns_does_not_exist(courier: MakeCourier, domain: str) -> None:
    """A label too long cannot be asked for, and is no domain."""
    async with House({}) as house:
        assert status(await outcome_of(house.courier(courier), f"bo@{domain}")) == (Bounced, "5.1.2")


async def test_without_mx_the_domain_itself_takes_mail(courier: MakeCourier) -> None:
    """The implicit MX: the domain's own address, where there is no MX record at all."""
    async with House({}, records={"plain.test A": ["127.0.0.1"]}) as house:
        outcome = await outcome_of(house.courier(courier), "bo@plain.test")
        assert isinstance(outcome, Sent)
        assert outcome.hop == "plain.test"


async def test_with_mx_the_domains_own_address_is_not_used(courier: MakeCourier) -> None:
    """Where MX records exist, the address of the domain says nothing (RFC 5321 §5.1)."""
    records = {"dest.test MX": ["10 nowhere.test."], "dest.test A": ["127.0.0.1"]}
    async with House({}, records=records) as house:
        assert status(await outcome_of(house.courier(courier))) == (Bounced, "5.4.4")
        assert house.taken == [0]


async def test_an_alias_is_followed(courier: MakeCourier) -> None:
    """A CNAME at the domain leads to the MX records of the other name, and at a host to its addresses."""
    records = {
        "alias.test CNAME": ["real.test."],
        "real.test MX": ["10 also.test."],
        "also.test CNAME": ["mx1.test."],
    }
    async with House({}, records=records) as house:
        assert isinstance(await outcome_of(house.courier(courier), "bo@alias.test"), Sent)


async def test_domains_beyond_ascii(courier: MakeCourier) -> None:
    """A domain in U-labels is asked for in A-labels."""
    async with House({}, records={"xn--bcher-kva.test MX": ["10 mx1.test."]}) as house:
        assert isinstance(await outcome_of(house.courier(courier), "bo@bücher.test"), Sent)
        assert "xn--bcher-kva.test MX" in house.dns.asked


# The log copy


@pytest.mark.parametrize(
    "records",
    [
        {},
        {f"{SECRET} A": ["127.0.0.1"]},
        {f"{SECRET} A": ["127.0.0.9"]},
        {f"{SECRET} !": ["SERVFAIL"]},
        {f"{SECRET} A !": ["SERVFAIL"], f"{SECRET} AAAA !": ["silence"]},
        {f"{SECRET} MX": [f"10 in.{SECRET}."], f"in.{SECRET} A": ["127.0.0.9"]},
        {f"{SECRET} MX": ["0 ."]},
    ],
)
async def test_the_log_copys_domain_shows_nowhere(
    courier: MakeCourier, caplog: pytest.LogCaptureFixture, records: Records
) -> None:
    """Its domain is the secret part of its address: as a host, too, it is in no outcome, no log and no status (S15)."""
    caplog.set_level(logging.DEBUG)
    async with House({"MAIL": "451 4.3.0 no"}, records=records) as house:
        sender = house.courier(courier, tls="opportunistic")
        mail = batch([], copy=COPY)
        outcomes = await send(sender, mail)
        shown = f"{outcomes} {sender.state()} {caplog.text}"
        assert SECRET.partition(".")[0] not in shown


# TLS


async def test_a_host_without_tls_is_spoken_to_in_clear_text(courier: MakeCourier) -> None:
    """TLS between mail exchangers is opportunistic by default: nobody's mail waits for want of it."""
    async with House({}) as house:
        assert isinstance(await outcome_of(house.courier(courier)), Sent)
        assert not house.hosts[0].sessions[0].tls


async def test_a_route_may_insist_on_tls(courier: MakeCourier) -> None:
    """With tls: starttls mail waits for a host that offers it."""
    async with House({}) as house:
        assert status(await outcome_of(house.courier(courier, tls="starttls"))) == (Deferred, "4.7.4")
        assert house.taken == [0]


# Bounds


async def test_answers_of_dns_are_kept(courier: MakeCourier) -> None:
    """Within the TTL nothing is asked twice."""
    async with House({}) as house:
        sender = house.courier(courier)
        for _ in range(3):
            assert isinstance(await outcome_of(sender), Sent)
        assert house.dns.asked.count("dest.test MX") == 1


async def test_answers_of_dns_are_forgotten(courier: MakeCourier) -> None:
    """Records with a TTL of nothing are asked for each time."""
    async with House({}) as house:
        house.dns.ttl = 0
        sender = house.courier(courier)
        for _ in range(2):
            assert isinstance(await outcome_of(sender), Sent)
        assert house.dns.asked.count("dest.test MX") == 2


async def test_a_large_answer_comes_over_tcp(courier: MakeCourier) -> None:
    """A truncated answer is asked for again over TCP, and no more than five hosts of it are tried."""
    records = {"many.test MX": [f"{n} host{n}.{'x' * 40}.test." for n in range(200)]}
    async with House({}, records=records) as house:
        outcome = await outcome_of(house.courier(courier), "bo@many.test")
        assert isinstance(outcome, Bounced)
        assert "many.test MX (TCP)" in house.dns.asked
        assert len({name for name in house.dns.asked if name.startswith("host")}) == 10


async def test_the_number_of_pools_is_bounded(courier: MakeCourier) -> None:
    """Mail to a thousand hosts leaves no thousand pools behind."""
    records = {f"d{n}.test A": ["127.0.0.1"] for n in range(300)}
    async with House({}, records=records) as house:
        sender = house.courier(courier)
        for n in range(300):
            assert isinstance(await outcome_of(sender, f"bo@d{n}.test"), Sent)
        assert len(sender.state()) == 256
        assert sender.state()[-1].host == "d299.test"
        await house.hosts[0].until(lambda: sum(s.open for s in house.hosts[0].sessions) <= 256)


async def test_new_settings_ask_the_new_resolver(courier: MakeCourier) -> None:
    """After a reload with another resolver that one is asked; with the same settings connections stay."""
    async with House({}) as house, DnsServer({"dest.test MX": ["0 ."]}) as other:
        sender = house.courier(courier)
        assert isinstance(await outcome_of(sender), Sent)
        same = UpstreamSettings(
            default="main",
            routes={"main": route(house.port, kind="mx", tls="opportunistic")},
            resolver=house.dns.settings,
        )
        sender.use(same, BccSettings())
        assert isinstance(await outcome_of(sender), Sent)
        assert len(house.hosts[0].sessions) == 1
        other.records["mx1.test A"] = house.dns.records["mx1.test A"]
        sender.use(same.model_copy(update={"resolver": other.settings}), BccSettings())
        assert status(await outcome_of(sender)) == (Bounced, "5.1.10")
