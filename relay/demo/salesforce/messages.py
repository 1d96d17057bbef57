"""A request and an answer, as the parts of the simulated Salesforce hand them to each other.

Pure.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from urllib.parse import parse_qsl, unquote, urlsplit

from relay.demo.salesforce.refusals import Refusal, bad_json

JSON = "application/json;charset=UTF-8"
Value = object
"""Whatever JSON can say."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request."""

    method: str
    target: str
    """As it stood in the request line."""
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes = b""

    @property
    def path(self) -> str:
        """Give the path, decoded."""
        return unquote(urlsplit(self.target).path)

    @property
    def segments(self) -> tuple[str, ...]:
        """Give the parts of the path, each decoded for itself: an encoded slash does not part."""
        return tuple(unquote(part) for part in urlsplit(self.target).path.split("/") if part)

    @property
    def query(self) -> dict[str, str]:
        """Give the parameters behind the question mark."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    def form(self) -> dict[str, str]:
        """Give the fields of a form."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    def json(self) -> object:
        """Read the body as JSON. Raises Refusal JSON_PARSER_ERROR."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise bad_json(f"Unexpected character or end of input: {error}") from error

    def record(self) -> dict[str, object]:
        """Read the body as a JSON object. Raises Refusal JSON_PARSER_ERROR."""
        found = self.json()
        if not isinstance(found, dict):
            raise bad_json("The HTTP entity body is required to be a JSON object")
        return found


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back."""

    status: int
    body: object = None
    """JSON; None: no body. Octets go out as they are."""
    headers: Mapping[str, str] = field(default_factory=dict)
    errors: tuple[Refusal, ...] = ()
    """What was refused of it, records of collections and subrequests among it."""
    spoiled: str = ""
    """reset: the connection is reset instead; truncate: half of the body, then the end."""
    wait: float = 0.0
    """Seconds before it goes out."""
    later: "Callable[[], Answer] | None" = None
    """What is carried out after `wait`, and gives the answer."""

    def octets(self) -> bytes:
        """Give the body as sent."""
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True, slots=True)
class Call:
    """One call that was made, as the organisation counts it."""

    at: datetime
    method: str
    path: str
    """Decoded, without the query."""
    query: Mapping[str, str]
    operation: str
    """create, query, composite, collection_create … (operations.operation_of)"""
    object: str
    user: str
    """The id of the user; empty when nobody was signed in."""
    status: int
    codes: tuple[str, ...] = ()
    """The error codes in the answer."""
    provoked: bool = False
    """Every error in it was provoked by a toggle, an injected fault or an expired token."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Value = None
    """What was sent, when it was JSON."""


def refusal_answer(refusal: Refusal) -> Answer:
    """Give the answer to a request that was refused as a whole: an array of errors."""
    return Answer(refusal.status, [refusal.body()], errors=(refusal,))


def http_date(when: datetime) -> str:
    """Write an instant as HTTP headers have it (RFC 9110 §5.6.7)."""
    return format_datetime(when, usegmt=True)
