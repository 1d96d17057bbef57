"""S9, S10 and S11: slow clients, floods and sizes are bounded, and fair to the others."""

import asyncio
import socket
from pathlib import Path

import pytest

from tests.support.submission import client_tls, front_of, open_front
from tests.support.talk import Talk, until
from tests.support.wire import Line, door_named


async def begun(port: int) -> Talk:
    """Connect and get as far as 354."""
    talk = await Talk.open(port)
    await talk.say("EHLO client.example")
    await talk.say("MAIL FROM:<ana@example.com>", "RCPT TO:<c@example.org>", "DATA")
    return talk


async def test_an_idle_client_is_hung_up_on(tmp_path: Path) -> None:
    """After limits.idle without a whole command: 421 4.4.2; single octets put nothing off."""
    async with open_front(tmp_path) as front:
        talk = await Talk.open(front.port("gateway"))
        for octet in b"NOOP":
            talk.send(bytes([octet]))
            await asyncio.sleep(0)
            front.sweep(after=74)
        front.sweep(after=10)
        assert (await talk.rest()).startswith(b"421 4.4.2 Idle")
        await talk.close()


async def test_commands_put_off_the_idle_limit_but_not_the_session_age(tmp_path: Path) -> None:
    """NOOP every 299 s goes on until the connection is an hour old."""
    async with open_front(tmp_path) as front:
        talk = await Talk.open(front.port("gateway"))
        for _ in range(12):
            assert (await talk.say("NOOP")).startswith("250")
            front.sweep(after=299)
        assert (await talk.say("NOOP")).startswith("250")
        front.sweep(after=299)
        assert (await talk.rest()).startswith(b"421 4.4.2 This connection")
        await talk.close()


async def test_an_old_session_ends_only_outside_a_transaction(tmp_path: Path) -> None:
    """limits.session_age lets a transaction end first."""
    async with open_front(tmp_path, limits={"idle": "9000s"}) as front:
        talk = await begun(front.port("gateway"))
        talk.send(b"\r\n" + b"x" * 4_000_000)
        connection = next(iter(front.submission._house.connections))
        await until(lambda: connection.talk.content.octets >= 3_999_990)  # type: ignore[attr-defined]
        front.sweep(after=4000)
        assert (await talk.say("\r\n.")).startswith("250")
        front.sweep(after=1)
        assert (await talk.rest()).startswith(b"421 4.4.2")
        await talk.close()


async def test_content_that_trickles_is_cut(tmp_path: Path) -> None:
    """Under limits.minimum_rate, the credit used up: 421 4.4.2; nothing is stored."""
    async with open_front(tmp_path) as front:
        talk = await begun(front.port("gateway"))
        talk.send(b"x" * 1000)
        connection = next(iter(front.submission._house.connections))
        await until(lambda: connection.talk.content.octets == 1000)  # type: ignore[attr-defined]
        front.sweep(after=101)
        assert front.submission.connections == 1
        front.sweep(after=2)
        assert (await talk.rest()).startswith(b"421 4.4.2 Data")
        assert not front.mail.messages
        await talk.close()


async def test_our_own_work_does_not_count_as_the_clients_slowness(tmp_path: Path) -> None:
    """While a message is being stored no limit on the client runs; after 110 s it is told to come again."""
    go_on = asyncio.Event()
    async with open_front(tmp_path) as front:
        front.mail.before = go_on.wait
        talk = await begun(front.port("gateway"))
        talk.send(b"x: y\r\n.\r\n")
        await until(lambda: not front.submission._house.idle)
        front.sweep(after=109)
        assert front.submission.connections == 1
        front.sweep(after=2)
        assert (await talk.rest()).startswith(b"451 4.3.0")
        go_on.set()
        await until(lambda: len(front.mail.messages) == 1)
        await talk.close()


async def test_a_client_that_never_reads_is_held_up_and_cut(tmp_path: Path) -> None:
    """While replies pile up nothing more is carried out or read; after limits.idle the connection is cut."""
    front = front_of(tmp_path, limits={"junk_commands": 1_000_000})
    line = Line(door_named(front, "gateway"))
    line.protocol.pause_writing()
    line.protocol.data_received(b"NOOP\r\n" * 20_000)
    assert line.wire.written.count(b"\r\n") == 1
    assert not line.wire.reading
    front.clock.advance(200)
    line.protocol.check(front.clock.monotonic())
    assert not line.wire.closed
    front.clock.advance(101)
    line.protocol.check(front.clock.monotonic())
    assert line.wire.closed
    line.end()


async def test_a_client_that_reads_again_is_answered(tmp_path: Path) -> None:
    """What waited is carried out once replies can leave."""
    front = front_of(tmp_path, limits={"junk_commands": 1_000_000})
    line = Line(door_named(front, "gateway"))
    line.protocol.pause_writing()
    line.protocol.data_received(b"NOOP\r\n" * 20_000)
    line.protocol.resume_writing()
    await until(lambda: line.wire.written.count(b"250 2.0.0") == 20_000)
    assert line.wire.reading
    line.end()


@pytest.mark.parametrize("command", ["NOOP", "RSET", "VRFY x", "HELP"])
async def test_floods_of_junk_end(command: str, tmp_path: Path) -> None:
    """100,000 commands that move no mail in one go: 100 are answered, then 421."""
    async with open_front(tmp_path) as front:
        talk = await Talk.open(front.port("gateway"))
        talk.send(f"{command}\r\n".encode() * 100_000)
        answers = (await talk.rest()).splitlines()
        assert len(answers) == 101
        assert answers[-1].startswith(b"421 4.7.0 Too many commands")
        await talk.close()


@pytest.mark.parametrize("command", ["MAIL FROM:<ana@example.com>", "BDAT 0"])
async def test_floods_of_what_is_not_refused_for_good_end(command: str, tmp_path: Path) -> None:
    """MAIL while the disk is full, and empty chunks, move no mail either: 100 are answered, then 421."""
    async with open_front(tmp_path) as front:
        talk = await Talk.open(front.port("gateway"))
        await talk.say("EHLO client.example")
        if command == "BDAT 0":
            await talk.say("MAIL FROM:<ana@example.com>", "RCPT TO:<c@example.org>")
        else:
            front.room = False
        talk.send(f"{command}\r\n".encode() * 10_000)
        answers = (await talk.rest()).splitlines()
        assert 100 <= len(answers) <= 101
        assert answers[-1].startswith(b"421 4.7.0 Too many commands")
        await talk.close()


async def test_floods_of_errors_end(tmp_path: Path) -> None:
    """10,000 unknown verbs: 20 are answered, then 421."""
    async with open_front(tmp_path) as front:
        talk = await Talk.open(front.port("gateway"))
        talk.send(b"WHATEVER\r\n" * 10_000)
        answers = (await talk.rest()).splitlines()
        assert [one[:3] for one in answers] == [b"500"] * 20 + [b"421"]
        await talk.close()


async def test_floods_of_recipients_end(tmp_path: Path) -> None:
    """10,000 recipients: 100 are taken, 1,000 answered 452, then 421."""
    async with open_front(tmp_path) as front:
        talk = await Talk.open(front.port("gateway"))
        await talk.say("EHLO client.example")
        talk.send(b"MAIL FROM:<ana@example.com>\r\n" + b"RCPT TO:<c@example.org>\r\n" * 10_000)
        answers = (await talk.rest()).splitlines()
        assert len(answers) == 1 + 100 + 1000 + 1
        assert answers[-1].startswith(b"421")
        await talk.close()


async def test_pipelined_ehlo_is_one_answer(tmp_path: Path) -> None:
    """A flood of EHLO is a protocol violation at the first."""
    async with open_front(tmp_path) as front:
        talk = await Talk.open(front.port("gateway"))
        talk.send(b"EHLO x\r\n" * 10_000)
        assert (await talk.rest()).startswith(b"554 5.5.0")
        await talk.close()


async def test_a_flood_is_fair_to_the_others(tmp_path: Path) -> None:
    """Between turns of 64 commands other connections get theirs."""
    front = front_of(tmp_path, limits={"junk_commands": 1_000_000})
    line = Line(door_named(front, "gateway"))
    line.protocol.data_received(b"NOOP\r\n" * 1000)
    assert line.wire.written.count(b"250 2.0.0") == 64
    await until(lambda: line.wire.written.count(b"250 2.0.0") == 1000)
    line.end()


async def test_a_large_upload_is_fair_to_the_others(tmp_path: Path) -> None:
    """After a large read nothing more is read of this connection in the same turn of the loop."""
    front = front_of(tmp_path)
    line = Line(door_named(front, "gateway"))
    await line.feed([b"EHLO x\r\n", b"MAIL FROM:<ana@example.com>\r\nRCPT TO:<c@example.org>\r\nDATA\r\n"])
    line.protocol.data_received(b"x" * 70_000)
    assert not line.wire.reading
    await asyncio.sleep(0)
    assert line.wire.reading
    line.protocol.data_received(b"x" * 1000)
    assert line.wire.reading
    line.end()


@pytest.mark.parametrize(
    "octets", [b"\x16\x03\x01\x02\x00\x01" * 5000, b"\x05\x01\x00" * 9000, b"\0" * 30_000]
)
async def test_octets_of_other_protocols_are_bounded(octets: bytes, tmp_path: Path) -> None:
    """TLS, SOCKS or zeros on a plain port: no line of it is kept past 12 KiB, and no answer but errors is given."""
    front = front_of(tmp_path)
    line = Line(door_named(front, "gateway"))
    await line.feed([octets] * 20)
    assert len(line.protocol._pending) <= 13_000
    assert line.wire.written.count(b"\r\n") <= 2
    line.end()


async def test_input_waits_bounded_while_something_is_worked_on(tmp_path: Path) -> None:
    """While a message is being stored, at most one read more than 64 KiB is kept, then reading stops."""
    go_on = asyncio.Event()
    front = front_of(tmp_path)
    front.mail.before = go_on.wait
    line = Line(door_named(front, "gateway"))
    await line.feed(
        [b"EHLO x\r\n", b"MAIL FROM:<ana@example.com>\r\nRCPT TO:<c@example.org>\r\nDATA\r\n", b".\r\n"]
    )
    await asyncio.sleep(0)
    for _ in range(3):
        if line.wire.reading:
            line.protocol.data_received(b"NOOP\r\n" * 10_000)
    assert not line.wire.reading
    assert len(line.protocol._pending) == 120_000
    go_on.set()
    await until(lambda: line.wire.closed)
    assert b"421 4.7.0" in line.wire.written
    line.end()


async def test_connections_are_limited_in_all(tmp_path: Path) -> None:
    """Past limits.connections.total a new client hears 421 and is gone; when one leaves, another may come."""
    async with open_front(tmp_path, limits={"connections": {"total": 2}}) as front:
        talks = [await Talk.open(front.port("gateway")) for _ in range(2)]
        third = await Talk.open(front.port("gateway"))
        assert third.greeting == ["421 4.3.2 Too many connections; try again later"]
        assert await third.rest() == b""
        await talks[0].close()
        await until(lambda: front.submission.connections == 1)
        fourth = await Talk.open(front.port("gateway"))
        assert fourth.greeting[0].startswith("220")
        for talk in (talks[1], third, fourth):
            await talk.close()


async def test_many_connections_come_and_go(tmp_path: Path) -> None:
    """Connections that are reset at once leave nothing behind."""
    async with open_front(tmp_path) as front:
        for _ in range(200):
            talk = await Talk.open(front.port("gateway"), greeting=False)
            talk.reset()
        await until(lambda: front.submission.connections == 0)
        assert front.submission._shared.gate.open == 0


async def test_a_client_that_is_gone_before_we_look_takes_no_place(tmp_path: Path) -> None:
    """One that has reset the connection when it is accepted has no address on uvloop; it is counted nowhere."""
    front = front_of(tmp_path)
    door = door_named(front, "gateway")
    for _ in range(3):
        line = Line(door, client=None)
        assert line.wire.closed
        line.end()
    assert door.gate.open == 0
    assert not line.house.connections


async def test_clients_that_leave_behind_starttls_leave_no_work_behind(tmp_path: Path) -> None:
    """A client that says STARTTLS and is gone before the handshake costs nothing from then on."""
    async with open_front(tmp_path) as front:
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", front.port("submission"))) as client:
                await until(lambda: front.submission.connections == 1)
                client.sendall(b"STARTTLS\r\n")
            await until(lambda: front.submission.connections == 0)
        await until(lambda: front.submission._house.idle)
        assert front.submission._shared.gate.open == 0


@pytest.mark.parametrize("size", [998, 999, 1000, 1001, 4096, 65_536, 1_000_000])
async def test_lines_of_any_length_are_carried_unchanged(size: int, tmp_path: Path) -> None:
    """S9: a line is never cut and never broken."""
    content = b"X: y\r\n\r\n" + b"z" * size + b"\r\n"
    async with open_front(tmp_path) as front:
        talk = await begun(front.port("gateway"))
        talk.send(content + b".\r\n")
        assert (await talk.reply())[0].startswith("250")
        assert front.mail.contents == [content]
        await talk.close()


@pytest.mark.parametrize("line", [b"\r\n", b"..\r\n", b"X-F: y\r\n"], ids=["empty", "stuffed", "fields"])
async def test_a_megabyte_of_short_lines_keeps_little_in_memory(line: bytes, tmp_path: Path) -> None:
    """S9: what is in the spool is not in memory; a header section is held to its limit."""
    async with open_front(tmp_path, limits={"header_size": "64KiB"}) as front:
        talk = await begun(front.port("gateway"))
        talk.send(line * (1_000_000 // len(line)) + b"\r\n.\r\n")
        expected = "552" if line.startswith(b"X") else "250"
        # Stuffed dots are no fields, and with no blank line among them they are all header section.
        expected = "552" if line.startswith(b"..") else expected
        assert (await talk.reply())[0].startswith(expected)
        await talk.close()


async def test_a_header_section_in_small_pieces_is_searched_once(tmp_path: Path) -> None:
    """S9: a megabyte of header and a body, in tiny segments: each costs itself, or this would take minutes."""
    front = front_of(tmp_path, limits={"header_size": "1MiB"})
    line = Line(door_named(front, "gateway"))
    await line.feed([b"EHLO x\r\n", b"MAIL FROM:<ana@example.com>\r\nRCPT TO:<c@example.org>\r\nDATA\r\n"])
    for piece in [b"X-F: y\r\n" * 2] * 60_000 + [b"\r\n"] + [b"z"] * 60_000 + [b"\r\n.\r\n"]:
        line.protocol.data_received(piece)
    await until(lambda: b"\r\n250 2.0.0 Queued" in line.wire.written)
    assert front.mail.contents == [b"X-F: y\r\n" * 120_000 + b"\r\n" + b"z" * 60_000 + b"\r\n"]
    line.end()


async def test_a_connection_costs_little_memory(tmp_path: Path) -> None:
    """One idle connection holds under 12 KB of objects of ours."""
    import tracemalloc

    front = front_of(tmp_path, limits={"connections": {"total": 10_000, "per_network": 10_000}})
    door = door_named(front, "gateway")
    Line(door).end()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    lines = [Line(door) for _ in range(100)]
    for line in lines:
        await line.feed([b"EHLO client.example\r\n"])
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert used / 100 < 12_000
    for line in lines:
        line.end()


async def test_tls_and_plain_clients_are_counted_alike(tmp_path: Path) -> None:
    """The limit on connections holds on the port for implicit TLS, too."""
    async with open_front(tmp_path, limits={"connections": {"per_network": 1}}) as front:
        first = await Talk.open(front.port("submissions"), tls=client_tls())
        second = await Talk.open(front.port("submissions"), tls=client_tls())
        assert second.greeting[0].startswith("421 4.7.0")
        await asyncio.gather(first.close(), second.close())


async def test_connections_are_counted_before_tls_begins(tmp_path: Path) -> None:
    """On the port for implicit TLS, clients that never begin a handshake are held to limits.connections as well."""
    async with open_front(tmp_path, limits={"connections": {"per_network": 3}}) as front:
        gate, clients = front.submission._shared.gate, []
        for _ in range(40):
            clients.append(await asyncio.open_connection("127.0.0.1", front.port("submissions")))
        # Three are let in, sixteen are to hear why not, the others are gone.
        ends = [asyncio.create_task(reader.read()) for reader, _ in clients]
        await until(lambda: sum(end.done() for end in ends) == 21)
        assert gate.open == 3
        for _, writer in clients:
            writer.close()
        await until(lambda: gate.open == 0)
        await asyncio.gather(*ends, return_exceptions=True)
        talk = await Talk.open(front.port("submissions"), tls=client_tls())
        assert talk.greeting[0].startswith("220")
        await talk.close()
