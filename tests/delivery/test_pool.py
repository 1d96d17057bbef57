"""Connections are kept, limited, and given up; a hop in trouble is left alone for a while."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import replace

import pytest

from relay.delivery import pool
from relay.delivery.client import Secrets, open_connection
from relay.delivery.courier import SmtpCourier
from relay.delivery.hop import Hop
from relay.delivery.line import LONG, PATIENCE
from relay.outcome import Deferred, Outcome, Sent
from tests.support.clock import FakeClock
from tests.support.hop import Act, SayAndDrop, ScriptedHop
from tests.support.outgoing import batch, route, send
from tests.support.talk import until

MakeCourier = Callable[..., SmtpCourier]


async def several(sender: SmtpCourier, count: int) -> list[Outcome]:
    """Send this many messages at once."""
    results = await asyncio.gather(*(send(sender, batch(first_id=number)) for number in range(count)))
    return [outcome for (outcome,) in results]


def text(outcome: Outcome) -> str:
    """Give what a deferral says."""
    assert isinstance(outcome, Deferred)
    return str(outcome.reply)


async def test_a_connection_is_used_again(courier: MakeCourier) -> None:
    """One message after the other goes over one connection, without RSET between them."""
    seen: list[tuple[str, str]] = []
    async with ScriptedHop() as hop:
        sender = courier(route(hop.port), observe=lambda *fact: seen.append(fact))
        for _ in range(5):
            assert isinstance((await send(sender, batch()))[0], Sent)
        assert len(hop.sessions) == 1
        assert not any(command.startswith("RSET") for command in hop.sessions[0].commands)
        assert seen == [("main", "opened"), *[("main", "reused")] * 4]


async def test_the_connection_limit_is_kept(courier: MakeCourier) -> None:
    """limits.connections holds whatever waits, and all of it is sent."""
    async with ScriptedHop() as hop:
        sender = courier(route(hop.port, connections=3))
        assert all(isinstance(outcome, Sent) for outcome in await several(sender, 100))
        await hop.until(lambda: len(hop.sessions) >= 3)
        assert len(hop.sessions) == 3
        assert len(hop.messages) == 100


async def test_a_connection_retires(courier: MakeCourier) -> None:
    """After so many messages a connection is ended by QUIT, and another one is made."""
    async with ScriptedHop() as hop:
        sender = courier(route(hop.port, connections=1))
        assert all(isinstance(outcome, Sent) for outcome in await several(sender, 1001))
        assert [len(session.messages) for session in hop.sessions] == [1000, 1]
        await hop.until(lambda: hop.sessions[0].commands[-1] == "QUIT")


async def test_a_stale_connection_is_replaced(courier: MakeCourier) -> None:
    """The hop closed a kept connection: the message goes over a fresh one, and it is no failed attempt."""
    async with ScriptedHop() as hop:
        sender = courier(route(hop.port))
        assert isinstance((await send(sender, batch()))[0], Sent)
        hop.drop_all()
        assert isinstance((await send(sender, batch()))[0], Sent)
        assert len(hop.sessions) == 2


@pytest.mark.parametrize("answer", [Act.DROP, SayAndDrop("421 4.4.2 idle for too long")])
async def test_a_connection_that_is_closed_as_it_is_used_again(
    courier: MakeCourier, answer: Act | SayAndDrop
) -> None:
    """Closed, or 421 for MAIL, on a kept connection: tried once more on a fresh one."""
    async with ScriptedHop({"MAIL": ["250 ok", answer, "250 ok"]}) as hop:
        sender = courier(route(hop.port))
        assert isinstance((await send(sender, batch()))[0], Sent)
        assert isinstance((await send(sender, batch()))[0], Sent)
        assert [len(session.messages) for session in hop.sessions] == [1, 1]


async def test_a_stale_connection_is_replaced_once(courier: MakeCourier) -> None:
    """When the fresh connection fails as well, that is the outcome."""
    async with ScriptedHop({"MAIL": ["250 ok", Act.DROP]}) as hop:
        sender = courier(route(hop.port))
        assert isinstance((await send(sender, batch()))[0], Sent)
        assert "4.4.2" in text((await send(sender, batch()))[0])
        assert len(hop.sessions) == 2


async def test_what_waits_behind_a_lost_connection_goes_by_another(courier: MakeCourier) -> None:
    """A transaction whose commands went with the final dot before it is not lost with that connection."""
    async with ScriptedHop({".": [Act.DROP, "250 2.0.0 taken"]}) as hop:
        sender = courier(route(hop.port, connections=1))
        outcomes = await several(sender, 2)
        assert "may arrive twice" in text(outcomes[0])
        assert isinstance(outcomes[1], Sent)


async def test_the_hop_limits_connections_itself(courier: MakeCourier) -> None:
    """A hop that turns away the third connection is sent everything over the two it allows."""
    async with ScriptedHop({"greeting": ["220 hi", "220 hi", "421 4.7.0 too many connections"]}) as hop:
        sender = courier(route(hop.port, connections=10))
        hop.gate.clear()  # until both are at work: one alone could take all mail before the other is open
        sending = asyncio.create_task(several(sender, 30))
        await hop.until(lambda: sum("DATA" in session.commands for session in hop.sessions) == 2)
        hop.gate.set()
        assert all(isinstance(outcome, Sent) for outcome in await sending)
        assert sum(1 for session in hop.sessions if session.messages) == 2


async def test_a_hop_in_trouble_is_left_alone(courier: MakeCourier) -> None:
    """After a failure attempts fail fast with its reason, until the hop may be tried again; then one probes it."""
    clock = FakeClock()
    async with ScriptedHop({"greeting": "554 5.3.2 not today"}) as hop:
        sender = courier(route(hop.port), clock=clock)
        assert "not today" in text((await send(sender, batch()))[0])
        assert all("not today" in text(outcome) for outcome in await several(sender, 5))
        assert len(hop.sessions) == 1
        clock.advance(5.1)
        await several(sender, 5)
        assert len(hop.sessions) == 2
        clock.advance(5.1)
        await several(sender, 5)
        assert len(hop.sessions) == 2, "the second pause is longer"
        clock.advance(5)
        hop.script["greeting"] = "220 welcome back"
        assert all(isinstance(outcome, Sent) for outcome in await several(sender, 5))
        assert sender.state()[0].trouble == ""


async def test_one_connection_probes(courier: MakeCourier) -> None:
    """While it is not known whether the hop is back, one connection is tried, and the others wait for it."""
    clock = FakeClock()
    async with ScriptedHop({"greeting": ["450 no", Act.DROP, "220 hi"]}) as hop:
        sender = courier(route(hop.port), clock=clock)
        await send(sender, batch())
        clock.advance(60)
        assert all("4.4.2" in text(outcome) for outcome in await several(sender, 20))
        assert len(hop.sessions) == 2
        clock.advance(60)
        assert all(isinstance(outcome, Sent) for outcome in await several(sender, 20))


async def test_an_operator_does_not_wait_for_the_pause(courier: MakeCourier) -> None:
    """`relay queue retry` right after the hop came back sends, whatever is left of the pause."""
    async with ScriptedHop({"greeting": ["450 4.3.2 no", "220 hop"]}) as hop:
        sender = courier(route(hop.port), clock=FakeClock())
        await send(sender, batch())
        for _ in range(2):
            text((await send(sender, batch()))[0])
        assert len(hop.sessions) == 1
        sender.try_now()
        assert isinstance((await send(sender, batch()))[0], Sent)


async def test_pauses_grow_and_end(courier: MakeCourier) -> None:
    """The pause grows from 5 to 30 seconds, never further, and state() tells of it."""
    clock = FakeClock()
    async with ScriptedHop({"greeting": "450 4.3.2 no"}) as hop:
        sender = courier(route(hop.port), clock=clock)
        pauses = []
        for _ in range(6):
            await send(sender, batch())
            (state,) = sender.state()
            assert "450 4.3.2 no" in state.trouble
            assert (state.route, state.host, state.port) == ("main", "127.0.0.1", hop.port)
            assert (state.connections, state.idle, state.waiting) == (0, 0, 0)
            pauses.append(round(state.retry_in))
            clock.advance(state.retry_in)
        assert pauses == [5, 10, 20, 30, 30, 30]


async def test_state_tells_of_connections(courier: MakeCourier) -> None:
    """state() counts connections, and those with nothing to do."""
    async with ScriptedHop() as hop:
        sender = courier(route(hop.port))
        assert sender.state() == []
        await send(sender, batch())
        (state,) = sender.state()
        assert (state.connections, state.idle, state.trouble, state.retry_in) == (1, 1, "", 0.0)


async def test_an_idle_connection_is_closed(courier: MakeCourier) -> None:
    """A connection with nothing to do says QUIT after a while."""
    async with ScriptedHop() as hop:
        sender = courier(route(hop.port))
        sender._hops = {
            name: hop_ and replace(hop_, timeouts=replace(hop_.timeouts, idle=0.1))
            for name, hop_ in sender._hops.items()
        }
        assert isinstance((await send(sender, batch()))[0], Sent)
        await hop.until(lambda: hop.sessions[0].commands[-1] == "QUIT")
        assert sender.state()[0].connections == 0


async def test_closing_says_quit(courier: MakeCourier) -> None:
    """The relay takes leave of its hops, and is done within a moment."""
    async with ScriptedHop() as hop:
        sender = courier(route(hop.port))
        await several(sender, 3)
        await until(lambda: sender.state()[0].idle == 3)  # the first may have taken it all
        await asyncio.wait_for(sender.close(), 5)
        await hop.until(lambda: all(session.commands[-1] == "QUIT" for session in hop.sessions))
        await hop.until(lambda: not any(session.open for session in hop.sessions))


async def test_closing_ends_what_is_on_its_way(courier: MakeCourier) -> None:
    """An attempt that is still under way when the courier closes is deferred, and so is a later one."""
    async with ScriptedHop({"MAIL": Act.STALL}) as hop:
        sender = courier(route(hop.port, connections=1))
        attempts = [asyncio.ensure_future(send(sender, batch(first_id=number))) for number in range(3)]
        await hop.until(lambda: bool(hop.sessions and len(hop.sessions[0].commands) > 1))
        await sender.close()
        for attempt in attempts:
            assert "stopping" in text((await attempt)[0])


# Pace


async def test_messages_in_a_minute(courier: MakeCourier) -> None:
    """Beyond limits.messages_per_minute mail is deferred for as long as it takes, without an attempt being counted."""
    clock = FakeClock()
    async with ScriptedHop() as hop:
        sender = courier(route(hop.port, messages_per_minute=3), clock=clock)
        outcomes = await several(sender, 5)
        assert [type(outcome) for outcome in outcomes] == [Sent] * 3 + [Deferred] * 2
        late = outcomes[3]
        assert isinstance(late, Deferred)
        assert "3 messages a minute" in str(late.reply)
        assert late.reply.status == "4.4.5"
        assert not late.attempted
        assert late.retry_after is not None
        clock.advance(late.retry_after)
        assert isinstance((await send(sender, batch()))[0], Sent)
        assert len(hop.messages) == 4


@pytest.mark.parametrize(("sign_in", "sent"), [(False, 2), (True, 1)])
async def test_whose_pace_it_is(courier: MakeCourier, sign_in: bool, sent: int) -> None:
    """The limits are each sender's; where the relay signs in, they are that mailbox's, whoever sends."""
    async with ScriptedHop(extensions=["PIPELINING", "AUTH PLAIN"]) as hop:
        sender = courier(route(hop.port, messages_per_minute=1, sign_in=sign_in))
        mails = [batch(first_id=n, sender=f"{name}@example.com") for n, name in enumerate(["ana", "bo"])]
        outcomes = await send(sender, *mails)
        assert sum(isinstance(outcome, Sent) for outcome in outcomes) == sent


async def test_recipients_in_a_day(courier: MakeCourier) -> None:
    """Beyond limits.recipients_per_day mail waits until an hour of the day before is over."""
    clock = FakeClock()
    async with ScriptedHop() as hop:
        sender = courier(route(hop.port, recipients_per_day=3), clock=clock)
        assert isinstance((await send(sender, batch(["a@x.test", "b@x.test"])))[0], Sent)
        (late, _) = await send(sender, batch(["c@x.test", "d@x.test"]))
        assert isinstance(late, Deferred)
        assert "3 recipients a day" in str(late.reply)
        assert late.retry_after is not None
        clock.advance(late.retry_after)
        assert isinstance((await send(sender, batch(["c@x.test", "d@x.test"])))[0], Sent)


async def test_a_hop_in_trouble_uses_up_no_pace(courier: MakeCourier) -> None:
    """What fails since the hop is left alone is not counted: it was not sent."""
    clock = FakeClock()
    async with ScriptedHop({"greeting": ["450 4.3.2 no", "220 hop"]}) as hop:
        sender = courier(route(hop.port, messages_per_minute=2), clock=clock)
        for _ in range(5):
            assert "450 4.3.2 no" in text((await send(sender, batch()))[0])
        clock.advance(60)
        assert isinstance((await send(sender, batch()))[0], Sent)


# A slow hop


async def test_a_slow_hop_does_not_keep_the_room_of_all(
    courier: MakeCourier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who would wait too long behind others comes back later, each at a time of its own, and that is no attempt."""
    monkeypatch.setattr(pool, "_WATCHED", 1.0)
    async with ScriptedHop() as hop:
        hop.gate.clear()
        sender = courier(route(hop.port, connections=1))
        attempts = [asyncio.create_task(send(sender, batch(first_id=n))) for n in range(60)]
        await until(lambda: sum(task.done() for task in attempts) >= 60 - 1 - PATIENCE)
        late = [outcome for task in attempts if task.done() for outcome in task.result()]
        waits = [one.retry_after for one in late if isinstance(one, Deferred) and not one.attempted]
        assert len(waits) == len(late)
        assert len(late) <= 60 - 1 - LONG
        assert "1 connections at once, and the hop is slow" in text(late[0])
        assert all(wait is not None and 30.0 <= wait <= 300.0 for wait in waits)
        assert waits[:5] == sorted(waits[:5])  # who came first comes back first
        (more,) = await send(sender, batch(first_id=60))  # nor does it begin to wait now
        assert isinstance(more, Deferred)
        hop.gate.set()
        sent = [outcome for outcomes in await asyncio.gather(*attempts) for outcome in outcomes]
        assert sum(isinstance(outcome, Sent) for outcome in sent) == 60 - len(late)


# Cancelling


async def test_a_cancelled_attempt_closes_its_connection(courier: MakeCourier) -> None:
    """Cancelled while the hop is being asked: the connection is closed, and no content leaves."""
    async with ScriptedHop({"DATA": Act.STALL}) as hop:
        sender = courier(route(hop.port))
        attempt = asyncio.ensure_future(send(sender, batch()))
        await hop.until(lambda: bool(hop.sessions and "DATA" in hop.sessions[0].commands))
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        await hop.until(lambda: not hop.sessions[0].open)
        assert hop.messages == []


async def test_a_cancelled_attempt_that_waits_is_forgotten(courier: MakeCourier) -> None:
    """Cancelled while it waits for a connection: it is never sent, and what is before it is not disturbed."""
    async with ScriptedHop() as hop:
        hop.gate.clear()
        sender = courier(route(hop.port, connections=1))
        attempts = [
            asyncio.ensure_future(send(sender, batch([f"b{n}@x.test"], first_id=n))) for n in range(4)
        ]
        await hop.until(lambda: bool(hop.sessions and "DATA" in hop.sessions[0].commands))
        attempts[1].cancel()
        attempts[3].cancel()
        hop.gate.set()
        results = await asyncio.gather(*attempts, return_exceptions=True)
        assert [type(result) for result in results] == [
            list,
            asyncio.CancelledError,
            list,
            asyncio.CancelledError,
        ]
        assert isinstance(results[0], list)
        assert isinstance(results[0][0], Sent)
        assert {rcpt for message in hop.messages for rcpt in message.rcpts} == {
            "RCPT TO:<b0@x.test>",
            "RCPT TO:<b2@x.test>",
        }


async def test_a_cancelled_connect_leaves_nothing_behind(courier: MakeCourier) -> None:
    """Closing while a connection is being made ends it."""
    async with ScriptedHop({"greeting": Act.STALL}) as hop:
        sender = courier(route(hop.port))
        attempt = asyncio.ensure_future(send(sender, batch()))
        await hop.until(lambda: bool(hop.sessions))
        await asyncio.wait_for(sender.close(), 5)
        assert "stopping" in text((await attempt)[0])
        await hop.until(lambda: not hop.sessions[0].open)


async def test_a_cancellation_is_heeded_whenever_it_comes(courier: MakeCourier) -> None:
    """Also in the very moment in which what is waited for has come: here, the address of the hop."""
    async with ScriptedHop({"greeting": Act.STALL}) as hop:
        (target,) = courier(route(hop.port))._hops.values()
        assert target is not None

        async def found(_: Hop) -> list[str]:
            opening.cancel()
            return ["127.0.0.1"]

        secrets = Secrets(ssl.create_default_context, str)
        opening = asyncio.ensure_future(open_connection(target, "relay.test", secrets, found))
        await asyncio.wait([opening], timeout=20)
        assert opening.cancelled()
