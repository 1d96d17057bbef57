"""TLS to the next hop: proven by the name of the settings, never given up for clear text (S4, S5)."""

import datetime
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from relay.config.types import SecretReference
from relay.delivery.courier import SmtpCourier
from relay.errors import CommandError
from relay.outcome import Deferred, Outcome, Sent
from tests.support.hop import Answer, Raw, SayAndDrop, ScriptedHop
from tests.support.outgoing import CONTENT, batch, route, send

MakeCourier = Callable[..., SmtpCourier]
AUTH = ("PIPELINING", "AUTH PLAIN LOGIN")


@dataclass(frozen=True)
class Certificates:
    """Contexts for hops, and the authority (a file) that the relay trusts."""

    ca: str
    good: ssl.SSLContext
    expired: ssl.SSLContext
    wrong_name: ssl.SSLContext
    foreign: ssl.SSLContext


def context(authority: trustme.CA, *names: str, expires: datetime.datetime | None = None) -> ssl.SSLContext:
    """Make a hop's context with a certificate for these names."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, not_after=expires).configure_cert(made)
    return made


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Issue one good certificate, and each kind of bad one."""
    authority = trustme.CA()
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    return Certificates(
        ca=str(path),
        good=context(authority, "127.0.0.1"),
        expired=context(authority, "127.0.0.1", expires=past),
        wrong_name=context(authority, "other.example.com", "127.0.0.2"),
        foreign=context(trustme.CA(), "127.0.0.1"),
    )


def text(outcome: Outcome) -> str:
    """Give what a deferral says."""
    assert isinstance(outcome, Deferred)
    return str(outcome.reply)


@pytest.mark.parametrize("kind", ["starttls", "implicit", "opportunistic"])
@pytest.mark.parametrize("sign_in", [True, False])
async def test_mail_goes_over_tls(
    courier: MakeCourier, certificates: Certificates, kind: str, sign_in: bool
) -> None:
    """STARTTLS and implicit TLS carry EHLO anew, the sign-in and the mail; nothing of it was in clear text."""
    async with ScriptedHop(tls=certificates.good, implicit=kind == "implicit", extensions=AUTH) as hop:
        sender = courier(route(hop.port, tls=kind, tls_ca=certificates.ca, sign_in=sign_in))
        assert isinstance((await send(sender, batch()))[0], Sent)
        assert hop.messages[0].content == CONTENT
        (session,) = hop.sessions
        assert session.tls
        clear = b"" if kind == "implicit" else b"EHLO relay.test\r\nSTARTTLS\r\n"
        assert session.clear == clear
        assert session.commands.count("EHLO relay.test") == (1 if kind == "implicit" else 2)
        assert any(command.startswith("AUTH ") for command in session.commands) is sign_in


@pytest.mark.parametrize("kind", ["starttls", "implicit"])
@pytest.mark.parametrize("flaw", ["expired", "wrong_name", "foreign"])
async def test_a_certificate_that_proves_nothing(
    courier: MakeCourier, certificates: Certificates, kind: str, flaw: str
) -> None:
    """Expired, for another name, or of an authority we do not trust: deferred, and the password never sent (S5)."""
    asked: list[SecretReference] = []
    async with ScriptedHop(
        tls=getattr(certificates, flaw), implicit=kind == "implicit", extensions=AUTH
    ) as hop:
        options = {"secret": lambda reference: asked.append(reference) or "open sesame"}
        sender = courier(route(hop.port, tls=kind, tls_ca=certificates.ca, sign_in=True), **options)
        (outcome,) = await send(sender, batch())
        assert "4.7.5 the hop's certificate does not prove its name" in text(outcome)
        assert asked == []
        assert_nothing_said(hop)


def assert_nothing_said(hop: ScriptedHop) -> None:
    """Check that no sign-in and no mail came in, in clear text or under TLS."""
    for session in hop.sessions:
        assert not any(
            command.split(" ")[0] in ("AUTH", "MAIL", "RCPT", "DATA") for command in session.commands
        )


@pytest.mark.parametrize("sign_in", [True, False])
@pytest.mark.parametrize("offered", [True, False])
async def test_starttls_taken_away(courier: MakeCourier, sign_in: bool, offered: bool) -> None:
    """STARTTLS removed from the EHLO answer: the mail waits, whether or not there is a password (S5)."""
    async with ScriptedHop(extensions=AUTH if offered else ()) as hop:
        (outcome,) = await send(courier(route(hop.port, tls="starttls", sign_in=sign_in)), batch())
        assert "4.7.4" in text(outcome)
        assert "does not offer STARTTLS" in text(outcome)
        assert_nothing_said(hop)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ("454 4.7.0 TLS not available", "4.7.0"),
        ("502 5.5.1 not implemented", "5.5.1"),
        (SayAndDrop("220 go on"), "4.4.2"),
        (Raw(b"220 go on\r\n250-hop.test\r\n250 AUTH PLAIN\r\n"), "4.7.5"),
        (Raw(b"220 go on\r\n\x00\x01\x02 no TLS at all\r\n"), "4.7.5"),
        (Raw(b"hello\r\n"), "4.5.0"),
    ],
    ids=["454", "502", "dropped", "plain answers", "garbage", "no reply"],
)
async def test_starttls_that_fails(
    courier: MakeCourier, certificates: Certificates, answer: Answer, status: str
) -> None:
    """Whatever happens to STARTTLS, the session does not go on in clear text (S5)."""
    async with ScriptedHop({"STARTTLS": answer}, tls=certificates.good, extensions=AUTH) as hop:
        sender = courier(
            route(hop.port, tls="starttls", tls_ca=certificates.ca, sign_in=True, timeouts={"connect": 1.0})
        )
        (outcome,) = await send(sender, batch())
        assert isinstance(outcome, Deferred)
        assert status in text(outcome) or "4.4.2" in text(outcome)
        assert_nothing_said(hop)


async def test_clear_text_behind_the_220_is_forgotten(
    courier: MakeCourier, certificates: Certificates
) -> None:
    """Answers injected in clear text before TLS are not taken for answers under TLS (S4, RFC 3207 §6)."""
    injected = "220 go on\r\n250-hop.test\r\n250-AUTH PLAIN\r\n250 SIZE 1"
    async with ScriptedHop({"STARTTLS": injected}, tls=certificates.good, extensions=("PIPELINING",)) as hop:
        (outcome,) = await send(courier(route(hop.port, tls="starttls", tls_ca=certificates.ca)), batch())
        # Either the injected octets spoil the handshake, or they are dropped; believed they are never.
        if isinstance(outcome, Sent):
            assert "SIZE" not in hop.messages[0].mail
        else:
            assert_nothing_said(hop)


async def test_what_was_offered_in_clear_is_forgotten(
    courier: MakeCourier, certificates: Certificates
) -> None:
    """Only what EHLO offers under TLS counts (RFC 3207 §4.2)."""
    answers = ["250-hop.test\r\n250-STARTTLS\r\n250-DSN\r\n250 SIZE 1", "250-hop.test\r\n250 PIPELINING"]
    async with ScriptedHop({"EHLO": answers}, tls=certificates.good) as hop:
        (outcome,) = await send(courier(route(hop.port, tls="starttls", tls_ca=certificates.ca)), batch())
        assert isinstance(outcome, Sent)
        assert not outcome.hop_reports
        assert hop.messages[0].mail == "MAIL FROM:<ana@example.com>"


async def test_helo_cannot_secure(courier: MakeCourier) -> None:
    """A hop that answers only HELO cannot offer STARTTLS, and gets nothing."""
    async with ScriptedHop({"EHLO": "502 no"}) as hop:
        (outcome,) = await send(courier(route(hop.port, tls="starttls")), batch())
        assert "4.7.4" in text(outcome)
        assert_nothing_said(hop)


@pytest.mark.parametrize("flaw", ["expired", "wrong_name", "foreign"])
async def test_opportunistic_tls_asks_for_no_proof(
    courier: MakeCourier, certificates: Certificates, flaw: str
) -> None:
    """Opportunistic: encrypted with whoever answers, which is better than clear text (RFC 7435)."""
    async with ScriptedHop(tls=getattr(certificates, flaw)) as hop:
        assert isinstance((await send(courier(route(hop.port, tls="opportunistic")), batch()))[0], Sent)
        assert hop.sessions[0].tls


@pytest.mark.parametrize(
    "answer", ["454 4.7.0 not now", Raw(b"220 go\r\nno TLS at all, sorry\r\n"), SayAndDrop("220 go")]
)
async def test_opportunistic_tls_goes_on_in_clear_text(
    courier: MakeCourier, certificates: Certificates, answer: Answer
) -> None:
    """Opportunistic: where TLS fails, the mail goes in clear text, over a new connection."""
    async with ScriptedHop({"STARTTLS": answer}, tls=certificates.good) as hop:
        sender = courier(route(hop.port, tls="opportunistic", timeouts={"connect": 1.0}))
        assert isinstance((await send(sender, batch()))[0], Sent)
        assert [session.tls for session in hop.sessions] == [False, False]


async def test_a_password_never_goes_over_opportunistic_tls(
    courier: MakeCourier, certificates: Certificates
) -> None:
    """Where the route signs in, opportunistic is not opportunistic: no proof, no password, no mail."""
    for hop in (ScriptedHop(extensions=AUTH), ScriptedHop(tls=certificates.foreign, extensions=AUTH)):
        async with hop:
            sender = courier(route(hop.port, tls="opportunistic", tls_ca=certificates.ca, sign_in=True))
            assert isinstance((await send(sender, batch()))[0], Deferred)
            assert_nothing_said(hop)


@pytest.mark.parametrize("kind", ["starttls", "implicit"])
async def test_a_ca_that_cannot_be_read(courier: MakeCourier, kind: str, certificates: Certificates) -> None:
    """A missing tls_ca defers loudly; it does not fall back to the system's authorities."""
    async with ScriptedHop(tls=certificates.good, implicit=kind == "implicit") as hop:
        (outcome,) = await send(courier(route(hop.port, tls=kind, tls_ca="/nonexistent/ca.pem")), batch())
        assert "4.3.0" in text(outcome)
        assert_nothing_said(hop)


# Signing in


@pytest.mark.parametrize(
    ("offered", "command"),
    [
        ("AUTH PLAIN", "AUTH PLAIN AHJlbGF5AG9wZW4gc2VzYW1l"),
        ("AUTH LOGIN PLAIN", "AUTH PLAIN AHJlbGF5AG9wZW4gc2VzYW1l"),
        ("AUTH=PLAIN", "AUTH PLAIN AHJlbGF5AG9wZW4gc2VzYW1l"),
        ("AUTH CRAM-MD5 plain", "AUTH PLAIN AHJlbGF5AG9wZW4gc2VzYW1l"),
    ],
)
async def test_auth_plain(courier: MakeCourier, offered: str, command: str) -> None:
    """PLAIN is preferred, and sent in one command (RFC 4616, RFC 4954)."""
    async with ScriptedHop(extensions=("PIPELINING", offered)) as hop:
        assert isinstance((await send(courier(route(hop.port, sign_in=True)), batch()))[0], Sent)
        assert hop.sessions[0].commands[1] == command


@pytest.mark.parametrize(
    ("offered", "script"),
    [("AUTH LOGIN", {}), ("AUTH PLAIN LOGIN", {"AUTH PLAIN": "504 5.5.4 no such mechanism"})],
)
async def test_auth_login(courier: MakeCourier, offered: str, script: dict[str, Answer]) -> None:
    """LOGIN is used where PLAIN is not offered, or offered by a hop that does not have it (S17)."""
    script = {**script, "AUTH LOGIN": "334 UGFzc3dvcmQ6", "b3BlbiBzZXNhbWU=": "235 2.7.0 welcome"}
    async with ScriptedHop(script, extensions=("PIPELINING", offered)) as hop:
        assert isinstance((await send(courier(route(hop.port, sign_in=True)), batch()))[0], Sent)
        assert hop.sessions[0].commands[-5:-3] == ["AUTH LOGIN cmVsYXk=", "b3BlbiBzZXNhbWU="]


async def test_a_wrong_password_is_tried_once(courier: MakeCourier, caplog: pytest.LogCaptureFixture) -> None:
    """535 is deferred and loud, tried with no second mechanism, and the password is in no log (S18)."""
    async with ScriptedHop({"AUTH": "535 5.7.8 bad credentials"}, extensions=("AUTH PLAIN LOGIN",)) as hop:
        (outcome,) = await send(courier(route(hop.port, sign_in=True)), batch())
        assert text(outcome) == "535 5.7.8 the smarthost refused our sign-in: bad credentials"
        assert len([command for command in hop.sessions[0].commands if command.startswith("AUTH")]) == 1
        assert [record.levelname for record in caplog.records if "535 5.7.8" in record.message] == ["ERROR"]
        assert "sesame" not in caplog.text
        assert "AHJlbGF5" not in caplog.text


@pytest.mark.parametrize("extensions", [(), ("AUTH GSSAPI CRAM-MD5",)])
async def test_no_sign_in_that_we_know(courier: MakeCourier, extensions: tuple[str, ...]) -> None:
    """A hop that offers no PLAIN or LOGIN: deferred, and the mail is not sent without signing in."""
    async with ScriptedHop(extensions=extensions) as hop:
        (outcome,) = await send(courier(route(hop.port, sign_in=True)), batch())
        assert "offers no AUTH PLAIN or LOGIN" in text(outcome)
        assert_nothing_said(hop)


async def test_a_password_that_cannot_be_read(courier: MakeCourier, tmp_path: Path) -> None:
    """The secret is read when it is used; when it cannot be, the mail waits and its reason is told."""
    answers: list[str] = []

    def secret(_: SecretReference) -> str:
        if not answers:
            raise CommandError("the environment variable HOP is not set", 78)
        return answers[0]

    async with ScriptedHop(extensions=AUTH) as hop:
        sender = courier(route(hop.port, sign_in=True), secret=secret)
        (outcome,) = await send(sender, batch())
        assert "HOP is not set" in text(outcome)
        assert_nothing_said(hop)


async def test_the_password_is_read_each_time(courier: MakeCourier) -> None:
    """A password that changed is used for the next connection without a restart."""
    passwords = iter(["one", "two"])
    async with ScriptedHop(extensions=("AUTH PLAIN", "LIMITS MAILMAX=1")) as hop:
        sender = courier(route(hop.port, sign_in=True), secret=lambda _: next(passwords))
        assert isinstance((await send(sender, batch()))[0], Sent)
        assert isinstance((await send(sender, batch()))[0], Sent)
        first, second = (session.commands[1] for session in hop.sessions)
        assert first != second
