"""`relay trace` and `relay log`: what became of a message, and what happened."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Desk
from tests.support.builders import LOG_COPY_ADDRESS
from tests.support.command import Ran, relay

TRACE = {"id", "message_id", "rep", "sender", "recipients", "accepted_at", "deliveries", "events"}


def _trace(desk: Desk, *arguments: str) -> Ran:
    return relay("trace", *arguments, "-c", desk.config)


def test_a_story_as_json(desk: Desk) -> None:
    """The fields that are promised, the deliveries and the events."""
    ran = _trace(desk, desk.offer, "--json")
    assert ran.json["schema"] == "relay.trace/1"
    (story,) = ran.items
    assert set(story) >= TRACE
    assert story["rep"] == "ana"
    assert story["recipients"] == ["kim@customer.example", "lee@customer.example"]
    assert [one["state"] for one in story["deliveries"]] == ["sent", "deferred", "queued"]
    assert story["events"][0]["event"] == "message.accepted"
    assert story["events"][0]["at"] == story["accepted_at"]
    assert LOG_COPY_ADDRESS not in ran.out


def test_a_terminal_that_knows_ascii_alone_is_told_all_the_same(desk: Desk) -> None:
    """The mask of a log copy's address is no ASCII; what cannot be written stands escaped."""
    arguments = [sys.executable, "-m", "relay", "trace", desk.offer, "-c", str(desk.config)]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    ran = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=True)
    assert "log_copy" in ran.stdout
    assert r"\u2026" in ran.stdout


@pytest.mark.parametrize("word", ["presentations", "300000000000a"])
def test_a_word_of_as_many_letters_as_a_queue_id_is_looked_for(desk: Desk, word: str) -> None:
    """It is a word of the subject when there is no message of that id; one that nobody wrote is not found."""
    assert _trace(desk, word).err == f"relay: no message is known by {word!r}\n"
    desk.ask(
        lambda database: database.write(lambda tx: tx.execute("UPDATE message SET subject = ?", (word,)))
    )
    assert len(_trace(desk, word, "--json").items) == 2


@pytest.mark.parametrize("when", ["0001-01-01", "9999-12-31T23:59:59-23:00", "999999d"])
def test_a_time_centuries_away_is_a_time_like_any_other(desk: Desk, when: str) -> None:
    """Nothing has happened since, or everything."""
    assert relay("log", "--since", when, "-c", desk.config).code == 0


@pytest.mark.parametrize(
    "query", ["{offer}", "kim@customer.example", "<1@example.com>", "1@example.com", "the offer", "ana"]
)
def test_a_message_is_found_by_what_people_know(desk: Desk, query: str) -> None:
    """Queue id, recipient, Message-ID, subject words, rep."""
    ran = _trace(desk, query.format(offer=desk.offer), "--json")
    assert [item["id"] for item in ran.items] == [desk.offer]


def test_a_story_for_people(desk: Desk) -> None:
    """It says what was decided, by which line, and each delivery's fate; mail cannot colour the terminal."""
    ran = _trace(desk, "The", "offer")
    assert ran.code == 0
    for text in (
        desk.offer,
        "ana",
        "logging.mode (config.yaml:12)",
        "451 4.7.1 Greylisted",
        "250 2.0.0 Ok",
        "accepted",
    ):
        assert text in ran.out
    assert "\x1b" not in ran.out
    assert LOG_COPY_ADDRESS not in ran.out


def test_nothing_found_is_1(desk: Desk) -> None:
    """With the query in the text."""
    ran = _trace(desk, "unknown@nowhere.example")
    assert (ran.code, ran.err) == (1, "relay: no message is known by 'unknown@nowhere.example'\n")


def _log(desk: Desk, *arguments: str) -> list[str]:
    ran = relay("log", "--json", *arguments, "-c", desk.config)
    assert ran.code == 0, ran
    assert ran.json["schema"] == "relay.log/1"
    return [item["event"] for item in ran.items]


def test_the_mail_log_is_filtered(desk: Desk) -> None:
    """By kind, rep, message, address, time and number."""
    everything = ["message.accepted", "message.accepted", "auth.failed"]
    assert sorted(_log(desk)) == sorted(everything)
    assert _log(desk, "--event", "auth.failed") == ["auth.failed"]
    assert _log(desk, "--event", "message.") == ["message.accepted"] * 2
    assert _log(desk, "--user", "eve") == ["auth.failed"]
    assert _log(desk, "--message", desk.hello) == ["message.accepted"]
    assert _log(desk, "--address", "max@partner") == ["message.accepted"]
    assert _log(desk, "--since", "2020-01-01T00:00:00Z", "-n", "2") == everything[1:]
    assert _log(desk, "--since", "2099-01-01") == []


def test_the_mail_log_for_people_and_line_by_line(desk: Desk) -> None:
    """Text names who and what; --jsonl has one object a line."""
    ran = relay("log", "-c", desk.config)
    assert "eve" in ran.out
    assert "\x1b" not in ran.out
    lines = relay("log", "--jsonl", "-c", desk.config).out.splitlines()
    assert [json.loads(line)["event"] for line in lines] == _log(desk)


def test_a_wrong_queue_id_or_time_is_wrong_usage(desk: Desk) -> None:
    """Exit code 2."""
    assert relay("log", "--message", "x", "-c", desk.config).code == 2
    assert relay("log", "--since", "soon", "-c", desk.config).code == 2


def test_the_log_is_followed(desk: Desk) -> None:
    """What happens is shown while it happens, until Ctrl-C."""
    command = [sys.executable, "-m", "relay", "log", "--follow", "--json", "-n", "1", "-c", str(desk.config)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as following:
        assert following.stdout is not None
        assert json.loads(following.stdout.readline())["event"] == "auth.failed"
        assert relay("queue", "hold", desk.hello, "-c", desk.config).code == 0
        assert json.loads(following.stdout.readline())["event"] == "delivery.changed"
        following.send_signal(signal.SIGINT)
        assert following.wait(20) == 0


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("sent", "there is no event 'sent'; there are delivery.sent\n"),
        ("auth", "there is no event 'auth'; there are auth.failed, auth.blocked\n"),
        ("delivery.sen.", "there is no event 'delivery.sen.'; there are message.accepted, "),
    ],
)
def test_an_event_that_there_is_not_is_refused(desk: Desk, name: str, told: str) -> None:
    """Exit 2 with the names that are near, or all: nothing printed would be taken for nothing happened."""
    ran = relay("log", "--event", name, "-c", desk.config)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
