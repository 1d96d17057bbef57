"""What goes over the wire in good times: exact octets, in the right order, and an outcome for each recipient."""

import asyncio
from collections.abc import Callable

import pytest

from relay.delivery.courier import SmtpCourier
from relay.outcome import Bounced, Deferred, Sent, Skipped
from relay.status import Reply
from tests.support.hop import ScriptedHop
from tests.support.outgoing import CONTENT, COPY, Inline, Streamed, batch, route, send

MakeCourier = Callable[..., SmtpCourier]
ONE_BY_ONE = ("SIZE", "8BITMIME")
TRANSACTION = (
    b"MAIL FROM:<ana@example.com> SIZE=56\r\nRCPT TO:<bo@example.net>\r\n"
    + f"RCPT TO:<{COPY}> NOTIFY=NEVER\r\n".encode()
    + b"DATA\r\n"
)


async def test_a_transaction_leaves_in_two_writes(courier: MakeCourier) -> None:
    """With PIPELINING the envelope is one write, and content with final dot another (RFC 2920 §3.1)."""
    async with ScriptedHop() as hop:
        outcomes = await send(courier(route(hop.port)), batch(copy=COPY))
        assert outcomes == [Sent(Reply(250, "2.0.0", "taken"), "127.0.0.1")] * 2
        assert hop.sessions[0].segments == [b"EHLO relay.test\r\n", TRANSACTION, CONTENT + b".\r\n"]


async def test_without_pipelining_every_command_waits(courier: MakeCourier) -> None:
    """A hop that does not offer PIPELINING gets the next command after its answer (RFC 2920 §3.1)."""
    async with ScriptedHop(extensions=ONE_BY_ONE) as hop:
        assert isinstance((await send(courier(route(hop.port)), batch(copy=COPY)))[0], Sent)
        commands = TRANSACTION.replace(b" NOTIFY=NEVER", b"").splitlines(keepends=True)
        assert hop.sessions[0].segments == [b"EHLO relay.test\r\n", *commands, CONTENT + b".\r\n"]


async def test_a_hop_that_knows_only_helo_is_spoken_to(courier: MakeCourier) -> None:
    """EHLO refused: HELO, and no extension is used (RFC 5321 §4.1.4)."""
    async with ScriptedHop({"EHLO": "500 what?"}) as hop:
        (outcome,) = await send(courier(route(hop.port)), batch())
        assert isinstance(outcome, Sent)
        assert not outcome.hop_reports
        assert hop.sessions[0].commands[:3] == [
            "EHLO relay.test",
            "HELO relay.test",
            "MAIL FROM:<ana@example.com>",
        ]


@pytest.mark.parametrize("extensions", [("PIPELINING",), ()])
async def test_each_recipient_has_an_outcome_of_its_own(
    courier: MakeCourier, extensions: tuple[str, ...]
) -> None:
    """One refused for good, one for now, one accepted: three outcomes, and the content is sent once."""
    script = {"RCPT b@x.test": "550 5.1.1 unknown", "RCPT c@x.test": "450 4.2.1 busy"}
    async with ScriptedHop(script, extensions=extensions) as hop:
        outcomes = await send(courier(route(hop.port)), batch(["b@x.test", "c@x.test", "d@x.test"]))
        assert outcomes == [
            Bounced(Reply(550, "5.1.1", "unknown"), "127.0.0.1"),
            Deferred(Reply(450, "4.2.1", "busy"), "127.0.0.1"),
            Sent(Reply(250, "2.0.0", "taken"), "127.0.0.1", hop_reports=False),
        ]
        assert [message.content for message in hop.messages] == [CONTENT]


@pytest.mark.parametrize("extensions", [("PIPELINING",), ()])
@pytest.mark.parametrize("data", ["354 go on", "503 5.5.1 no recipients"])
async def test_content_is_never_sent_to_nobody(
    courier: MakeCourier, extensions: tuple[str, ...], data: str
) -> None:
    """When every recipient is refused no content leaves, even if the hop asks for it (RFC 2920 §3.1)."""
    async with ScriptedHop({"RCPT": "550 5.1.1 unknown", "DATA": data}, extensions=extensions) as hop:
        sender = courier(route(hop.port))
        assert [type(o) for o in await send(sender, batch(["b@x.test", "c@x.test"]))] == [Bounced, Bounced]
        hop.script["RCPT"], hop.script["DATA"] = "250 ok", "354 go on"
        assert isinstance((await send(sender, batch()))[0], Sent)
        assert [message.rcpts for message in hop.messages] == [["RCPT TO:<bo@example.net>"]]
        assert b"Subject" not in b"".join(bytes(session.received) for session in hop.sessions[:-1])


@pytest.mark.parametrize("extensions", [("PIPELINING",), ()])
async def test_a_connection_is_reset_after_a_transaction_without_content(
    courier: MakeCourier, extensions: tuple[str, ...]
) -> None:
    """A transaction that ended before the final dot is ended by RSET before the next MAIL (RFC 5321 §4.1.1.5)."""
    async with ScriptedHop({"RCPT": ["550 5.1.1 unknown", "250 ok"], "DATA": ["503 no", "354 go"]}) as hop:
        hop.extensions = list(extensions)
        if not extensions:
            hop.script["DATA"] = "354 go"
        sender = courier(route(hop.port))
        assert isinstance((await send(sender, batch()))[0], Bounced)
        assert isinstance((await send(sender, batch()))[0], Sent)
        assert isinstance((await send(sender, batch()))[0], Sent)
        assert len(hop.sessions) == 1
        commands = [command.split()[0] for command in hop.sessions[0].commands]
        assert commands.count("RSET") == 1
        assert commands[commands.index("RSET") + 1] == "MAIL"


@pytest.mark.parametrize("extensions", [("PIPELINING",), ()])
async def test_a_refused_sender_is_everybodys_outcome(
    courier: MakeCourier, extensions: tuple[str, ...]
) -> None:
    """MAIL refused: its answer is the outcome, not the 503 that follow it."""
    script = {"MAIL": "550 5.7.1 not you", "RCPT": "503 5.5.1 MAIL first", "DATA": "503 5.5.1 MAIL first"}
    async with ScriptedHop(script, extensions=extensions) as hop:
        outcomes = await send(courier(route(hop.port)), batch(["b@x.test", "c@x.test"]))
        assert outcomes == [Bounced(Reply(550, "5.7.1", "not you"), "127.0.0.1")] * 2


@pytest.mark.parametrize(
    ("answer", "meaning"), [("554 5.6.0 spam", Bounced), ("451 4.3.0 later", Deferred), ("299 fine", Sent)]
)
async def test_the_answer_to_the_final_dot_decides(courier: MakeCourier, answer: str, meaning: type) -> None:
    """Accepted recipients share the answer to the end of data; refused ones keep their own."""
    async with ScriptedHop({".": answer, "RCPT b@x.test": "551 5.1.6 moved"}) as hop:
        outcomes = await send(courier(route(hop.port)), batch(["b@x.test", "c@x.test"]))
        assert outcomes[0] == Bounced(Reply(551, "5.1.6", "moved"), "127.0.0.1")
        assert isinstance(outcomes[1], meaning)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\r\n",
        b"..\r\n",
        b"no header, 8-bit \xff\xfe\r\n",
        b"A: b\r\n\r\n" + b"x" * 70_000 + b"\r\n",
        b"A: b\r\n\r\n...\r\n..\r\n...MAIL FROM:<evil@example.com>\r\n",
        b"A: b\r\n\r\ntab\tvt\x0b \x01\x7f trailing  \r\n\r\n\r\n",
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
async def test_the_wire_form_goes_out_unchanged(courier: MakeCourier, content: bytes, streamed: bool) -> None:
    """What is kept is what is written, octet for octet, and one final dot ends it (S3)."""
    reader = (
        Streamed([content[i : i + 7001] for i in range(0, len(content), 7001)])
        if streamed
        else Inline(content)
    )
    async with ScriptedHop() as hop:
        assert isinstance((await send(courier(route(hop.port)), batch(content=reader)))[0], Sent)
        assert [message.content for message in hop.messages] == [content]
        assert bytes(hop.sessions[0].received).endswith(b"DATA\r\n" + content + b".\r\n")


@pytest.mark.parametrize("reader", [Inline(b"no line end"), Streamed([b"A: b\r\n", b"no line end\r"])])
async def test_content_without_a_line_end_is_not_ended(
    courier: MakeCourier, reader: Inline | Streamed
) -> None:
    """A final dot that would not be one is never sent: the connection is closed and the mail waits."""
    async with ScriptedHop() as hop:
        (outcome,) = await send(courier(route(hop.port)), batch(content=reader))
        assert isinstance(outcome, Deferred)
        assert outcome.reply.status == "4.3.0"
        await hop.until(lambda: not hop.sessions[0].open)
        assert hop.messages == []


async def test_the_next_envelope_goes_with_the_final_dot(courier: MakeCourier) -> None:
    """A waiting transaction's commands share the write of the final dot before it (RFC 2920 §3.1)."""
    async with ScriptedHop() as hop:
        sender = courier(route(hop.port, connections=1))
        batches = [batch([f"b{number}@x.test"], first_id=number) for number in range(3)]
        outcomes = await asyncio.gather(*(send(sender, one) for one in batches))
        assert all(isinstance(outcome, Sent) for (outcome,) in outcomes)
        assert len(hop.sessions) == 1
        assert len(hop.messages) == 3
        assert hop.sessions[0].segments[2].startswith(CONTENT + b".\r\nMAIL FROM:")
        assert hop.sessions[0].segments[2].endswith(b"RCPT TO:<b1@x.test>\r\nDATA\r\n")


async def test_answers_find_their_transactions(courier: MakeCourier) -> None:
    """With many transactions in flight on few connections, each gets its own answers and no other's."""
    script = {
        f"RCPT b{n}@x.test": f"{550 if n % 3 == 0 else 450} number {n}" for n in range(60) if n % 3 != 1
    }
    async with ScriptedHop(script) as hop:
        sender = courier(route(hop.port, connections=3))
        batches = [batch([f"b{n}@x.test", f"ok{n}@x.test"], first_id=2 * n) for n in range(60)]
        for n, outcomes in enumerate(await asyncio.gather(*(send(sender, one) for one in batches))):
            assert [type(o) for o in outcomes] == [(Bounced, Sent, Deferred)[n % 3], Sent]
            if n % 3 != 1:
                assert outcomes[0].reply.text == f"number {n}"  # type: ignore[union-attr]
        await hop.until(lambda: len(hop.sessions) >= 3)
        assert len(hop.sessions) == 3
        assert len(hop.messages) == 60


# The log copy


async def test_a_refused_log_copy_is_nobody_elses_trouble(courier: MakeCourier) -> None:
    """The log copy's RCPT alone is refused: the others go on, and its outcome stands alone (design §3.7)."""
    async with ScriptedHop({f"RCPT {COPY}": f"550 5.1.1 <{COPY}> unknown"}) as hop:
        sent, copy = await send(courier(route(hop.port)), batch(copy=COPY))
        assert isinstance(sent, Sent)
        assert isinstance(copy, Bounced)
        assert "k8ab12cd34" not in str(copy.reply)


@pytest.mark.parametrize("extensions", [("PIPELINING",), ()])
@pytest.mark.parametrize("data", ["354 go on", "451 4.3.0 not now"])
async def test_mail_that_nobody_receives_is_not_logged(
    courier: MakeCourier, extensions: tuple[str, ...], data: str
) -> None:
    """Only the log copy accepted: given up before the final dot, and skipped since nobody received it (design §3.7)."""
    async with ScriptedHop(
        {"RCPT bo@example.net": "550 5.1.1 unknown", "DATA": data}, extensions=extensions
    ) as hop:
        refused, copy = await send(courier(route(hop.port)), batch(copy=COPY))
        assert isinstance(refused, Bounced)
        assert copy == Skipped("nobody received it")
        assert hop.messages == []
        assert b"Subject" not in bytes(hop.sessions[0].received)


async def test_the_log_copy_waits_with_deferred_recipients(courier: MakeCourier) -> None:
    """Every recipient deferred: the log copy is deferred with them, and nothing was sent."""
    async with ScriptedHop({"RCPT bo@example.net": "450 4.2.1 later"}) as hop:
        first, copy = await send(courier(route(hop.port)), batch(copy=COPY))
        assert isinstance(first, Deferred)
        assert isinstance(copy, Deferred)
        assert hop.messages == []


@pytest.mark.parametrize(
    "script", [{"MAIL": "550 5.7.1 no"}, {".": "554 5.6.0 no"}, {"DATA": "554 5.6.0 no"}]
)
async def test_the_log_copy_of_a_refused_message_is_skipped(
    courier: MakeCourier, script: dict[str, str]
) -> None:
    """The whole message refused: nobody received it."""
    async with ScriptedHop(script) as hop:
        refused, copy = await send(courier(route(hop.port)), batch(copy=COPY))
        assert isinstance(refused, Bounced)
        assert copy == Skipped("nobody received it")


async def test_somebody_elsewhere_may_have_received_it(courier: MakeCourier) -> None:
    """Where other recipients are in another transaction, the log copy is not skipped but tried again."""
    async with ScriptedHop({"RCPT bo@example.net": "550 5.1.1 unknown"}) as hop:
        asked = batch(copy=COPY)
        whole = batch(["bo@example.net", "cy@example.net"]).message
        asked = type(asked)(whole, asked.deliveries, asked.content)
        refused, copy = await send(courier(route(hop.port)), asked)
        assert isinstance(refused, Bounced)
        assert isinstance(copy, Deferred)


async def test_a_log_copy_alone_is_sent(courier: MakeCourier) -> None:
    """A log copy that is retried by itself goes out by itself."""
    async with ScriptedHop() as hop:
        assert isinstance((await send(courier(route(hop.port)), batch([], copy=COPY)))[0], Sent)
        assert len(hop.messages) == 1


# What the hop offers


async def test_a_message_the_hop_cannot_take_is_never_begun(courier: MakeCourier) -> None:
    """Too large for the hop: bounced 5.3.4 and the connection stays good for the next."""
    async with ScriptedHop(extensions=("PIPELINING", "SIZE 100")) as hop:
        sender = courier(route(hop.port))
        (outcome,) = await send(sender, batch(octets=101))
        assert isinstance(outcome, Bounced)
        assert outcome.reply.status == "5.3.4"
        assert isinstance((await send(sender, batch(octets=100)))[0], Sent)
        assert len(hop.sessions) == 1


async def test_the_hops_recipient_limit_is_kept_to(courier: MakeCourier) -> None:
    """LIMITS RCPTMAX=2: five recipients and a log copy go in three transactions (RFC 9422 §5)."""
    async with ScriptedHop(extensions=("PIPELINING", "LIMITS RCPTMAX=2")) as hop:
        outcomes = await send(courier(route(hop.port)), batch([f"b{n}@x.test" for n in range(5)], copy=COPY))
        assert [type(outcome) for outcome in outcomes] == [Sent] * 6
        assert [len(message.rcpts) for message in hop.messages] == [2, 2, 2]


async def test_the_log_copy_left_over_of_refused_recipients_is_not_sent(courier: MakeCourier) -> None:
    """Where the log copy is left for a transaction of its own, and nobody received the mail, it is skipped."""
    async with ScriptedHop({"RCPT bo@example.net": "550 no"}, extensions=("LIMITS RCPTMAX=1",)) as hop:
        _, copy = await send(courier(route(hop.port)), batch(copy=COPY))
        assert copy == Skipped("nobody received it")
        assert hop.messages == []


async def test_too_many_recipients_are_sent_to_at_once_in_another_transaction(courier: MakeCourier) -> None:
    """452 4.5.3 after some were accepted: the rest follows without waiting for a retry (RFC 5321 §4.5.3.1.10)."""
    answers = ["250 ok", "250 ok", "452 4.5.3 too many", "250 ok"]
    async with ScriptedHop({"RCPT": answers}) as hop:
        outcomes = await send(courier(route(hop.port)), batch(["b@x.test", "c@x.test", "d@x.test"]))
        assert [type(outcome) for outcome in outcomes] == [Sent] * 3
        assert [len(message.rcpts) for message in hop.messages] == [2, 1]


async def test_the_hops_message_limit_is_kept_to(courier: MakeCourier) -> None:
    """LIMITS MAILMAX=2: the third message has a new connection."""
    async with ScriptedHop(extensions=("PIPELINING", "LIMITS MAILMAX=2")) as hop:
        sender = courier(route(hop.port, connections=1))
        outcomes = await asyncio.gather(*(send(sender, batch(first_id=n)) for n in range(5)))
        assert all(isinstance(outcome, Sent) for (outcome,) in outcomes)
        assert [len(session.messages) for session in hop.sessions] == [2, 2, 1]
        assert hop.sessions[0].commands[-1] == "QUIT"
