"""Which deliveries a command of `relay queue` means: the options that all of them share."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Annotated, Concatenate, ParamSpec

import typer

from relay.cli.common import EXIT_USAGE, fail
from relay.cli.show import read_since
from relay.clock import SystemClock
from relay.delivery_kind import Role
from relay.errors import RelayError
from relay.ids import QUEUE_ID_LENGTH, DeliveryId, Login, number_of, queue_id_of
from relay.queue.model import State
from relay.queue.selection import Selection

P = ParamSpec("P")

Ids = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]...", help="Queue ids, or numbers of deliveries.")
]
From = Annotated[
    str | None, typer.Option("--from", metavar="GLOB", help="Whose sender fits, such as *@example.com.")
]
To = Annotated[str | None, typer.Option("--to", metavar="GLOB", help="Whose target fits.")]
Domain = Annotated[
    str | None,
    typer.Option("--domain", metavar="GLOB", help="Whose target's domain fits, such as *.example."),
]
User = Annotated[str | None, typer.Option("--user", metavar="LOGIN", help="Mail of this rep.")]
RoleOf = Annotated[Role | None, typer.Option("--role", help="Recipients, log copies or records.")]
Older = Annotated[
    str | None, typer.Option("--older", metavar="SPAN", help="Accepted longer ago than, such as 2h.")
]
States = Annotated[
    list[State] | None, typer.Option("--state", help="In this state; can be given several times.")
]
Reason = Annotated[
    str | None, typer.Option("--reason", metavar="TEXT", help="Whose last reply or reason has TEXT.")
]


@dataclass(frozen=True, slots=True)
class Choice:
    """What was said on the command line about which deliveries are meant."""

    ids: list[str] = field(default_factory=list)
    sender: str | None = None
    to: str | None = None
    domain: str | None = None
    user: str | None = None
    role: Role | None = None
    older: str | None = None
    states: tuple[State, ...] = ()
    reason: str | None = None

    @property
    def nothing_said(self) -> bool:
        """Whether neither ids nor a selector was given."""
        return self == Choice()

    def selections(self, states: tuple[State, ...] = ()) -> list[Selection]:
        """Give the selections for the store: one for each queue id, one for all numbers of deliveries.

        `states` is for when no state was given. Exits when an id cannot be read.
        """
        whole = self.selection(states)
        if not self.ids:
            return [whole]
        numbers = tuple(DeliveryId(int(one)) for one in self.ids if _is_number(one))
        found = [replace(whole, ids=numbers)] if numbers else []
        for one in self.ids:
            if not _is_number(one):
                try:
                    found.append(replace(whole, message=queue_id_of(number_of(one))))
                except RelayError as error:
                    fail(str(error))
        return found

    def selection(self, states: tuple[State, ...] = ()) -> Selection:
        """Give what was said, ids apart."""
        return Selection(
            sender=self.sender,
            recipient=self.to,
            domain=self.domain,
            login=None if self.user is None else Login(self.user),
            role=self.role,
            older_than=None if self.older is None else read_since(self.older, SystemClock().now()),
            states=self.states or states,
            reason=self.reason,
        )


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < QUEUE_ID_LENGTH


def _options(
    ids: Ids = None,
    sender: From = None,
    to: To = None,
    domain: Domain = None,
    user: User = None,
    role: RoleOf = None,
    older: Older = None,
    state: States = None,
    reason: Reason = None,
) -> Choice:
    """Make a choice of the options; their names and helps stand here once for all commands."""
    if reason is not None and not reason.strip():  # as from a variable of the shell that is not set
        fail("--reason: an empty text is in every reason; say --all if everything is meant", EXIT_USAGE)
    return Choice(ids or [], sender, to, domain, user, role, older, tuple(state or ()), reason)


_PARAMETERS = inspect.signature(_options).parameters


def chosen(command: Callable[Concatenate[typer.Context, Choice, P], None]) -> Callable[..., None]:
    """Give a command the options that say which deliveries are meant, in place of its `choice`."""
    context, _, *own = inspect.signature(command).parameters.values()

    @functools.wraps(command)
    def run(context: typer.Context, *args: P.args, **options: P.kwargs) -> None:
        choice = _options(**{name: options.pop(name) for name in _PARAMETERS})  # type: ignore[arg-type]
        command(context, choice, *args, **options)

    parameters = [context, *_PARAMETERS.values(), *own]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run
