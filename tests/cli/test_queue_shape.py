"""`relay queue shape` and `relay queue why`: the queue at a glance."""

import pytest

from tests.cli.conftest import Desk
from tests.support.admin_socket import answering
from tests.support.builders import LOG_COPY_ADDRESS
from tests.support.command import Ran, relay

AGES = ["5m", "10m", "20m", "40m", "80m", "160m", "320m", "640m", "1280m", "older"]


def _queue(desk: Desk, *arguments: str) -> Ran:
    return relay("queue", *arguments, "-c", desk.config)


_HOPS = [
    {"route": "main", "host": "smtp.example.com:587", "trouble": "450 \x1b[31mno", "retry_in": 7.5},
    {"route": "other", "host": "fine.example.com:25", "trouble": "", "retry_in": 0.0},
    {"route": "third", "host": "due.example.com:25", "trouble": "451 busy", "retry_in": 0.0},
]
"""What a running service says of its hops, one of them in trouble."""


def test_the_shape_has_a_row_for_each_domain(desk: Desk) -> None:
    """With a column for each age, a total, and no log copy's address."""
    ran = _queue(desk, "shape", "--json")
    assert ran.code == 0
    assert ran.json["schema"] == "relay.queue.shape/1"
    assert [(item["domain"], item["total"]) for item in ran.items] == [
        ("(log copies)", 1),
        ("customer.example", 1),
        ("partner.example", 1),
    ]
    assert list(ran.items[0]["ages"]) == AGES
    assert ran.json["total"]["total"] == 3
    table = _queue(desk, "shape")
    assert table.out.split("\n")[0].split() == ["DOMAIN", "T", *AGES]
    assert table.out.split("\n")[1].split()[:2] == ["TOTAL", "3"]
    assert LOG_COPY_ADDRESS.partition("@")[2] not in ran.out + table.out


@pytest.mark.parametrize(
    ("by", "rows"),
    [
        ("route", [("main", 3)]),
        ("user", [("ana", 2), ("bo", 1)]),
        ("reason", [("(queued)", 2), ("451 4.7.1 Greylisted, try later", 1)]),
    ],
)
def test_rows_may_be_something_else(desk: Desk, by: str, rows: list[tuple[str, int]]) -> None:
    """Routes, reps and reasons."""
    ran = _queue(desk, "shape", "--by", by, "--json")
    assert [(item[by], item["total"]) for item in ran.items] == rows


def test_a_shape_that_is_cut_says_so(desk: Desk) -> None:
    """On standard error."""
    ran = _queue(desk, "shape", "-n", "1")
    assert "2 more rows" in ran.err
    assert "TOTAL" in ran.out


def test_the_shape_of_some_of_the_queue(desk: Desk) -> None:
    """Selectors narrow it; ids are wrong usage."""
    assert _queue(desk, "shape", "--role", "recipient", "--json").json["total"]["total"] == 2
    assert _queue(desk, "shape", desk.offer).code == 2


def test_why_groups_what_waits(desk: Desk) -> None:
    """Each reason with its count, oldest, next attempt, destinations, and what to do."""
    ran = _queue(desk, "why", "--json")
    assert ran.code == 0
    assert ran.json["schema"] == "relay.queue.why/1"
    due, deferred = ran.items
    assert (due["count"], due["state"], due["kind"]) == (2, "queued", "due")
    assert (deferred["count"], deferred["state"], deferred["kind"]) == (1, "deferred", "greylisting")
    assert deferred["reason"] == "451 4.7.1 Greylisted, try later"
    assert deferred["destinations"] == [{"domain": "customer.example", "count": 1}]
    assert deferred["next_attempt"].endswith("Z")
    assert deferred["oldest"].endswith("Z")
    assert deferred["advice"]
    assert ran.json["hops"] is None


def test_why_is_told_in_plain_words(desk: Desk) -> None:
    """For people, with advice, and no log copy's address."""
    ran = _queue(desk, "why")
    assert "1 deferred" in ran.out
    assert "[greylisting]" in ran.out
    assert "    to customer.example 1" in ran.out
    assert "    -> Nothing: the receiver wants a second try" in ran.out
    assert LOG_COPY_ADDRESS.partition("@")[2] not in ran.out
    assert ran.out.endswith("state: nothing moves until `relay serve` runs\n")
    assert _queue(desk, "why", "--to", "nobody@*").out == "nothing waits\n"


def test_why_names_hops_that_are_left_alone(desk: Desk) -> None:
    """A running service is asked which hops misbehave; their words cannot write on the terminal."""
    with answering(desk.config.parent / "state", {"hops": _HOPS}):
        ran = _queue(desk, "why")
        assert "hop smtp.example.com:587 (route main) is left alone: 450" in ran.out
        assert "tried again in 7.5 s" in ran.out
        assert "hop due.example.com:25 (route third) had trouble: 451 busy; the next mail" in ran.out
        assert "fine.example.com" not in ran.out
        assert "\x1b" not in ran.out
        assert "no service" not in ran.out
        assert [hop["route"] for hop in _queue(desk, "why", "--json").json["hops"]] == ["main", "third"]


@pytest.mark.parametrize(
    ("arguments", "targets"),
    [
        (["--domain", "customer.example"], ["lee@customer.example"]),
        (["--domain", "*.EXAMPLE", "--user", "bo"], ["max@partner.example"]),
        (["--user", "nobody"], []),
        (["--role", "log_copy"], ["emailtosalesforce@a1…om"]),
        (["--role", "recipient", "--state", "sent"], ["kim@customer.example"]),
    ],
)
def test_selectors_by_domain_rep_and_role(desk: Desk, arguments: list[str], targets: list[str]) -> None:
    """They narrow the list as they narrow every verb."""
    assert [item["target"] for item in _queue(desk, "list", "--json", *arguments).items] == targets


def test_a_verb_takes_the_selectors(desk: Desk) -> None:
    """Only one rep's mail is held."""
    assert "2 deliveries held" in _queue(desk, "hold", "--user", "ana").err
    assert desk.states(desk.hello) == ["queued"]
    assert "1 delivery released" in _queue(desk, "release", "--user", "ana", "--role", "log_copy").err
