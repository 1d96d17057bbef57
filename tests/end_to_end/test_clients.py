"""Real mail programs send through the relay, and what comes out is what they sent."""

import fcntl
import json
import os
import shutil
import smtplib
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from relay.demo.captured import Captured
from relay.demo.service import free_ports
from tests.conftest import program
from tests.support.postfix import running_postfix
from tests.support.raw_client import RawClient
from tests.support.running import BCC, PASSWORD, RunningRelay, running_relay, trusting
from tests.support.tap import Tap

_LIMIT = 60.0
_HEADER = (
    b"From: Ana Berg <ana@example.com>\r\nTo: Kim <kim@buyer.example>\r\nSubject: A test\r\n"
    b"Date: Mon, 09 Nov 2026 09:14:03 +0100\r\nMessage-ID: <clients-1@example.com>\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
)
_BODY = (
    "Hej Kim,\r\n\r\n.en rad med punkt\r\n..\r\n.\r\n\ttab and trailing space \r\n"
    + "lång rad " * 90
    + "\r\n\r\nFrom here\r\n\r\n"
).encode()
SENT = _HEADER + b"Bcc: blind@partner.example\r\n\r\n" + _BODY
EXPECTED = _HEADER + b"\r\n" + _BODY


@dataclass(frozen=True, slots=True)
class Post:
    """What a mail program is told: where the relay is, what to send and to whom."""

    relay: RunningRelay
    clear: int
    """The port that takes sign-ins in clear text."""
    folder: Path
    recipient: str

    @property
    def file(self) -> Path:
        """Give a file with the message as Unix programs keep it: lines end in LF."""
        path = self.folder / "message.eml"
        path.write_bytes(SENT.replace(b"\r\n", b"\n"))
        return path

    @property
    def crlf_file(self) -> Path:
        """Give a file with the message as it goes over the wire."""
        path = self.folder / "message-crlf.eml"
        path.write_bytes(SENT)
        return path

    def private(self, name: str, text: str) -> Path:
        """Write a settings file that holds a password."""
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        return path


@pytest.fixture(scope="module")
def clear_port() -> int:
    """The port of a listener that takes sign-ins in clear text, so that the wire can be tapped."""
    return free_ports(1)[0]


@pytest.fixture(scope="module")
def shared_relay(tmp_path_factory: pytest.TempPathFactory, clear_port: int) -> Iterator[RunningRelay]:
    """A relay with a fourth listener, in clear text."""
    clear = {"name": "clear", "address": f"127.0.0.1:{clear_port}", "tls": "none", "auth": "required"}
    changes = {"auth": {"require_tls": False}, "more_listeners": [clear]}
    with running_relay(tmp_path_factory.mktemp("relay"), changes) as relay:
        yield relay


@pytest.fixture
def post(relay: RunningRelay, clear_port: int, tmp_path: Path) -> Post:
    """A message to send."""
    return Post(relay, clear_port, tmp_path, "kim@buyer.example")


def _run(arguments: Sequence[str], given: bytes = b"", **environment: str) -> str:
    """Run a mail program and give all it printed; the test fails when it does."""
    done = subprocess.run(
        [program(arguments[0]), *arguments[1:]],
        input=given,
        capture_output=True,
        timeout=_LIMIT,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8", **environment},
    )
    printed = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert done.returncode == 0, printed
    return printed


def _swaks(post: Post, port: int, tls: str, mechanism: str) -> str:
    connection = ["--server", "localhost", "--port", str(port), tls, "--tls-verify"]
    signing_in = ["--auth", mechanism, "--auth-user", "ana", "--auth-password", PASSWORD]
    text = post.folder / "swaks.txt"
    text.write_bytes(post.file.read_bytes().removesuffix(b"\n"))  # swaks ends the last line itself
    mail = ["--from", "ana@example.com", "--to", post.recipient, "--data", f"@{text}"]
    arguments = ["swaks", *connection, "--tls-ca-path", str(post.relay.ca_file), *signing_in, *mail]
    return _run(arguments)


def _msmtp(post: Post, port: int, starttls: str) -> str:
    settings = post.private(
        "msmtprc",
        f"account default\nhost localhost\nport {port}\ntls on\ntls_starttls {starttls}\n"
        f"tls_trust_file {post.relay.ca_file}\nauth on\nuser ana\npassword {PASSWORD}\nfrom ana@example.com\n"
        "set_from_header off\nset_date_header off\nremove_bcc_headers off\n",
    )
    return _run(["msmtp", "-C", str(settings), post.recipient], post.file.read_bytes())


def _curl(post: Post, url: str, *options: str) -> str:
    arguments = ["--cacert", str(post.relay.ca_file), "--user", f"ana:{PASSWORD}", "--url", url, *options]
    mail = ["--mail-from", "ana@example.com", "--mail-rcpt", post.recipient]
    return _run(["curl", "-sSv", "--ssl-reqd", *arguments, *mail, "--upload-file", str(post.crlf_file)])


def _smtplib(post: Post, client: smtplib.SMTP) -> str:
    with client:
        if not isinstance(client, smtplib.SMTP_SSL):
            client.starttls(context=trusting(post.relay.ca))
        client.login("ana", PASSWORD)
        client.sendmail("ana@example.com", [post.recipient], SENT, ["BODY=8BITMIME"])
        return repr(client.noop())


def _nodemailer(post: Post, port: int, secure: bool) -> str:
    job = {
        "port": port,
        "secure": secure,
        "login": "ana",
        "password": PASSWORD,
        "ca": str(post.relay.ca_file),
        "sender": "ana@example.com",
        "recipients": [post.recipient],
    }
    script = _nodemailer_folder() / "send.js"
    return _run(["node", str(script), json.dumps(job)], SENT)


def _nodemailer_folder() -> Path:
    """Give the folder of the script with its package installed, by whoever comes first."""
    folder = Path(__file__).parent / "nodemailer"
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "node_modules" / "nodemailer").is_dir():
            npm = [program("npm"), "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
            done = subprocess.run(
                npm, cwd=folder, capture_output=True, timeout=_LIMIT, check=False, text=True
            )
            if done.returncode:
                shutil.rmtree(folder / "node_modules", ignore_errors=True)
                _without("nodemailer cannot be installed: " + done.stderr[-300:])
    return folder


def _without(reason: str) -> None:
    if os.environ.get("RELAY_TEST_PEERS") == "required":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def _url(post: Post, *, tls: bool) -> str:
    port = post.relay.submissions if tls else post.relay.submission
    return f"smtp{'s' if tls else ''}://localhost:{port}/client.test"


_VERBATIM: dict[str, tuple[str, Callable[[Post], str]]] = {
    "swaks-starttls-plain": ("swaks", lambda p: _swaks(p, p.relay.submission, "--tls", "PLAIN")),
    "swaks-starttls-login": ("swaks", lambda p: _swaks(p, p.relay.submission, "--tls", "LOGIN")),
    "swaks-implicit": ("swaks", lambda p: _swaks(p, p.relay.submissions, "--tls-on-connect", "PLAIN")),
    "msmtp-starttls": ("msmtp", lambda p: _msmtp(p, p.relay.submission, "on")),
    "msmtp-implicit": ("msmtp", lambda p: _msmtp(p, p.relay.submissions, "off")),
    "curl-starttls": ("curl", lambda p: _curl(p, _url(p, tls=False))),
    "curl-implicit": ("curl", lambda p: _curl(p, _url(p, tls=True))),
    "curl-login": ("curl", lambda p: _curl(p, _url(p, tls=False), "--login-options", "AUTH=LOGIN")),
    "nodemailer-starttls": ("nodejs", lambda p: _nodemailer(p, p.relay.submission, False)),
    "nodemailer-implicit": ("nodejs", lambda p: _nodemailer(p, p.relay.submissions, True)),
}
"""Name -> Debian package, and how the program sends the file octet by octet."""


def _check_envelope(post: Post, arrived: Captured, printed: str) -> None:
    """The log copy is in the envelope once; its address is nowhere else."""
    assert sorted(arrived.addresses) == sorted([post.recipient, BCC])
    assert BCC.encode() not in arrived.content
    assert BCC not in printed
    assert BCC not in post.relay.service.logs()


@pytest.mark.parametrize(
    "send",
    [
        pytest.param(send, id=name, marks=pytest.mark.peer(package))
        for name, (package, send) in _VERBATIM.items()
    ],
)
def test_a_program_that_sends_a_file(post: Post, send: Callable[[Post], str]) -> None:
    """What arrives ends with exactly the file less its Bcc field."""
    printed = send(post)
    arrived = post.relay.mail_for(post.recipient)
    assert arrived.content.endswith(b"\r\n" + EXPECTED)
    _check_envelope(post, arrived, printed)


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_smtplib(post: Post, tls: str) -> None:
    """Python's own client, both ways."""
    if tls == "starttls":
        client = smtplib.SMTP("localhost", post.relay.submission, timeout=_LIMIT)
    else:
        context = trusting(post.relay.ca)
        client = smtplib.SMTP_SSL("localhost", post.relay.submissions, timeout=_LIMIT, context=context)
    printed = _smtplib(post, client)
    arrived = post.relay.mail_for(post.recipient)
    assert arrived.content.endswith(b"\r\n" + EXPECTED)
    _check_envelope(post, arrived, printed)


def _mutt(post: Post, port: int, tls: str) -> str:
    settings = post.private(
        "muttrc",
        f'set smtp_url="smtp://ana@localhost:{port}"\nset smtp_pass="{PASSWORD}"\nset smtp_authenticators="plain"\n'
        f"{tls}\nset ssl_verify_host=yes\nset ssl_ca_certificates_file={post.relay.ca_file}\n"
        'set from="ana@example.com"\nset realname="Ana Berg"\nset use_envelope_from=yes\nset copy=no\n'
        f'set record=""\nset folder={post.folder}\nset header_cache=""\nset send_charset="utf-8"\nset allow_8bit=yes\n',
    )
    arguments = ["mutt", "-n", "-F", str(settings), "-s", "Hälsning", "-b", "blind@partner.example"]
    photo = post.folder / "photo.jpg"
    photo.write_bytes(bytes(range(256)) * 40)
    attach = ["-a", str(photo), "--", post.recipient]
    return _run([*arguments, *attach], b"Hej Kim!\n.\n", HOME=str(post.folder))


def _s_nail(post: Post, port: int, *options: str) -> str:
    settings = [
        f"mta=smtp://ana:{PASSWORD}@localhost:{port}",
        "smtp-auth=plain",
        "from=ana@example.com",
        *options,
    ]
    chosen = [word for each in ("v15-compat", *settings) for word in ("-S", each)]
    arguments = ["s-nail", "-:", "/", "-s", "Greeting", *chosen, "-b", "blind@partner.example"]
    return _run([*arguments, post.recipient], b"Hej Kim!\n.\n", HOME=str(post.folder))


_COMPOSING: dict[str, tuple[Callable[[Post, int], str], Callable[[Post], str]]] = {
    "mutt": (
        lambda p, port: _mutt(p, port, "set ssl_starttls=no\nset ssl_force_tls=no"),
        lambda p: _mutt(p, p.relay.submission, "set ssl_starttls=yes\nset ssl_force_tls=yes"),
    ),
    "s-nail": (
        lambda p, port: _s_nail(p, port),
        lambda p: _s_nail(
            p, p.relay.submission, "smtp-use-starttls", f"tls-ca-file={p.relay.ca_file}", "tls-verify=strict"
        ),
    ),
}
"""Name and Debian package -> how the program sends in clear text to a port, and how with STARTTLS."""


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.peer(name)) for name in _COMPOSING])
def test_a_program_that_composes_the_mail(post: Post, name: str) -> None:
    """What arrives is what went over the wire between program and relay."""
    with Tap(post.clear) as tap:
        printed = _COMPOSING[name][0](post, tap.port)
        arrived = post.relay.mail_for(post.recipient)
    sent = tap.content()
    assert b"Hej Kim" in sent
    assert arrived.content.endswith(sent)
    assert sorted(arrived.addresses) == sorted([post.recipient, "blind@partner.example", BCC])
    assert b"blind@partner.example" not in arrived.content
    assert BCC not in printed + post.relay.service.logs()


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.peer(name)) for name in _COMPOSING])
def test_a_program_that_composes_the_mail_with_tls(post: Post, name: str) -> None:
    """It verifies our certificate, signs in inside TLS and its mail arrives."""
    printed = _COMPOSING[name][1](post)
    arrived = post.relay.mail_for(post.recipient)
    assert b"Hej Kim!\r\n.\r\n" in arrived.content
    assert BCC.encode() not in arrived.content
    assert BCC not in printed


def _give_to_postfix(port: int, recipient: str) -> None:
    with RawClient(port) as client:
        client.say("EHLO client.test")
        assert client.submit("ana@example.com", [recipient], EXPECTED, " BODY=8BITMIME").startswith(b"250")


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="Postfix's master runs as root")


@needs_root
@pytest.mark.peer("postfix")
def test_postfix_relays_through_us_signed_in(post: Post) -> None:
    """Postfix as a client with AUTH: what arrives is what it said on the wire, and ends with the message."""
    with Tap(post.clear) as tap:
        settings = (
            f"relayhost = [127.0.0.1]:{tap.port}\nsmtp_sasl_auth_enable = yes\n"
            f"smtp_sasl_security_options = noanonymous\n"
            f"smtp_sasl_password_maps = inline:{{ {{[127.0.0.1]:{tap.port} = ana:{PASSWORD}}} }}\n"
        )
        with running_postfix(settings) as port:
            _give_to_postfix(port, post.recipient)
            arrived = post.relay.mail_for(post.recipient)
    assert arrived.content.endswith(tap.content())
    assert arrived.content.endswith(EXPECTED)
    _check_envelope(post, arrived, "")


@needs_root
@pytest.mark.peer("postfix")
def test_postfix_relays_through_the_gateway(post: Post) -> None:
    """A company's mail system on a trusted network: no sign-in, the rep is known by the envelope sender."""
    with Tap(post.relay.gateway) as tap:
        settings = f"relayhost = [127.0.0.1]:{tap.port}\n"
        with running_postfix(settings) as port:
            _give_to_postfix(port, post.recipient)
            arrived = post.relay.mail_for(post.recipient)
    assert arrived.content.endswith(tap.content())
    assert arrived.content.endswith(EXPECTED)
    _check_envelope(post, arrived, "")


@needs_root
@pytest.mark.peer("postfix")
def test_postfix_relays_through_us_with_verified_tls(post: Post) -> None:
    """With smtp_tls_security_level = verify Postfix takes our certificate, signs in and its mail arrives."""
    settings = (
        f"relayhost = [localhost]:{post.relay.submission}\nsmtp_host_lookup = native\n"
        f"smtp_tls_security_level = verify\nsmtp_tls_CAfile = {post.relay.ca_file}\n"
        "smtp_tls_verify_cert_match = hostname\nsmtp_sasl_auth_enable = yes\n"
        "smtp_sasl_security_options = noanonymous\n"
        f"smtp_sasl_password_maps = inline:{{ {{[localhost]:{post.relay.submission} = ana:{PASSWORD}}} }}\n"
    )
    with running_postfix(settings) as port:
        _give_to_postfix(port, post.recipient)
        arrived = post.relay.mail_for(post.recipient)
    assert arrived.content.endswith(EXPECTED)
    _check_envelope(post, arrived, "")


@pytest.mark.peer("postfix")
def test_smtp_source_floods_the_gateway(post: Post) -> None:
    """Postfix's own load generator: every message it was answered 250 for arrives once."""
    arguments = [
        "smtp-source",
        "-m",
        "60",
        "-s",
        "6",
        "-l",
        "5000",
        "-f",
        "ana@example.com",
        "-t",
        post.recipient,
    ]
    _run([*arguments, f"127.0.0.1:{post.relay.gateway}"])
    arrived = post.relay.hop.wait_for(60)
    assert len(arrived) == 60
    assert all(sorted(each.addresses) == sorted([post.recipient, BCC]) for each in arrived)
