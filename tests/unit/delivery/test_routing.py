"""Routes are picked by the first rule that fits, and each delivery is in exactly one transaction."""

import pytest

from relay.config.model import RouteChoice, UpstreamSettings
from relay.delivery.routing import Routing, routing_of
from relay.delivery_kind import Role
from relay.envelope import Envelope
from relay.queue.model import QueuedMessage
from tests.support.outgoing import COPY, delivery, mailbox, message, route


def routing(
    *choices: RouteChoice, transaction: str = "auto", recipients: int = 100, own: str | None = None
) -> Routing:
    """Make a routing with the routes main, other and mx."""
    settings = UpstreamSettings(
        default="main",
        routes={"main": route(25, recipients=recipients), "other": route(26), "mx": route(27, kind="mx")},
        select=choices,
    )
    return routing_of(settings, transaction, own)  # type: ignore[arg-type]


def sent_by(sender: str | None) -> QueuedMessage:
    """Make a message from this sender."""
    path = None if sender is None else mailbox(sender)
    return message(envelope=Envelope(reverse_path=path, recipients=()))


def choice(route: str, **conditions: str) -> RouteChoice:
    """Make a rule."""
    return RouteChoice(route=route, **conditions)


def test_without_rules_the_default_is_taken() -> None:
    """Mail that no rule is for takes the default route."""
    assert routing().route(message(), "bo@example.net") == "main"


@pytest.mark.parametrize(
    ("rule", "sender", "target", "expected"),
    [
        (choice("other", sender_domain="example.com"), "ana@EXAMPLE.com.", "b@x.test", "other"),
        (choice("other", sender_domain="example.com"), "ana@sub.example.com", "b@x.test", "main"),
        (choice("other", sender_domain="example.com"), None, "b@x.test", "main"),
        (choice("other", recipient_domain="X.test"), "ana@example.com", "b@x.TEST", "other"),
        (
            choice("other", recipient_domain="bücher.example"),
            "ana@example.com",
            "b@xn--bcher-kva.example",
            "other",
        ),
        (choice("other", recipient_domain="x.test"), "ana@example.com", "Postmaster", "main"),
        (choice("other", sender="Ana@example.com"), "ana@Example.com", "b@x.test", "other"),
        (choice("other", sender="ana@example.com"), "bea@example.com", "b@x.test", "main"),
        (
            choice("other", sender="ana@example.com", recipient_domain="y.test"),
            "ana@example.com",
            "b@x.test",
            "main",
        ),
        (
            choice("other", sender="ana@example.com", recipient_domain="x.test"),
            "ana@example.com",
            "b@x.test",
            "other",
        ),
    ],
)
def test_a_rule_fits_when_all_it_names_holds(
    rule: RouteChoice, sender: str | None, target: str, expected: str
) -> None:
    """Domains are compared as domains are, and every condition must hold."""
    assert routing(rule).route(sent_by(sender), target) == expected


def test_the_first_rule_wins() -> None:
    """Rules are looked at in their order."""
    rules = choice("other", recipient_domain="x.test"), choice("mx", recipient_domain="x.test")
    assert routing(*rules).route(message(), "b@x.test") == "other"


def test_the_relays_own_mail_has_a_route_of_its_own() -> None:
    """Delivery reports go by notices.route; a rep's mail never does."""
    asked = routing(own="other")
    assert asked.route(message(sender=None, login=None), "ana@example.com") == "other"
    assert asked.route(message(sender=None), "ana@example.com") == "main"
    assert asked.route(message(login=None), "ana@example.com") == "main"


def test_recipients_and_log_copy_share_a_transaction_on_a_smarthost() -> None:
    """One Sent copy and one quota unit: the log copy is one more recipient (design §3.7)."""
    deliveries = [delivery(1, "b@x.test"), delivery(2, "c@y.test"), delivery(3, COPY, Role.LOG_COPY)]
    assert routing().split(message(), deliveries) == [deliveries]


def test_separate_log_copies_go_alone() -> None:
    """logging.bcc.transaction: separate keeps them apart."""
    deliveries = [delivery(1, "b@x.test"), delivery(2, COPY, Role.LOG_COPY)]
    assert routing(transaction="separate").split(message(), deliveries) == [[deliveries[0]], [deliveries[1]]]


def test_auto_is_separate_on_mx() -> None:
    """By MX the log copy goes to another host anyway, and its transaction is its own."""
    deliveries = [delivery(1, "b@x.test"), delivery(2, COPY, Role.LOG_COPY)]
    rules = routing(choice("mx", sender_domain="example.com"))
    assert rules.split(message(), deliveries) == [[deliveries[0]], [deliveries[1]]]


def test_routes_split_a_message() -> None:
    """Recipients of different routes are in different transactions; the log copy stays on its own route."""
    deliveries = [delivery(1, "b@x.test"), delivery(2, "c@y.test"), delivery(3, COPY, Role.LOG_COPY)]
    groups = routing(choice("other", recipient_domain="x.test")).split(message(), deliveries)
    assert groups == [[deliveries[0]], [deliveries[1], deliveries[2]]]


@pytest.mark.parametrize(("count", "sizes"), [(1, [2]), (9, [10]), (10, [10, 1]), (25, [10, 10, 6])])
def test_a_transaction_has_no_more_recipients_than_allowed(count: int, sizes: list[int]) -> None:
    """limits.recipients counts the log copy, which stands beside the first recipients."""
    deliveries = [delivery(number, f"b{number}@x.test") for number in range(count)]
    copy = delivery(99, COPY, Role.LOG_COPY)
    groups = routing(recipients=10).split(message(), [*deliveries, copy])
    assert [len(group) for group in groups] == sizes
    assert copy in groups[0]


def test_a_limit_of_one_leaves_the_log_copy_alone() -> None:
    """Where only one recipient fits, every delivery has a transaction of its own."""
    deliveries = [delivery(1, "b@x.test"), delivery(2, COPY, Role.LOG_COPY)]
    assert routing(recipients=1).split(message(), deliveries) == [[deliveries[0]], [deliveries[1]]]


def test_mail_exchangers_are_of_one_domain() -> None:
    """On a route of kind mx each recipient domain has a transaction of its own, however it is spelt."""
    rules = routing(choice("mx", sender_domain="example.com"))
    targets = ["a@x.test", "b@y.test", "c@X.TEST", "d@x.test."]
    groups = rules.split(message(), [delivery(number, target) for number, target in enumerate(targets)])
    assert [[d.target for d in group] for group in groups] == [
        ["a@x.test", "c@X.TEST", "d@x.test."],
        ["b@y.test"],
    ]


def test_a_smarthost_takes_all_domains_together() -> None:
    """On a smarthost the domains share a transaction."""
    (group,) = routing().split(message(), [delivery(1, "a@x.test"), delivery(2, "b@y.test")])
    assert len(group) == 2


@pytest.mark.parametrize(
    ("target", "route"),
    [
        ("x@a1.le.example", "other"),
        ("x@B.A1.LE.example", "other"),
        ("x@le.example", "main"),
        ("x@ble.example", "main"),
    ],
)
def test_a_rule_may_be_for_all_domains_below_one(target: str, route: str) -> None:
    """Log copies of all reps, each at a domain of its own, take one way: *. stands for whatever is below."""
    assert routing(choice("other", recipient_domain="*.Le.example")).route(message(), target) == route
