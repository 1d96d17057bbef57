"""The courier answers for every delivery, whatever the settings or the hop are like."""

import asyncio
import inspect
import ssl
from collections.abc import Callable

import aiosmtplib
import aiosmtplib.errors
import pytest

from relay.config.model import BccSettings, UpstreamSettings
from relay.delivery.client import happening_of
from relay.delivery.courier import SmtpCourier
from relay.delivery.happening import Answered, Kind, Stage, Trouble
from relay.delivery_kind import Role, Transport
from relay.outcome import Bounced, Deferred, Sent
from relay.queue.courier import Courier
from tests.support.hop import ScriptedHop
from tests.support.outgoing import COPY, Inline, batch, delivery, message, route, send

MakeCourier = Callable[..., SmtpCourier]


def test_the_courier_is_what_the_queue_wants(courier: MakeCourier) -> None:
    """SmtpCourier satisfies the queue's protocol."""
    wanted: Courier = courier(route(25))
    assert wanted.transport is Transport.SMTP


async def test_batches_are_attempted_side_by_side(courier: MakeCourier) -> None:
    """Several batches go out at once, by their own routes, and each delivery has its outcome."""
    async with ScriptedHop() as main, ScriptedHop({"RCPT": "550 5.1.1 unknown"}) as second:
        settings = UpstreamSettings.model_validate(
            {
                "default": "main",
                "routes": {"main": route(main.port), "second": route(second.port)},
                "select": [{"recipient_domain": "y.test", "route": "second"}],
            }
        )
        sender = courier(route(main.port))
        sender.use(settings, BccSettings())
        asked = message(["b@x.test", "c@y.test"])
        deliveries = [delivery(1, "b@x.test"), delivery(2, "c@y.test"), delivery(3, COPY, Role.LOG_COPY)]
        groups = sender.split(asked, deliveries)
        assert [[d.id for d in group] for group in groups] == [[1, 3], [2]]
        batches = [type(batch())(asked, tuple(group), Inline()) for group in groups]
        assert [type(outcome) for outcome in await send(sender, *batches)] == [Sent, Sent, Bounced]
        assert all(COPY not in rcpt for found in second.messages for rcpt in found.rcpts)


async def test_a_route_that_is_gone_defers_loudly(
    courier: MakeCourier, caplog: pytest.LogCaptureFixture
) -> None:
    """Mail for a route that the settings do not have any more waits, and an error says so."""
    sender = courier()
    outcomes = await send(sender, batch(copy=COPY))
    assert all(isinstance(outcome, Deferred) and outcome.reply.status == "4.3.5" for outcome in outcomes)
    assert "there is no route main" in caplog.text
    assert caplog.records[-1].levelname == "ERROR"


async def test_new_settings_are_used_for_the_next_message(courier: MakeCourier) -> None:
    """After a reload mail goes by the new route, and the old hop is taken leave of."""
    async with ScriptedHop() as old, ScriptedHop() as new:
        sender = courier(route(old.port))
        assert isinstance((await send(sender, batch()))[0], Sent)
        sender.use(UpstreamSettings(default="main", routes={"main": route(new.port)}), BccSettings())
        assert isinstance((await send(sender, batch()))[0], Sent)
        assert (len(old.messages), len(new.messages)) == (1, 1)
        await old.until(lambda: old.sessions[0].commands[-1] == "QUIT")


async def test_new_settings_disturb_nothing_on_its_way(courier: MakeCourier) -> None:
    """Mail that is being sent when the settings change arrives once, and its connection is ended after it."""
    async with ScriptedHop() as old, ScriptedHop() as new:
        old.gate.clear()
        sender = courier(route(old.port, connections=1))
        attempts = [asyncio.ensure_future(send(sender, batch(first_id=number))) for number in range(3)]
        await old.until(lambda: bool(old.sessions and "DATA" in old.sessions[0].commands))
        sender.use(UpstreamSettings(default="main", routes={"main": route(new.port)}), BccSettings())
        old.gate.set()
        for attempt in attempts:
            assert isinstance((await attempt)[0], Sent)
        assert (len(old.messages), len(new.messages)) == (3, 0)
        await old.until(lambda: old.sessions[0].commands[-1] == "QUIT")


async def test_new_settings_part_what_was_split_by_the_old_ones(courier: MakeCourier) -> None:
    """A reload between the split and the attempt: nobody's mail goes by the way of another recipient."""
    async with ScriptedHop() as main, ScriptedHop() as second:
        sender = courier(route(main.port))
        together = batch(["b@x.test", "c@y.test"], copy=COPY)
        assert len(sender.split(together.message, together.deliveries)) == 1
        settings = UpstreamSettings.model_validate(
            {
                "default": "main",
                "routes": {"main": route(main.port), "second": route(second.port)},
                "select": [{"recipient_domain": "y.test", "route": "second"}],
            }
        )
        sender.use(settings, BccSettings())
        assert all(isinstance(outcome, Sent) for outcome in await send(sender, together))
        assert [rcpt for found in second.messages for rcpt in found.rcpts] == ["RCPT TO:<c@y.test>"]
        assert [len(found.rcpts) for found in main.messages] == [2]


async def test_our_own_faults_are_temporary_and_loud(
    courier: MakeCourier, caplog: pytest.LogCaptureFixture
) -> None:
    """Something unexpected in the relay itself: deferred 4.0.0, logged once with its traceback."""

    class Broken(Inline):
        def inline(self) -> bytes | None:
            raise RuntimeError("a fault of ours")

    async with ScriptedHop() as hop:
        sender = courier(route(hop.port, timeouts={"data": 0.5}))
        (outcome,) = await send(sender, batch(content=Broken()))
        assert isinstance(outcome, Deferred)
        assert sum("a fault of ours" in str(record.exc_text) for record in caplog.records) == 1
        assert isinstance((await send(sender, batch()))[0], Sent)


async def test_an_unexpected_fault_in_a_batch_is_its_own(
    courier: MakeCourier, caplog: pytest.LogCaptureFixture
) -> None:
    """A batch that cannot even be begun is deferred; the batch beside it is sent."""
    async with ScriptedHop() as hop:
        broken = batch(first_id=5)
        broken = type(broken)(broken.message, broken.deliveries, None)  # type: ignore[arg-type]
        outcomes = await send(courier(route(hop.port, timeouts={"data": 0.5})), broken, batch())
        assert isinstance(outcomes[0], Deferred)
        assert isinstance(outcomes[1], Sent)


async def test_the_log_copy_shows_nowhere(courier: MakeCourier, caplog: pytest.LogCaptureFixture) -> None:
    """A hop that quotes the log copy's address in every answer: it is in no outcome and in no log (S15)."""
    quoting = f"<{COPY}> {COPY.upper()}"
    for script in (
        {".": f"250 2.0.0 {quoting}"},
        {".": f"451 4.3.0 {quoting}"},
        {"RCPT": f"550 5.1.1 {quoting}"},
        {"RCPT": f"421 4.3.2 {quoting}"},
        {"DATA": f"554 5.6.0 {quoting}"},
        {"DATA": f"250 hm {quoting}"},
        {"DATA": f"rubbish {quoting}"},
        {"MAIL": f"421 4.3.2 {quoting}"},
    ):
        async with ScriptedHop(script) as hop:
            sender = courier(route(hop.port))
            outcomes = await send(sender, batch(copy=COPY))
            for shown in (repr(outcomes), caplog.text, repr(sender.state())):
                assert "k8ab12cd34" not in shown.lower()


# aiosmtplib's exceptions


def errors() -> list[Exception]:
    """Make one of each exception that aiosmtplib knows."""
    classes = [
        value
        for _, value in inspect.getmembers(aiosmtplib.errors, inspect.isclass)
        if issubclass(value, aiosmtplib.SMTPException)
    ]
    assert len(classes) >= 14
    made: list[Exception] = []
    for cls in classes:
        parameters = list(inspect.signature(cls).parameters)
        values = {
            "code": 550,
            "message": "no",
            "sender": "a@x.test",
            "recipient": "b@x.test",
            "recipients": [],
        }
        made.append(cls(*(values[name] for name in parameters)))
    return made


@pytest.mark.parametrize("exc", errors(), ids=lambda exc: type(exc).__name__)
@pytest.mark.parametrize("stage", [Stage.CONNECT, Stage.GREETING, Stage.EHLO, Stage.TLS, Stage.AUTH])
def test_every_exception_of_the_library_is_known(exc: Exception, stage: Stage) -> None:
    """Each exception class of aiosmtplib becomes a value of ours; a new one fails here until it is looked at."""
    happening = happening_of(exc, stage)
    if isinstance(exc, aiosmtplib.SMTPResponseException):
        assert isinstance(happening, Answered)
        assert happening.reply.code == 550
    else:
        assert isinstance(happening, Trouble)
        assert happening.kind is not Kind.UNKNOWN


@pytest.mark.parametrize(
    ("exc", "kind"),
    [
        (aiosmtplib.SMTPResponseException(-1, "Malformed"), Kind.PROTOCOL),
        (aiosmtplib.SMTPResponseException(999, "out of range"), Kind.PROTOCOL),
        (aiosmtplib.SMTPReadTimeoutError("slow"), Kind.TIMED_OUT),
        (aiosmtplib.SMTPServerDisconnected("gone"), Kind.DROPPED),
        (TimeoutError(), Kind.TIMED_OUT),
        (ConnectionResetError(), Kind.DROPPED),
        (ssl.SSLError(1, "bad"), Kind.TLS),
        (asyncio.IncompleteReadError(b"", 1), Kind.UNKNOWN),
    ],
)
def test_kinds_of_trouble(exc: Exception, kind: Kind) -> None:
    """Exceptions of the library, TLS and sockets are told apart; what nobody expected is unknown, and logged."""
    happening = happening_of(exc, Stage.EHLO)
    assert isinstance(happening, Trouble)
    assert happening.kind is kind
