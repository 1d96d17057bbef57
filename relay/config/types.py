"""The kinds of value that settings are made of: durations, sizes, rates, addresses of sockets, secrets.

Pure. YAML scalars arrive as their raw text, so that the field decides what `off`, `12:30` or `007` mean.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZES = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_MAXIMUM_SPAN = timedelta(days=3650)


class Settings(BaseModel):
    """A frozen group of settings; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


@dataclass(frozen=True, slots=True)
class Later:
    """Marks a setting that this version reads and checks, and does not act on yet."""


def read_flag(value: Any) -> Any:
    """Read a yes-or-no setting: only `true` and `false`."""
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return value == "true"
    raise ValueError("must be true or false")


def read_duration(value: Any) -> Any:
    """Read a duration such as 30s, 15m, 2h or 5d; 0s is allowed."""
    if isinstance(value, timedelta):
        return value
    match = re.fullmatch(r"(\d{1,9})(ms|s|m|h|d)", str(value))
    if not match:
        raise ValueError("must be a number and a unit, such as 30s, 15m, 2h or 5d")
    span = timedelta(seconds=int(match[1]) * _UNITS[match[2]])
    if span > _MAXIMUM_SPAN:
        raise ValueError("is longer than ten years")
    return span


def write_duration(span: timedelta) -> str:
    """Write a duration with the largest unit that fits without a rest."""
    milliseconds = round(span.total_seconds() * 1000)
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds % size == 0 and milliseconds:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms" if milliseconds else "0s"


def read_size(value: Any) -> Any:
    """Read a size such as 512KiB or 25MiB, in octets."""
    if isinstance(value, int):
        return value
    match = re.fullmatch(r"(\d{1,9})(B|KiB|MiB|GiB)", str(value))
    if not match:
        raise ValueError("must be a number and a unit, such as 64KiB or 25MiB")
    return int(match[1]) * _SIZES[match[2]]


def write_size(octets: int) -> str:
    """Write a size with the largest unit that fits without a rest."""
    for unit in ("GiB", "MiB", "KiB"):
        if octets and octets % _SIZES[unit] == 0:
            return f"{octets // _SIZES[unit]}{unit}"
    return f"{octets}B"


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` in a span of `seconds`; a count of 0 means no limit."""

    count: int
    seconds: float

    def __str__(self) -> str:
        """Give the form the settings use, such as 200/h."""
        unit = {1.0: "s", 60.0: "m", 3600.0: "h", 86400.0: "d"}[self.seconds]
        return f"{self.count}/{unit}"


def read_rate(value: Any) -> Any:
    """Read a rate such as 200/h; 0/h means no limit."""
    if isinstance(value, Rate):
        return value
    match = re.fullmatch(r"(\d{1,9})/(s|m|h|d)", str(value))
    if not match:
        raise ValueError("must be a count and a unit, such as 200/h or 30/m; 0/h means no limit")
    return Rate(int(match[1]), _UNITS[match[2]])


@dataclass(frozen=True, slots=True)
class SocketAddress:
    """Where to listen: a host (name, IPv4 or bracketed IPv6) and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        """Give host:port, with brackets around IPv6."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def read_socket_address(value: Any) -> Any:
    """Read host:port, such as 127.0.0.1:2587 or [::]:465."""
    if isinstance(value, SocketAddress):
        return value
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})", str(value))
    if not match or int(match[3]) > 65535:
        raise ValueError("must be host:port, such as 127.0.0.1:2587 or [::]:465")
    return SocketAddress(match[1] or match[2], int(match[3]))


Flag = Annotated[bool, BeforeValidator(read_flag)]


def _text(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern})


Duration = Annotated[
    timedelta,
    BeforeValidator(read_duration),
    PlainSerializer(write_duration),
    _text(r"^\d{1,9}(ms|s|m|h|d)$"),
]
Size = Annotated[
    int, BeforeValidator(read_size), PlainSerializer(write_size), _text(r"^\d{1,9}(B|KiB|MiB|GiB)$")
]
RateLimit = Annotated[Rate, BeforeValidator(read_rate), PlainSerializer(str), _text(r"^\d{1,9}/(s|m|h|d)$")]
Listen = Annotated[
    SocketAddress, BeforeValidator(read_socket_address), PlainSerializer(str), _text(r"^.+:\d{1,5}$")
]
Port = Annotated[int, Field(ge=1, le=65535)]


class SecretReference(Settings):
    """Where a secret is kept; its value never stands in the settings file."""

    file: str | None = None
    """A file that holds the secret; relative to the settings file."""
    env: str | None = None
    """An environment variable that holds the secret."""
    credential: str | None = None
    """A systemd credential (LoadCredential=) that holds the secret."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(place is not None for place in (self.file, self.env, self.credential)) != 1:
            raise ValueError("must name exactly one of file, env or credential")
        return self
