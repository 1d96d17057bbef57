"""`relay queue`: what waits is listed, and moved by hand."""

import os
import re
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import UnixStreamServer
from typing import ClassVar

import pytest

from tests.cli.conftest import Desk, unsent_with_copy
from tests.support.builders import LOG_COPY_ADDRESS
from tests.support.command import Ran, relay
from tests.support.settings import written

CORE = {"id", "message", "role", "transport", "target", "state", "attempts", "next_attempt", "reason", "rule"}


def _queue(desk: Desk, *arguments: str) -> Ran:
    return relay("queue", *arguments, "-c", desk.config)


def _targets(ran: Ran) -> list[str]:
    return [item["target"] for item in ran.items]


def test_what_waits_is_listed(desk: Desk) -> None:
    """What is final is not, and the log copy's address is masked."""
    ran = _queue(desk, "list", "--json")
    assert ran.code == 0
    assert ran.json["schema"] == "relay.queue.list/1"
    assert _targets(ran) == ["lee@customer.example", "emailtosalesforce@a1…om", "max@partner.example"]
    deferred = ran.items[0]
    assert set(deferred) >= CORE
    assert deferred["state"] == "deferred"
    assert deferred["message"] == desk.offer
    assert deferred["attempts"] == 1
    assert deferred["reason"] == "451 4.7.1 Greylisted, try later"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", deferred["next_attempt"])


@pytest.mark.parametrize(
    ("arguments", "targets"),
    [
        (["--from", "*@example.com", "--to", "*@partner.example"], ["max@partner.example"]),
        (["--state", "deferred"], ["lee@customer.example"]),
        (["--reason", "greylisted"], ["lee@customer.example"]),
        (["--older", "1h", "--from", "bo@*"], ["max@partner.example"]),
        (["--state", "sent", "--state", "bounced"], ["kim@customer.example"]),
        (["--all", "--to", "kim@*"], ["kim@customer.example"]),
        (["--to", "nobody@*"], []),
        (["-n", "1"], ["lee@customer.example"]),
    ],
)
def test_selectors_narrow_the_list(desk: Desk, arguments: list[str], targets: list[str]) -> None:
    """Each selector, and several together."""
    ran = _queue(desk, "list", "--json", *arguments)
    assert ran.code == 0
    assert _targets(ran) == targets


def test_the_table_is_for_people_and_harmless(desk: Desk) -> None:
    """It names what matters; the full log copy address is nowhere."""
    ran = _queue(desk, "list")
    assert ran.code == 0
    assert "REASON" in ran.out
    assert desk.offer in ran.out
    assert "\x1b" not in ran.out
    assert LOG_COPY_ADDRESS not in ran.out


def test_a_cut_list_says_so(desk: Desk) -> None:
    """On standard error, so that scripts are not disturbed."""
    assert "1 of 3 shown" in _queue(desk, "list", "-n", "1").err


def test_ids_are_queue_ids_or_numbers(desk: Desk) -> None:
    """In any case of letters; what is unknown exits with 1."""
    number = str(_queue(desk, "list", "--json", "--state", "deferred").items[0]["id"])
    assert _targets(_queue(desk, "list", "--json", number)) == ["lee@customer.example"]
    assert _targets(_queue(desk, "list", "--json", desk.hello.lower())) == ["max@partner.example"]
    ran = _queue(desk, "list", "999999")
    assert (ran.code, ran.err) == (1, "relay: no such delivery or message: 999999\n")
    assert _queue(desk, "list", "not-an-id").code == 1


def test_deferred_deliveries_are_made_due(desk: Desk) -> None:
    """By message, with an event, and shown as they are then."""
    ran = _queue(desk, "retry", desk.offer, "--json", "--because", "the customer called")
    assert ran.code == 0
    assert ran.json["schema"] == "relay.queue.retry/1"
    assert ran.err.endswith("state: nothing moves until `relay serve` runs\n")
    assert [item["state"] for item in ran.items] == ["queued"]
    assert desk.states(desk.offer) == ["sent", "queued", "queued"]
    assert desk.events(desk.offer)[-1] == "delivery.changed"
    told = relay("log", "--event", "delivery.changed", "--json", "-c", desk.config).items[-1]
    assert told["verb"] == "retried"
    assert told["targets"] == ["lee@customer.example"]
    assert told["reason"] == "the customer called"


def test_hold_and_release(desk: Desk) -> None:
    """What is held waits for release; a second release finds nothing to do."""
    ran = _queue(desk, "hold", "--all")
    assert (ran.code, ran.err) == (0, "3 deliveries held\n")
    assert desk.states(desk.hello) == ["held"]
    assert desk.states(desk.offer) == ["sent", "held", "held"]
    assert _queue(desk, "retry", desk.hello).code == 1
    ran = _queue(desk, "release", "--to", "max@*")
    assert ran.code == 0
    assert "1 delivery released" in ran.err
    assert desk.states(desk.hello) == ["queued"]
    ran = _queue(desk, "release", desk.hello)
    assert ran.code == 1
    assert "none of them is in a state that allows it" in ran.err


def test_cancel_closes_the_message(desk: Desk) -> None:
    """When nothing is left to do the message has its closing event."""
    assert _queue(desk, "cancel", desk.hello).code == 0
    assert desk.states(desk.hello) == ["cancelled"]
    assert desk.events(desk.hello)[-2:] == ["delivery.changed", "message.closed"]
    assert _queue(desk, "cancel", "--state", "deferred").code == 0
    assert desk.events(desk.offer)[-1] == "delivery.changed"


def test_cancelling_all_recipients_leaves_nothing_to_log(desk: Desk) -> None:
    """When nobody received the mail, its log copy is skipped with that reason, and the message is closed."""
    message = desk.ask(lambda database: database.write(unsent_with_copy))
    assert _queue(desk, "cancel", "--to", "zoe@*").code == 0
    assert desk.states(message) == ["cancelled", "skipped"]
    assert desk.events(message)[-3:] == ["delivery.changed", "delivery.skipped", "message.closed"]


def test_a_masked_log_copy_stays_masked_in_the_mail_log(desk: Desk) -> None:
    """Changing it by hand does not write it down."""
    assert _queue(desk, "cancel", desk.offer).code == 0
    ran = relay("log", "--json", "-c", desk.config)
    assert "emailtosalesforce@a1…om" in ran.out
    assert LOG_COPY_ADDRESS not in ran.out


@pytest.mark.parametrize("verb", ["retry", "hold", "release", "cancel"])
def test_a_verb_without_a_choice_is_wrong_usage(desk: Desk, verb: str) -> None:
    """Nobody cancels everything by leaving something out."""
    ran = _queue(desk, verb)
    assert ran.code == 2
    assert "--all" in ran.err
    assert desk.states(desk.hello) == ["queued"]


@pytest.mark.parametrize("option", ["--to", "--domain", "--user", "--reason"])
def test_an_empty_selector_never_means_everything(desk: Desk, option: str) -> None:
    """A variable of the shell that is not set selects nothing, or is refused."""
    ran = _queue(desk, "cancel", option, "")
    assert ran.code == (2 if option == "--reason" else 0)
    assert desk.states(desk.hello) == ["queued"]


def test_an_unknown_id_changes_nothing(desk: Desk) -> None:
    """Exit code 1 and the id in the text."""
    ran = _queue(desk, "hold", "0000000000000")
    assert (ran.code, ran.err) == (1, "relay: no such delivery or message: 0000000000000\n")


def test_a_message_is_shown_whole(desk: Desk) -> None:
    """By queue id or by the number of one of its deliveries."""
    number = str(_queue(desk, "list", "--json", "--state", "deferred").items[0]["id"])
    for name in (desk.offer, number):
        ran = _queue(desk, "show", name, "--json")
        assert ran.json["schema"] == "relay.queue.show/1"
        assert [item["id"] for item in ran.items] == [desk.offer]
    assert "451 4.7.1 Greylisted" in _queue(desk, "show", desk.offer).out


def test_without_a_store_commands_say_what_to_do(tmp_path: Path) -> None:
    """Exit code 75: the service has not run yet, and no command makes a store."""
    ran = relay("queue", "list", "-c", written(tmp_path))
    assert ran.code == 75
    assert "`relay serve` makes it" in ran.err
    assert not (tmp_path / "state").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_the_queue_of_another_user_is_left_alone(desk: Desk) -> None:
    """Root, too, would leave files behind that lock the service out: exit code 77 with what to do."""
    os.chown(desk.config.parent / "state", 12345, 12345)
    ran = _queue(desk, "list")
    assert ran.code == 77
    assert "belongs to #12345" in ran.err


def test_a_damaged_span_is_wrong_usage(desk: Desk) -> None:
    """--older takes a span or a time."""
    assert _queue(desk, "list", "--older", "yesterday").code == 2


class _Woken(BaseHTTPRequestHandler):
    """Stands for the admin socket of a running service: remembers what it was asked."""

    asked: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def address_string(self) -> str:
        return "a command"

    def log_message(self, *_: object) -> None:
        return


def test_a_running_service_is_woken(desk: Desk) -> None:
    """Once for a change, and not when nothing was changed."""
    _Woken.asked.clear()
    with UnixStreamServer(str(desk.config.parent / "state" / "admin.sock"), _Woken) as service:
        serving = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        try:
            retried = _queue(desk, "retry", desk.offer)
            assert (retried.code, retried.err) == (0, "1 delivery retried\n")
            assert _queue(desk, "retry", desk.offer).code == 1
        finally:
            service.shutdown()
            serving.join()
    assert _Woken.asked == ["/wake"]
