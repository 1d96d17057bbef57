"""What happened between the relay and a hop: an answer, trouble, or nothing since the hop cannot take it.

Pure. relay.delivery.client, connection, pool and mx make these values; relay.delivery.classify says what they mean
for a delivery.
"""

from dataclasses import dataclass
from enum import StrEnum

from relay.status import Reply
from relay.values import quick


class Stage(StrEnum):
    """Where in the dialogue something happened."""

    CONNECT = "connect"
    GREETING = "greeting"
    EHLO = "EHLO"
    TLS = "TLS"
    """STARTTLS and its answer, and the handshake."""
    AUTH = "AUTH"
    RSET = "RSET"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    CONTENT = "content"
    """While the content was being sent, before the final dot."""
    END = "end of data"
    """After the final dot."""


SETTING_UP = frozenset({Stage.CONNECT, Stage.GREETING, Stage.EHLO, Stage.TLS, Stage.AUTH, Stage.RSET})
"""Stages that say something about the hop, not about a message."""


class Kind(StrEnum):
    """What kind of trouble it was."""

    NO_SUCH_HOST = "no such host"
    NO_ADDRESS = "no address"
    """DNS is sure that a mail exchanger has no address."""
    REFUSED = "connection refused"
    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed out"
    DROPPED = "dropped"
    CERTIFICATE = "certificate"
    TLS = "TLS"
    NOT_OFFERED = "not offered"
    """STARTTLS or AUTH is needed, and the hop does not offer it."""
    PROTOCOL = "protocol"
    """What came is no SMTP reply, or came when none was due."""
    LOCAL = "local"
    """The relay itself could not go on: a secret or the content cannot be read, or it is stopping."""
    NOBODY = "nobody"
    """Only the log copy would have been delivered: the transaction was given up before the final dot."""
    UNKNOWN = "unknown"


@quick
@dataclass(frozen=True, slots=True)
class Answered:
    """The hop answered `reply`, and that decided it."""

    stage: Stage
    reply: Reply


@quick
@dataclass(frozen=True, slots=True)
class Trouble:
    """No answer decided it; `detail` is for people and safe to log."""

    stage: Stage
    kind: Kind
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Declined:
    """The hop was not asked: by what it offers it cannot take this; `reply` is ours."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Paced:
    """The hop was not asked: it takes no more for now by the route's own limits."""

    limit: str
    """The limit in plain words, such as "30 messages a minute"."""
    seconds: float
    """Until there is room again."""


Happening = Answered | Trouble | Declined | Paced


class Lack(StrEnum):
    """Why there is no host that takes mail for a domain."""

    LITERAL = "address literal"
    NO_DOMAIN = "no such domain"
    NULL_MX = "null MX"
    LOOP = "best MX is the relay"
    UNANSWERED = "no answer of DNS"
    NO_RESOLVER = "no resolver"


@dataclass(frozen=True, slots=True)
class NoWay:
    """Mail for this domain cannot be sent anywhere; `detail` is for people and safe to log."""

    lack: Lack
    domain: str
    detail: str = ""
