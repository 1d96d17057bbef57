"""Getting a connection to a hop ready for mail: TCP, TLS, EHLO and AUTH, through aiosmtplib.

The only file that knows aiosmtplib. What goes wrong comes back as a value; aiosmtplib's exceptions stop here.
TLS is verified against the host name of the settings (RFC 7817 §3); with starttls and implicit, nothing that matters
is said in clear text. Passwords are read when they are used, and only once the connection may carry them.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import cast

import aiosmtplib
from aiosmtplib.protocol import SMTPProtocol

from relay.delivery.happening import Answered, Happening, Kind, Stage, Trouble
from relay.delivery.hop import Hop
from relay.delivery.offer import Offer, read_offer
from relay.delivery.replies import make_reply, printable, shorten
from relay.errors import RelayError

logger = logging.getLogger(__name__)

_FAMILIES = {"any": socket.AF_UNSPEC, "ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
_REFUSED_EHLO = range(500, 600)
_NO_SUCH_MECHANISM = 504


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection on which mail may go out now."""

    transport: asyncio.Transport
    offer: Offer


@dataclass(frozen=True, slots=True)
class Secrets:
    """What the relay needs to prove itself, and to have the hop prove itself."""

    context: Callable[[], ssl.SSLContext]
    """Makes the context for TLS with the hop; may read files. Raises RelayError when it cannot."""
    password: Callable[[], str]
    """Reads the password. Raises RelayError when it cannot."""


Locate = Callable[[Hop], Awaitable[Sequence[str] | Trouble]]
"""Finds the addresses of a hop's host; may raise OSError."""


async def system_addresses(hop: Hop) -> Sequence[str]:
    """Ask the machine's own resolver, /etc/hosts included. Raises OSError."""
    loop = asyncio.get_running_loop()
    family = _FAMILIES[hop.family]
    found = await loop.getaddrinfo(hop.host, hop.port, family=family, type=socket.SOCK_STREAM)
    return [str(info[4][0]) for info in found]


class _Stopped(Exception):
    """Something happened that ends the attempt to connect."""

    def __init__(self, happening: Happening) -> None:
        super().__init__(str(happening))
        self.happening = happening


async def open_connection(
    hop: Hop, own_name: str, secrets: Secrets, locate: Locate = system_addresses
) -> Opened | Happening:
    """Connect, greet, secure and sign in; within the hop's timeouts. Never raises but CancelledError."""
    result = await _open(hop, own_name, secrets, locate, starttls=hop.tls in ("starttls", "opportunistic"))
    if hop.tls == "opportunistic" and not hop.verified and _is_tls_trouble(result):
        level = logging.INFO if hop.exchanger else logging.WARNING
        logger.log(level, "%s: TLS failed; this route allows clear text: %s", hop, result)
        return await _open(hop, own_name, secrets, locate, starttls=False)
    return result


def _is_tls_trouble(result: Opened | Happening) -> bool:
    return isinstance(result, Answered | Trouble) and result.stage is Stage.TLS


async def _open(
    hop: Hop, own_name: str, secrets: Secrets, locate: Locate, *, starttls: bool
) -> Opened | Happening:
    client = aiosmtplib.SMTP(hostname=hop.host, local_hostname=own_name, timeout=hop.timeouts.command)
    opening = _Opening(hop, client, secrets, locate)
    try:
        return await opening.run(starttls=starttls)
    except _Stopped as stopped:
        opening.abort()
        return stopped.happening
    except BaseException:
        opening.abort()
        raise


class _Opening:
    """One attempt to get a connection ready."""

    def __init__(self, hop: Hop, client: aiosmtplib.SMTP, secrets: Secrets, locate: Locate) -> None:
        self._hop = hop
        self._locate = locate
        self._client = client
        self._secrets = secrets
        self._wait = hop.timeouts.command

    async def run(self, *, starttls: bool) -> Opened:
        """Go through the stages in order. Raises _Stopped at the first that fails."""
        await self._at(Stage.CONNECT, self._connect())
        await self._at(Stage.GREETING, self._greeting())
        await self._hello()
        if starttls:
            await self._starttls()
        if self._hop.sign_in is not None:
            await self._at(Stage.AUTH, self._sign_in(self._hop.sign_in.username))
        transport = self._transport()
        if transport is None or transport.is_closing():
            raise _Stopped(Trouble(Stage.EHLO, Kind.DROPPED))
        return Opened(transport, read_offer(self._client.esmtp_extensions))

    def abort(self) -> None:
        """Drop the connection, where there is one."""
        transport = self._transport()
        if transport is not None:
            transport.abort()

    def _transport(self) -> asyncio.Transport | None:
        # aiosmtplib types it as the base class; TCP and TLS streams, asyncio's and uvloop's, are all two-way.
        return cast(asyncio.Transport | None, self._client.transport)

    async def _at(self, stage: Stage, step: Awaitable[None]) -> None:
        """Take one step; say at which stage it failed."""
        try:
            await step
            _heed_cancelling()
        except _Stopped:
            raise
        except Exception as exc:
            raise _Stopped(happening_of(exc, stage)) from exc

    async def _connect(self) -> None:
        """Connect to the first of the host's addresses that answers, by implicit TLS where the settings say so."""
        context = await asyncio.to_thread(self._secrets.context) if self._hop.tls == "implicit" else None
        wait = self._hop.timeouts.connect
        found = await asyncio.wait_for(self._locate(self._hop), wait)
        _heed_cancelling()
        if isinstance(found, Trouble):
            raise _Stopped(found)
        trouble: Exception = OSError("the name has no address")
        for address in tuple(dict.fromkeys(found))[: self._hop.addresses]:
            try:
                return await self._connect_to(address, context, wait)
            except (OSError, TimeoutError) as exc:
                trouble = exc
        raise trouble

    async def _connect_to(self, address: str, context: ssl.SSLContext | None, wait: float) -> None:
        loop = asyncio.get_running_loop()
        connecting = loop.create_connection(
            SMTPProtocol,
            host=address,
            port=self._hop.port,
            ssl=context,
            server_hostname=self._hop.host if context is not None else None,
            ssl_handshake_timeout=wait if context is not None else None,
        )
        self._client.transport, self._client.protocol = await asyncio.wait_for(connecting, wait)

    async def _greeting(self) -> None:
        protocol = self._client.protocol
        if protocol is None:
            raise _Stopped(Trouble(Stage.GREETING, Kind.DROPPED))
        response = await protocol.read_response(timeout=self._wait)
        if response.code != 220:
            raise aiosmtplib.SMTPResponseException(response.code, response.message)

    async def _hello(self) -> None:
        """Say EHLO; HELO to a hop that does not know it (RFC 5321 §4.1.4)."""
        try:
            await self._client.ehlo(timeout=self._wait)
        except aiosmtplib.SMTPHeloError as exc:
            if exc.code not in _REFUSED_EHLO or not self._client.is_connected:
                raise _Stopped(happening_of(exc, Stage.EHLO)) from exc
            await self._at(Stage.EHLO, self._helo())
        except Exception as exc:
            raise _Stopped(happening_of(exc, Stage.EHLO)) from exc
        _heed_cancelling()

    async def _helo(self) -> None:
        await self._client.helo(timeout=self._wait)

    async def _starttls(self) -> None:
        """Secure the connection, then greet anew: what was offered in clear is forgotten (RFC 3207 §4.2)."""
        if not self._client.supports_extension("starttls"):
            if self._hop.verified:
                detail = "the hop does not offer STARTTLS, and this route does not go on in clear text"
                raise _Stopped(Trouble(Stage.TLS, Kind.NOT_OFFERED, detail))
            return
        await self._at(Stage.TLS, self._secure())
        await self._hello()

    async def _secure(self) -> None:
        context = await asyncio.to_thread(self._secrets.context)
        await self._client.starttls(tls_context=context, timeout=self._hop.timeouts.connect)

    async def _sign_in(self, username: str) -> None:
        """Sign in by PLAIN, else LOGIN (RFC 4954)."""
        offered = self._client.server_auth_methods
        methods = [method for method in ("plain", "login") if method in offered]
        if not methods:
            detail = f"the hop offers no AUTH PLAIN or LOGIN (it offers: {' '.join(offered) or 'none'})"
            raise _Stopped(Trouble(Stage.AUTH, Kind.NOT_OFFERED, printable(detail.encode())))
        password = await asyncio.to_thread(self._secrets.password)
        credentials = username.encode(), password.encode()
        while True:
            verify = {"plain": self._client.auth_plain, "login": self._client.auth_login}[methods.pop(0)]
            try:
                await verify(*credentials, timeout=self._wait)
            except aiosmtplib.SMTPAuthenticationError as exc:
                # Some hops list a mechanism that they do not have; a wrong password is not tried a second time.
                if exc.code != _NO_SUCH_MECHANISM or not methods:
                    raise
            else:
                return


def _heed_cancelling() -> None:
    """Raise CancelledError once this task was cancelled: the wait_for of Python 3.11 forgets it when its own end comes, too."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def happening_of(exc: Exception, stage: Stage) -> Happening:
    """Say what an exception from aiosmtplib, TLS or the socket means; total: what is not known is UNKNOWN."""
    detail = _safe(exc)
    match exc:
        case aiosmtplib.SMTPResponseException(code=code) if 200 <= code < 600:
            return Answered(stage, make_reply(code, _lines(exc.message)))
        case aiosmtplib.SMTPResponseException():
            return Trouble(stage, Kind.PROTOCOL, detail)
        case ssl.SSLCertVerificationError():
            return Trouble(Stage.TLS, Kind.CERTIFICATE, printable(exc.verify_message.encode()) or detail)
        case ssl.SSLError():
            return Trouble(Stage.TLS, Kind.TLS, detail)
        case RelayError():
            return Trouble(stage, Kind.LOCAL, detail)
        case aiosmtplib.SMTPTimeoutError() | TimeoutError():
            return Trouble(stage, Kind.TIMED_OUT)
        case socket.gaierror():
            return Trouble(stage, Kind.NO_SUCH_HOST, detail)
        case ConnectionRefusedError():
            return Trouble(stage, Kind.REFUSED)
        case aiosmtplib.SMTPRecipientsRefused():
            return Trouble(stage, Kind.PROTOCOL, detail)
        case aiosmtplib.SMTPNotSupported():
            return Trouble(stage, Kind.NOT_OFFERED, detail)
        case ConnectionError():
            return Trouble(stage, Kind.DROPPED if stage is not Stage.CONNECT else Kind.UNREACHABLE, detail)
        case OSError():
            return Trouble(stage, Kind.UNREACHABLE if stage is Stage.CONNECT else Kind.DROPPED, detail)
        case aiosmtplib.SMTPException():
            return Trouble(stage, Kind.PROTOCOL, detail)
        case _:
            logger.error("unexpected trouble at %s", stage.value, exc_info=exc)
            return Trouble(stage, Kind.UNKNOWN, type(exc).__name__)


def _lines(message: str) -> list[bytes]:
    return [line.encode("utf-8", "surrogateescape") for line in message.split("\n")]


def _safe(exc: Exception) -> str:
    return shorten(printable(str(exc).encode("utf-8", "backslashreplace")))
