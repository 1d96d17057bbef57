"""The HTTP under simple-salesforce: how long a call may take, whom it trusts, what it says of itself.

Owns requests, which is loaded with this file: import it in a worker thread only. What simple-salesforce leaves open
is settled here (its traits: version 1.12.10): no timeouts, redirects followed, the environment's proxies and CA.
"""

import logging
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, ReadTimeoutError

CONNECT_SECONDS = 10.0
UPLOAD_FACTOR = 5
MAXIMUM_ANSWER = 64 * 1024 * 1024
_CHUNK = 64 * 1024
_AGENT = "crm-relay"
# At debug level it logs every URL, and with it the queries and whose addresses they name.
logging.getLogger("urllib3").setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Line:
    """How calls are made: their time limit in seconds, the CA file, the proxy."""

    timeout: float
    ca: Path | None = None
    proxy: str | None = None


def open_session(line: Line) -> requests.Session:
    """Make a session, for one thread. Its limits and its trust cannot be changed by the environment."""
    session = _Session()
    session.trust_env = False  # else REQUESTS_CA_BUNDLE would win over `verify`, and .netrc over our token
    session.verify = str(line.ca) if line.ca is not None else trusted_by_the_system()
    if line.proxy is not None:
        session.proxies = {"https": line.proxy}
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.update({"User-Agent": _AGENT, "Sforce-Call-Options": f"client={_AGENT}"})
    session.mount("https://", _Adapter(line.timeout))
    session.mount("http://", _NoClearText())
    return session


def trusted_by_the_system() -> str | bool:
    """Give the system's CAs as a file or folder; True, the bundle that comes with requests, when it has none."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile is not None:
        return paths.cafile
    if paths.capath is not None and any(Path(paths.capath).iterdir()):
        return paths.capath
    return True


class _Session(requests.Session):
    def request(  # type: ignore[override]  # the same, but for one argument
        self, method: str, url: str, **options: object
    ) -> requests.Response:
        # A redirect would turn a POST into a GET (and simple-salesforce cannot say that it wants none).
        options["allow_redirects"] = False
        return super().request(method, url, **options)  # type: ignore[arg-type]


class _NoClearText(HTTPAdapter):
    def send(
        self, request: requests.PreparedRequest, *_args: object, **_options: object
    ) -> requests.Response:
        raise requests.exceptions.InvalidSchema("Salesforce is called over TLS only", request=request)


class _Adapter(HTTPAdapter):
    """Sets the limits of every call: to connect, for each piece of the answer, for the whole of it, and its size."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        super().__init__(pool_connections=2, pool_maxsize=2, max_retries=0)

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float, float] | tuple[float, None] | None = None,
        verify: bool | str = True,
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        del stream
        seconds = timeout if isinstance(timeout, int | float) else self._seconds
        ends = time.monotonic() + min(CONNECT_SECONDS, seconds) + 2 * seconds
        response = super().send(
            request,
            stream=True,
            timeout=(min(CONNECT_SECONDS, seconds), seconds),
            verify=verify,
            cert=cert,
            proxies=dict(proxies) if proxies else None,
        )
        _read(response, ends)
        return response


def _read(response: requests.Response, ends: float) -> None:
    """Read the whole answer now, so that one that comes in drops, or never ends, has a limit as well."""
    pieces: list[bytes] = []
    size = 0
    try:
        while piece := response.raw.read1(_CHUNK, decode_content=True):
            pieces.append(piece)
            size += len(piece)
            if size > MAXIMUM_ANSWER:
                raise requests.exceptions.ContentDecodingError("the answer is too large")
            if time.monotonic() > ends:
                raise requests.exceptions.ReadTimeout("the answer came too slowly")
    except ReadTimeoutError as error:
        raise requests.exceptions.ReadTimeout(error) from None
    except (HTTPError, OSError) as error:
        if isinstance(error, requests.exceptions.RequestException):
            raise
        raise requests.exceptions.ChunkedEncodingError(error) from None
    finally:
        response.raw.release_conn()
    response._content = b"".join(pieces)  # where requests itself keeps what was read
    response._content_consumed = True  # type: ignore[attr-defined]
