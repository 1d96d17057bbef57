"""Every stage meets every trouble: the outcome is right, content is not sent, and the connection is not used again."""

import asyncio
from collections.abc import Callable

import pytest

from relay.delivery.courier import SmtpCourier
from relay.outcome import Bounced, Deferred, Outcome, Sent
from tests.support.clock import FakeClock
from tests.support.hop import Act, Answer, Raw, SayAndDrop, ScriptedHop
from tests.support.outgoing import CONTENT, Inline, Streamed, batch, route, send

MakeCourier = Callable[..., SmtpCourier]
STAGES = ("greeting", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", ".")
SHORT = {"connect": 0.2, "command": 0.2, "data": 0.2, "block": 0.2, "end": 0.2}
EXTENSIONS = {"pipelined": ("PIPELINING", "AUTH PLAIN"), "one by one": ("AUTH PLAIN",)}


async def trouble(courier: MakeCourier, hop: ScriptedHop, **options: object) -> Outcome:
    """Send one message that meets trouble; check that the courier gets over it."""
    clock = FakeClock()
    sender = courier(route(hop.port, sign_in=True, **options), clock=clock)  # type: ignore[arg-type]
    (outcome,) = await send(sender, batch())
    broken = len(hop.sessions)
    await hop.until(lambda: not any(session.open for session in hop.sessions))
    for key in STAGES:
        hop.script.pop(key, None)
    hop.script.update({**ScriptedHop().script})
    clock.advance(60)
    assert isinstance((await send(sender, batch()))[0], Sent)
    assert len(hop.sessions) == broken + 1
    return outcome


def text(outcome: Outcome) -> str:
    """Give what the outcome says."""
    assert isinstance(outcome, Deferred | Bounced)
    return str(outcome.reply)


@pytest.mark.parametrize("style", EXTENSIONS)
@pytest.mark.parametrize("stage", STAGES)
async def test_dropped(courier: MakeCourier, stage: str, style: str) -> None:
    """A connection that is closed without an answer means: not now (RFC 5321 §3.8)."""
    async with ScriptedHop({stage: Act.DROP}, extensions=EXTENSIONS[style]) as hop:
        outcome = await trouble(courier, hop)
        assert isinstance(outcome, Deferred)
        assert "451 4.4.2" in text(outcome)
        assert ("may arrive twice" in text(outcome)) is (stage == ".")


@pytest.mark.parametrize("style", EXTENSIONS)
@pytest.mark.parametrize("stage", STAGES)
async def test_silent(courier: MakeCourier, stage: str, style: str) -> None:
    """A hop that says nothing is given up after the stage's time (RFC 5321 §4.5.3.2)."""
    async with ScriptedHop({stage: Act.STALL}, extensions=EXTENSIONS[style]) as hop:
        outcome = await trouble(courier, hop, timeouts=SHORT)
        assert isinstance(outcome, Deferred)
        assert "did not answer in time" in text(outcome)


@pytest.mark.parametrize("style", EXTENSIONS)
@pytest.mark.parametrize("stage", STAGES)
async def test_closing(courier: MakeCourier, stage: str, style: str) -> None:
    """421 at any step defers with the hop's words, and the connection is over (RFC 5321 §3.8, S17)."""
    async with ScriptedHop(
        {stage: SayAndDrop("421 4.3.2 shutting down")}, extensions=EXTENSIONS[style]
    ) as hop:
        outcome = await trouble(courier, hop)
        assert isinstance(outcome, Deferred)
        assert "shutting down" in text(outcome)


@pytest.mark.parametrize("style", EXTENSIONS)
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(
    "octets",
    [
        b"what?\r\n",
        b"999 no such class\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\r\n",
        b"250-never\r\n" * 5000,
        b"2" * 300_000,
    ],
    ids=["words", "code", "tls", "endless", "long line"],
)
async def test_rubbish(courier: MakeCourier, stage: str, style: str, octets: bytes) -> None:
    """What is no SMTP reply defers, bounded, and ends the connection (S17)."""
    async with ScriptedHop({stage: Raw(octets)}, extensions=EXTENSIONS[style]) as hop:
        outcome = await trouble(courier, hop)
        assert isinstance(outcome, Deferred)
        assert len(text(outcome)) < 2000


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("style", EXTENSIONS)
async def test_refused_for_now(courier: MakeCourier, stage: str, style: str) -> None:
    """4yz at any stage is deferred, in the hop's words."""
    async with ScriptedHop({stage: "450 4.7.1 come back later"}, extensions=EXTENSIONS[style]) as hop:
        (outcome,) = await send(courier(route(hop.port, sign_in=True)), batch())
        assert isinstance(outcome, Deferred)
        assert "4.7.1 come back later" in text(outcome)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("style", EXTENSIONS)
async def test_refused_for_good(courier: MakeCourier, stage: str, style: str) -> None:
    """5yz about the message bounces; about us it is deferred, since no message is to blame."""
    script: dict[str, Answer] = {stage: "554 5.7.1 go away"}
    if stage == "EHLO":
        script["HELO"] = "554 5.7.1 go away"
    async with ScriptedHop(script, extensions=EXTENSIONS[style]) as hop:
        (outcome,) = await send(courier(route(hop.port, sign_in=True)), batch())
        about_us = stage in ("greeting", "EHLO", "AUTH")
        assert isinstance(outcome, Deferred if about_us else Bounced)
        assert "go away" in text(outcome)


@pytest.mark.parametrize("style", EXTENSIONS)
@pytest.mark.parametrize("answer", ["250 2.0.0 taken", "220 hm"])
async def test_an_acceptance_of_what_was_not_sent(courier: MakeCourier, answer: str, style: str) -> None:
    """2yz instead of 354 is no acceptance: the content was not even sent (S17)."""
    async with ScriptedHop({"DATA": answer}, extensions=EXTENSIONS[style]) as hop:
        outcome = await trouble(courier, hop)
        assert isinstance(outcome, Deferred)
        assert "does not keep to SMTP" in text(outcome)


@pytest.mark.parametrize("style", EXTENSIONS)
async def test_an_answer_before_the_final_dot(courier: MakeCourier, style: str) -> None:
    """250 that comes with the 354 cannot be about the content: deferred, never sent (S17)."""
    async with ScriptedHop(
        {"DATA": Raw(b"354 go\r\n250 2.0.0 taken\r\n")}, extensions=EXTENSIONS[style]
    ) as hop:
        outcome = await trouble(courier, hop)
        assert isinstance(outcome, Deferred)
        assert "before it was due" in text(outcome)


async def test_half_an_answer_before_the_final_dot(courier: MakeCourier) -> None:
    """The same holds for an answer of which only the beginning came early."""
    async with ScriptedHop(
        {"DATA": Raw(b"354 go\r\n250 2.0.0 ta")}, extensions=("PIPELINING", "AUTH PLAIN")
    ) as hop:
        outcome = await trouble(courier, hop)
        assert "began before it was due" in text(outcome)


async def test_an_answer_too_many(courier: MakeCourier) -> None:
    """A surplus answer makes all later ones doubtful: the connection is closed, the message stays sent."""
    async with ScriptedHop({".": [Raw(b"250 2.0.0 taken\r\n250 2.0.0 and again\r\n"), "250 ok"]}) as hop:
        sender = courier(route(hop.port))
        assert isinstance((await send(sender, batch()))[0], Sent)
        await hop.until(lambda: not hop.sessions[0].open)
        assert isinstance((await send(sender, batch()))[0], Sent)
        assert len(hop.sessions) == 2


async def test_partly_answered_recipients_keep_their_answers(courier: MakeCourier) -> None:
    """Dropped after some recipients were refused: those bounce, the others are deferred."""
    script: dict[str, Answer] = {"RCPT b@x.test": "550 5.1.1 unknown", "RCPT d@x.test": Act.DROP}
    async with ScriptedHop(script) as hop:
        outcomes = await send(courier(route(hop.port)), batch(["b@x.test", "c@x.test", "d@x.test"]))
        assert [type(outcome) for outcome in outcomes] == [Bounced, Deferred, Deferred]


async def test_a_refused_reset_ends_the_connection(courier: MakeCourier) -> None:
    """5yz to RSET: the hop cannot be trusted to have forgotten; another connection is used (S17)."""
    script: dict[str, Answer | list[Answer]] = {"RCPT": ["550 no", "250 ok"], "DATA": ["503 no", "354 go"]}
    async with ScriptedHop({**script, "RSET": "500 5.5.1 no"}) as hop:
        sender = courier(route(hop.port))
        assert isinstance((await send(sender, batch()))[0], Bounced)
        assert isinstance((await send(sender, batch()))[0], Sent)
        assert [len(session.messages) for session in hop.sessions] == [0, 1]


# While the content is on its way

BIG = [b"x" * 998 + b"\r\n"] * 100


async def test_dropped_during_the_content(courier: MakeCourier) -> None:
    """A connection lost while the content is sent: deferred, and nothing can have arrived."""
    async with ScriptedHop() as hop:
        reader = Streamed(BIG, lambda number: hop.drop_all() if number == 50 else None)
        (outcome,) = await send(courier(route(hop.port)), batch(content=reader))
        assert isinstance(outcome, Deferred)
        assert "may arrive twice" not in text(outcome)
        assert hop.messages == []
        assert reader.closed


async def test_the_content_cannot_be_read(courier: MakeCourier, caplog: pytest.LogCaptureFixture) -> None:
    """A spool file that fails in the middle: the connection is closed, so that no half message arrives."""

    def fail(number: int) -> None:
        if number == 50:
            raise OSError("disk on fire")

    async with ScriptedHop() as hop:
        (outcome,) = await send(courier(route(hop.port)), batch(content=Streamed(BIG, fail)))
        assert "4.3.0" in text(outcome)
        await hop.until(lambda: not hop.sessions[0].open)
        assert hop.messages == []
        assert "disk on fire" in caplog.text


@pytest.mark.parametrize(
    ("answer", "meaning"), [("552 5.3.4 too big", Bounced), ("452 4.3.1 full", Deferred)]
)
async def test_a_refusal_during_the_content(courier: MakeCourier, answer: str, meaning: type) -> None:
    """A hop that refuses while it is still being sent to is believed, and sent nothing further."""
    async with ScriptedHop({"DATA": Raw(b"354 go\r\n")}) as hop:

        def refuse(number: int) -> None:
            if number == 10:
                hop.say_to_all(answer.encode() + b"\r\n")

        endless = [b"x" * 998 + b"\r\n"] * 100_000
        reader = Streamed(endless, refuse)
        (outcome,) = await send(courier(route(hop.port)), batch(content=reader))
        assert isinstance(outcome, meaning)
        assert reader.read < len(endless)
        assert hop.messages == []


async def test_an_acceptance_during_the_content(courier: MakeCourier) -> None:
    """250 while the content is on its way is no acceptance."""
    async with ScriptedHop() as hop:
        reader = Streamed(
            [b"x" * 998 + b"\r\n"] * 100_000, lambda n: hop.say_to_all(b"250 ok\r\n") if n == 10 else None
        )
        (outcome,) = await send(courier(route(hop.port)), batch(content=reader))
        assert isinstance(outcome, Deferred)
        assert "before it was due" in text(outcome)


async def test_a_hop_that_does_not_take_the_content(courier: MakeCourier) -> None:
    """Content that stands still is given up after timeouts.block, and little of it was ever read."""
    async with ScriptedHop() as hop:
        hop.gate.clear()
        reader = Streamed([b"x" * 65_534 + b"\r\n"] * 1000)
        (outcome,) = await send(courier(route(hop.port, timeouts={"block": 0.3})), batch(content=reader))
        assert "did not answer in time" in text(outcome)
        assert reader.read < 500


async def test_only_a_bounded_part_of_large_content_is_held(courier: MakeCourier) -> None:
    """While the hop does not read, no more is read from the spool than fits in the buffers; then all arrives."""
    chunk = b"x" * 65_534 + b"\r\n"
    async with ScriptedHop() as hop:
        hop.gate.clear()
        stuck: list[int] = []
        reader = Streamed([chunk] * 400, lambda number: stuck.append(number))
        sending = asyncio.ensure_future(send(courier(route(hop.port)), batch(content=reader)))
        await settled(lambda: reader.read)
        # The kernel's socket buffers on both sides take a few MiB; the relay itself holds two chunks at most.
        assert reader.read < 250
        hop.gate.set()
        assert isinstance((await sending)[0], Sent)
        assert len(hop.messages[0].content) == 400 * len(chunk)


async def settled(value: Callable[[], int]) -> None:
    """Wait until a number has stood still over many turns of the loop."""
    async with asyncio.timeout(30):
        last, same = -1, 0
        while same < 200:
            same = same + 1 if value() == last and last > 0 else 0
            last = value()
            await asyncio.sleep(0.001)


# Getting no connection


async def test_nobody_listens(courier: MakeCourier) -> None:
    """A refused connection is deferred, and says where."""
    async with ScriptedHop() as hop:
        port = hop.port
    (outcome,) = await send(courier(route(port)), batch())
    assert isinstance(outcome, Deferred)
    assert "451 4.4.1" in text(outcome)
    assert f"127.0.0.1:{port}" in text(outcome)


async def test_no_such_host(courier: MakeCourier) -> None:
    """A name that does not resolve is deferred: it is the site's settings, or DNS."""
    (outcome,) = await send(courier(route(25, host="no-such-host.invalid")), batch())
    assert isinstance(outcome, Deferred)
    assert "451 4.4.3" in text(outcome)


async def test_content_is_kept_inline_only(courier: MakeCourier) -> None:
    """Content in memory goes out in one piece, whatever its size."""
    async with ScriptedHop() as hop:
        body = CONTENT * 2000
        assert isinstance((await send(courier(route(hop.port)), batch(content=Inline(body))))[0], Sent)
        assert hop.messages[0].content == body


async def test_a_hop_that_drips_gets_no_more_time(courier: MakeCourier) -> None:
    """An answer that comes octet by octet must be whole within the stage's time (S17)."""
    async with ScriptedHop({"MAIL": Raw(b"2")}) as hop:
        sender = courier(route(hop.port, timeouts={"command": 0.5}))
        attempt = asyncio.ensure_future(send(sender, batch()))
        while not attempt.done():
            hop.say_to_all(b"5")
            await asyncio.wait([attempt], timeout=0.1)
        (outcome,) = attempt.result()
        assert isinstance(outcome, Deferred)
        assert outcome.reply.status in ("4.4.2", "4.5.0")
        assert len(hop.sessions[0].received) < 1000
