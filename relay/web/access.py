"""Which pages there are and who may ask for them: the one table that every request is checked against."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, assert_never

from starlette.responses import Response

if TYPE_CHECKING:
    from relay.web.asking import Ask

Handler = Callable[["Ask"], Awaitable[Response]]
Menu = Literal["main", "settings", "admin"]

FORM_LIMIT = 64 * 1024
"""Octets of a form, unless its route says more."""


class Access(StrEnum):
    """Who may ask for a page. A page about one rep's things looks, besides, whose they are."""

    ANYONE = "anyone"
    SIGNED_IN = "signed in"
    ADMIN = "admin"
    OVERSIGHT = "admin or auditor"

    def allows(self, role: str | None) -> bool:
        """Tell whether somebody in this role may; None: somebody who is not signed in."""
        match self:
            case Access.ANYONE:
                return True
            case Access.SIGNED_IN:
                return role is not None
            case Access.ADMIN:
                return role == "admin"
            case Access.OVERSIGHT:
                return role in ("admin", "auditor")
            case _:
                assert_never(self)


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a page stands in a menu, and the key of its name there."""

    menu: Menu
    key: str


@dataclass(frozen=True, slots=True)
class PageRoute:
    """One path of the page: who may ask for it, and what answers."""

    method: Literal["GET", "POST"]
    path: str
    handler: Handler
    access: Access
    entry: Entry | None = None
    body_limit: int = FORM_LIMIT
    """The most octets that a request may bring."""


def get(path: str, handler: Handler, access: Access, *, entry: Entry | None = None) -> PageRoute:
    """Declare a page that shows something and changes nothing."""
    return PageRoute("GET", path, handler, access, entry)


def post(path: str, handler: Handler, access: Access, *, body_limit: int = FORM_LIMIT) -> PageRoute:
    """Declare what a form does; it answers with a redirect (303) or with the form and what is wrong with it."""
    return PageRoute("POST", path, handler, access, None, body_limit)
