"""Which way out each delivery takes, and which deliveries share a transaction.

Pure. Routes are looked up when an attempt is made, so that new settings hold for mail that is already queued.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from relay.address import Address, ascii_domain
from relay.config.model import RouteChoice, UpstreamSettings
from relay.delivery_kind import Role
from relay.errors import AddressError
from relay.queue.model import Delivery, QueuedMessage

CopyTransaction = Literal["auto", "shared", "separate"]


@dataclass(frozen=True, slots=True)
class _Choice:
    """One rule of upstream.select, ready to compare: None fits everything."""

    sender: str | None
    sender_domain: str | None
    recipient_domain: str | None
    route: str


@dataclass(frozen=True, slots=True)
class Routing:
    """The settings that say which way out mail takes, ready to be asked for each delivery."""

    default: str
    choices: tuple[_Choice, ...]
    recipients: dict[str, int]
    """Recipients in one transaction, for each route there is."""
    separate: frozenset[str]
    """Routes on which a log copy goes in a transaction of its own."""
    by_domain: frozenset[str] = frozenset()
    """Routes of kind mx: each recipient domain has hosts of its own."""
    own_route: str | None = None
    """The way out for the relay's own mail; None: as any other mail."""

    def route(self, message: QueuedMessage, target: str) -> str:
        """Give the route for a delivery of this message: the first rule that fits, else the default."""
        if self.own_route is not None and is_own_mail(message):
            return self.own_route
        if not self.choices:
            return self.default
        return self._chosen(message.envelope.reverse_path, domain_of(target))

    def route_of(self, own: bool, sender: Address | None, recipient_domain: str) -> str:
        """Give the route by what it depends on; `own`: mail of the relay itself."""
        if own and self.own_route is not None:
            return self.own_route
        return self._chosen(sender, recipient_domain) if self.choices else self.default

    def _chosen(self, sender: Address | None, recipient_domain: str) -> str:
        sender_domain = comparable_domain(sender.domain) if sender else ""
        address = comparable_mailbox(str(sender)) if sender else ""
        for choice in self.choices:
            if (
                choice.sender in (None, address)
                and _fits(choice.sender_domain, sender_domain)
                and _fits(choice.recipient_domain, recipient_domain)
            ):
                return choice.route
        return self.default

    def split(self, message: QueuedMessage, deliveries: Sequence[Delivery]) -> list[list[Delivery]]:
        """Put each delivery in exactly one group; a group shares a route and a transaction."""
        by_way: dict[tuple[str, str], list[Delivery]] = {}
        for delivery in deliveries:
            by_way.setdefault(self._way(message, delivery.target), []).append(delivery)
        groups: list[list[Delivery]] = []
        for (route, _), members in by_way.items():
            groups += self._transactions(route, members)
        return groups

    def is_one_way(self, message: QueuedMessage, deliveries: Sequence[Delivery]) -> bool:
        """Tell whether these share a way out, as those in a group of `split` do."""
        if len(deliveries) == 1 or not (self.choices or self.by_domain):
            return True
        return len({self._way(message, delivery.target) for delivery in deliveries}) == 1

    def _way(self, message: QueuedMessage, target: str) -> tuple[str, str]:
        """Give the route, and the domain where that has hosts of its own."""
        route = self.route(message, target)
        return route, domain_of(target) if route in self.by_domain else ""

    def _transactions(self, route: str, members: list[Delivery]) -> list[list[Delivery]]:
        limit = self.recipients.get(route, len(members))
        copies = [delivery for delivery in members if delivery.role is Role.LOG_COPY]
        others = [delivery for delivery in members if delivery.role is not Role.LOG_COPY]
        if route in self.separate or len(copies) >= limit:
            return [*_chunks(others, limit), *_chunks(copies, limit)]
        # The log copies go with the first recipients, so that there is a recipient to stand beside them.
        room = limit - len(copies)
        first = others[:room] + copies
        return [*([first] if first else []), *_chunks(others[room:], limit)]


def routing_of(
    settings: UpstreamSettings, transaction: CopyTransaction, own_route: str | None = None
) -> Routing:
    """Make the routing of the settings; log copies are shared on smarthosts by `auto` (design: one Sent copy)."""
    separate = {
        name
        for name, route in settings.routes.items()
        if transaction == "separate" or (transaction == "auto" and route.kind == "mx")
    }
    return Routing(
        default=settings.default,
        choices=tuple(_choice(choice) for choice in settings.select),
        recipients={name: route.limits.recipients for name, route in settings.routes.items()},
        separate=frozenset(separate),
        by_domain=frozenset(name for name, route in settings.routes.items() if route.kind == "mx"),
        own_route=own_route,
    )


def is_own_mail(message: QueuedMessage) -> bool:
    """Tell whether this is mail of the relay itself: nobody's, and from the null path (a delivery report)."""
    return message.login is None and message.envelope.reverse_path is None


def comparable_domain(domain: str) -> str:
    """Give a domain as domains are compared: in lower-case A-labels, without a final dot."""
    name = domain.rstrip(".")
    try:
        return ascii_domain(name)
    except AddressError:
        return name.lower()


def comparable_mailbox(mailbox: str) -> str:
    """Give a mailbox as the settings' senders are compared: the local part's case is the owner's affair."""
    local, at, domain = mailbox.rpartition("@")
    return local.lower() + at + comparable_domain(domain)


def _fits(wanted: str | None, domain: str) -> bool:
    """Tell whether a domain is the one wanted, or below it where `*.` stands in front."""
    if wanted is None or wanted == domain:
        return True
    return wanted.startswith("*.") and domain.endswith(wanted[1:])


def _wanted(domain: str | None) -> str | None:
    if domain is None or not domain.startswith("*."):
        return None if domain is None else comparable_domain(domain)
    return f"*.{comparable_domain(domain[2:])}"


def _choice(choice: RouteChoice) -> _Choice:
    return _Choice(
        sender=None if choice.sender is None else comparable_mailbox(choice.sender),
        sender_domain=_wanted(choice.sender_domain),
        recipient_domain=_wanted(choice.recipient_domain),
        route=choice.route,
    )


def domain_of(target: str) -> str:
    """Give the domain of a forward-path as domains are compared; "" when it has none."""
    return comparable_domain(target.rpartition("@")[2]) if "@" in target else ""


def _chunks(deliveries: list[Delivery], size: int) -> list[list[Delivery]]:
    return [deliveries[start : start + size] for start in range(0, len(deliveries), size)]
