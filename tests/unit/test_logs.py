"""Program logs: two forms, nothing forged, nothing waited for, nothing shown that the settings keep back."""

import dataclasses
import io
import json
import logging
import threading
import time
from collections.abc import Iterator
from typing import TextIO, cast

import pytest

from relay.config.model import LogsSettings
from relay.ids import QueueId
from relay.logs import LineHandler, current_message, setup
from relay.maillog import events
from relay.maillog.events import (
    DeliveryDeferred,
    DeliverySent,
    Event,
    MessageAccepted,
    MessageClosed,
    SignInFailed,
)

AT = 1_795_338_875_911_000
ID = QueueId("1Q8ZK2V0T7M3C")
ACCEPTED = MessageAccepted(
    at=AT,
    message=ID,
    login="ana",
    sender="ana@example.com",
    recipients=("bob@buyer.example", "eve@buyer.example"),
    message_id="<a1@example.com>",
    subject="Our offer",
    octets=49_152,
    client="192.0.2.1",
    listener="submission",
    tls="TLSv1.3 TLS_AES_256_GCM_SHA384",
    mode="bcc",
    decision="2 recipients, log copy added",
    rule="logging.mode (config.yaml:12)",
)
CLOSED = MessageClosed(at=AT, message=ID, login="ana", sent=2, failed=0, logged="sent", seconds=31.7)
DEFERRED = DeliveryDeferred(
    at=AT,
    message=ID,
    role="recipient",
    targets=("bob@buyer.example",),
    reply="451 4.7.1 <bob@buyer.example>: greylisted",
    hop="mx.buyer.example",
    attempt=1,
    next_attempt_at=AT + 60_000_000,
)


KINDS = [
    kind
    for kind in vars(events).values()
    if isinstance(kind, type) and issubclass(kind, Event) and isinstance(getattr(kind, "name", None), str)
]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _tidy() -> Iterator[None]:
    root, levels = logging.getLogger(), {}
    for name in ("", "relay", "mail.log", "asyncio", "uvicorn"):
        levels[name] = logging.getLogger(name).level
    yield
    for handler in [one for one in root.handlers if isinstance(one, LineHandler)]:
        root.removeHandler(handler)
        handler.close()
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def log_event(event: Event) -> None:
    """Log an event as the mail log does."""
    logging.getLogger("relay.maillog").log(event.level, event.name, extra={"event": event})


def written(settings: LogsSettings, *events: Event, stream: io.StringIO | None = None) -> list[str]:
    """Give the lines that events become."""
    stream = stream or io.StringIO()
    handler = setup(settings, stream, key=b"k" * 32)
    for event in events:
        log_event(event)
    handler.flush()
    return stream.getvalue().splitlines()


def test_an_event_as_json() -> None:
    """An event is one JSON object with ECS's names where ECS has one."""
    (line,) = written(LogsSettings(), ACCEPTED)
    assert json.loads(line) == {
        "@timestamp": "2026-11-22T09:14:35.911Z",
        "log.level": "info",
        "ecs.version": "8.17.0",
        "service.name": "relay",
        "event.dataset": "relay.message",
        "event.action": "message.accepted",
        "email.local_id": ID,
        "email.message_id": "<a1@example.com>",
        "user.name": "ana",
        "client.ip": "192.0.2.1",
        "smtp.from": "ana@example.com",
        "smtp.to": ["bob@buyer.example", "eve@buyer.example"],
        "relay.size": 49_152,
        "relay.listener": "submission",
        "relay.tls": "TLSv1.3 TLS_AES_256_GCM_SHA384",
        "relay.mode": "bcc",
        "relay.decision": "2 recipients, log copy added",
        "rule.name": "logging.mode (config.yaml:12)",
    }


def test_the_closing_line_as_json() -> None:
    """The closing line has counts, and its duration in nanoseconds."""
    (line,) = written(LogsSettings(), CLOSED)
    shown = json.loads(line)
    assert shown["event.duration"] == 31_700_000_000
    assert (shown["relay.delivered"], shown["relay.failed"], shown["relay.logged"]) == (2, 0, "sent")


def test_events_as_text_on_a_terminal() -> None:
    """On a terminal a line is for people, with the whole queue id, and the time in UTC whatever the time zone."""
    lines = written(LogsSettings(), ACCEPTED, DEFERRED, CLOSED, stream=Terminal())
    clock = time.strftime("%H:%M:%S", time.gmtime(AT // 1_000_000))
    later = time.strftime("%H:%M:%S", time.gmtime(AT // 1_000_000 + 60))
    assert lines == [
        f"{clock} accepted  {ID}  ana <ana@example.com> -> bob@buyer.example, eve@buyer.example  48 KiB"
        "  TLSv1.3 TLS_AES_256_GCM_SHA384  2 recipients, log copy added  [logging.mode (config.yaml:12)]",
        f"{clock} deferred  {ID}  bob@buyer.example via mx.buyer.example"
        f"  451 4.7.1 <bob@buyer.example>: greylisted  attempt 1  again at {later}",
        f"{clock} closed    {ID}  ana  delivered 2/2, logged: sent, 31.7 s",
    ]


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("addresses", ["domain", "hash"])
def test_addresses_are_kept_back(form: str, addresses: str) -> None:
    """With domain or hash no local part is shown, also not inside a reply."""
    settings = LogsSettings.model_validate({"format": form, "addresses": addresses})
    text = "\n".join(written(settings, ACCEPTED, DEFERRED))
    assert "bob" not in text
    assert "eve@" not in text
    if addresses == "domain":
        assert "*@buyer.example" in text


def test_hashes_are_the_same_for_the_same_address() -> None:
    """Lines of one address can be told to be of one address, in either case of its letters."""
    settings = LogsSettings.model_validate({"addresses": "hash"})
    first, second = written(settings, ACCEPTED, DEFERRED)
    assert json.loads(first)["smtp.to"][0] == json.loads(second)["smtp.to"][0]


@pytest.mark.parametrize(("subjects", "shown"), [("omit", False), ("full", True)])
@pytest.mark.parametrize("form", ["text", "json"])
def test_subjects_are_shown_only_when_asked_for(form: str, subjects: str, shown: bool) -> None:
    """A subject is personal: it is omitted unless the settings say otherwise."""
    settings = LogsSettings.model_validate({"format": form, "subjects": subjects})
    assert ("Our offer" in "\n".join(written(settings, ACCEPTED))) is shown


@pytest.mark.parametrize("form", ["text", "json"])
def test_nobody_can_write_a_line_of_their_own(form: str) -> None:
    """Line ends, escapes, bidi marks and lone surrogates arrive escaped, in events and in other lines."""
    evil = "x\r\n09:14:03 accepted \x1b[2J\x85\u2028\u202e\udcff\0"
    event = SignInFailed(
        at=AT, login=evil, client="192.0.2.1", listener="s", mechanism="PLAIN", reason="wrong"
    )
    stream = io.StringIO()
    handler = setup(LogsSettings.model_validate({"format": form}), stream)
    log_event(event)
    # Straight to the handler: pytest's own capture cannot carry a lone surrogate from one process to another.
    fault = RuntimeError(evil)
    for text, about in (("heard %s", None), ("odd %s", (RuntimeError, fault, None))):
        handler.handle(logging.LogRecord("relay.x", logging.WARNING, "", 0, text, (evil,), about))
    handler.flush()
    text = stream.getvalue()
    assert all(letter == "\n" or letter.isprintable() for letter in text)
    starts = [line for line in text.split("\n") if line and not line.startswith("    | ")]
    assert len(starts) == 3


def test_lines_carry_the_message_that_is_worked_on() -> None:
    """The queue id rides in a context variable."""
    stream = io.StringIO()
    handler = setup(LogsSettings(), stream)
    token = current_message.set(ID)
    logging.getLogger("relay.delivery").warning("slow hop")
    current_message.reset(token)
    handler.flush()
    assert json.loads(stream.getvalue())["email.local_id"] == ID


def test_levels() -> None:
    """The relay's level is the settings'; libraries may only warn, and aiosmtpd not even that."""
    stream = io.StringIO()
    handler = setup(LogsSettings.model_validate({"level": "debug"}), stream)
    logging.getLogger("relay.x").debug("seen")
    logging.getLogger("mail.log").warning("('192.0.2.1', 1) unrecognised: aHVudGVyMg==")
    logging.getLogger("some.library").info("chatter")
    handler.flush()
    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == ["seen"]


def test_setting_up_again_replaces_the_first() -> None:
    """After a reload every line is written once, in the new form."""
    first, second = io.StringIO(), io.StringIO()
    setup(LogsSettings(), first)
    handler = setup(LogsSettings.model_validate({"format": "text"}), second)
    log_event(CLOSED)
    handler.flush()
    assert first.getvalue() == ""
    assert len(second.getvalue().splitlines()) == 1


class Stuck(io.StringIO):
    """A stream whose reader takes nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.entered = threading.Event()

    def write(self, text: str) -> int:
        self.entered.set()
        self.gate.wait(30)
        return super().write(text)


def test_a_stuck_standard_error_holds_nobody_up() -> None:
    """Lines that cannot be written are dropped and counted, and the count is told when it flows again."""
    stream = Stuck()
    handler = setup(LogsSettings(), cast(TextIO, stream))
    handler._capacity = 5
    log_event(CLOSED)
    assert stream.entered.wait(30)
    for _ in range(20):
        log_event(CLOSED)
    assert handler.dropped == 15
    stream.gate.set()
    handler.flush()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert len(lines) == 1 + 5 + 1
    assert lines[-1]["message"].startswith("15 log lines were dropped")


def test_a_closed_standard_error_is_survived() -> None:
    """Writing to a stream that is gone raises nothing anywhere."""
    stream = io.StringIO()
    handler = setup(LogsSettings(), stream)
    stream.close()
    log_event(CLOSED)
    handler.flush()
    log_event(CLOSED)
    handler.flush()
    assert handler.dropped >= 2


def test_a_wrong_format_is_survived() -> None:
    """A line that cannot be formatted is dropped, the next one is written."""
    stream = io.StringIO()
    handler = setup(LogsSettings(), stream)
    handler.handle(logging.LogRecord("relay.x", logging.WARNING, "", 0, "%d", ("not a number",), None))
    logging.getLogger("relay.x").warning("fine")
    handler.flush()
    assert any(json.loads(line)["message"] == "fine" for line in stream.getvalue().splitlines())


def test_every_event_has_a_line_in_both_forms() -> None:
    """No event of the closed set is lost for want of words."""
    for kind in KINDS:
        event = kind(at=AT, message=ID, **{name: _value(name) for name in _fields(kind)})
        for form in ("text", "json"):
            (line,) = written(LogsSettings.model_validate({"format": form}), event)
            assert ID in line, kind


def _fields(kind: type[Event]) -> list[str]:
    return [field.name for field in dataclasses.fields(kind) if field.name not in ("at", "message")]


def _value(name: str) -> object:
    if name in ("recipients", "targets"):
        return tuple(f"p{n}@d{n}.example" for n in range(5))
    return (
        AT
        if name.endswith("_at")
        else 3
        if name in ("octets", "sent", "failed", "attempt", "seconds")
        else "x"
    )


def test_a_sent_log_copy_says_so() -> None:
    """The log copy is told from a recipient, by its role, with its address as the event has it: masked."""
    event = DeliverySent(
        at=AT,
        message=ID,
        role="log_copy",
        targets=("emailtosalesforce@ab…yz",),
        reply="250 2.0.0 OK",
        hop="smtp.example",
        attempt=1,
    )
    (line,) = written(LogsSettings.model_validate({"format": "text"}), event)
    assert "log copy emailtosalesforce@ab…yz via smtp.example  250 2.0.0 OK" in line
