"""S1: whoever has not signed in, or is not trusted, has nothing sent on - whatever the addresses look like."""

from itertools import product
from pathlib import Path

import pytest

from tests.support.submission import PLAIN, client_tls, open_front
from tests.support.talk import Talk

OURS, IP = "example.com", "127.0.0.1"
RECIPIENTS = [
    "v@ext.example", f"v%ext.example@{OURS}", "v%ext.example", '"v@ext.example"', '"v%ext.example"',
    f"v@ext.example@{OURS}", f'"v@ext.example"@{OURS}', f'"v%ext.example"@{OURS}', f"@{OURS}:v@ext.example",
    f"@{OURS},@x.example:v@ext.example", "ext.example!v", f"ext.example!v@{OURS}", f"v@[{IP}]",
    f"v%ext.example@[{IP}]", f"v@ext.example@[{IP}]", f"ext.example!v@[{IP}]", "v@localhost", "v@ext.example.",
]  # fmt: skip
SENDERS = ["", "ext@ext.example", f"ana@{OURS}", "spam@localhost", "spam", f"spam@[{IP}]"]
DENIED = ("530", "550", "554", "501", "503")


@pytest.mark.parametrize(
    "listener", ["optional", "submission", "submissions", "closed-gateway", "empty-gateway"]
)
async def test_nothing_is_relayed_for_strangers(listener: str, tmp_path: Path) -> None:
    """Every sender with every recipient ends without a 250 to RCPT or DATA, and nothing is stored."""
    async with open_front(tmp_path, limits={"errors": "10000", "junk_commands": "10000"}) as front:
        tls = client_tls() if listener == "submissions" else None
        talk = await Talk.open(front.port(listener), tls=tls)
        await talk.say("EHLO client.example")
        for sender, recipient in product(SENDERS, RECIPIENTS):
            answers = await talk.say(f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>", "DATA")
            mail, rcpt, data = answers.split(" | ")
            assert mail.startswith(("530", "550", "554")), (sender, recipient, answers)
            assert rcpt.startswith(("530", "550", "554")), (sender, recipient, answers)
            assert data.startswith(("530", "550", "554")), (sender, recipient, answers)
        assert not front.mail.messages
        await talk.close()


async def test_after_signing_in_percent_and_bang_are_ordinary_letters(tmp_path: Path) -> None:
    """Behind AUTH, `%` and `!` in a local part are kept as they are; malformed paths are refused all the same."""
    async with open_front(tmp_path) as front:
        talk = await Talk.open(front.port("submissions"), tls=client_tls())
        await talk.say("EHLO client.example")
        await talk.say(f"AUTH PLAIN {PLAIN}")
        await talk.say("MAIL FROM:<ana@example.com>")
        taken = ["v%ext.example@ours.example", "ext.example!v@ours.example", '"v@ext.example"@ours.example']
        for path in taken:
            assert (await talk.say(f"RCPT TO:<{path}>")).startswith("250"), path
        for path in ["v@ext.example@ours.example", "v%ext.example", '"v@ext.example"', "ext.example!v"]:
            assert (await talk.say(f"RCPT TO:<{path}>")).startswith(DENIED), path
        await talk.say("DATA")
        await talk.say("From: ana@example.com\r\n.")
        assert [str(one.address) for one in front.mail.messages[0].envelope.recipients] == taken
        await talk.close()


async def test_a_null_sender_is_no_way_round_signing_in(tmp_path: Path) -> None:
    """S13: unauthenticated mail is never taken, so no report can ever go to a stranger."""
    async with open_front(tmp_path) as front:
        talk = await Talk.open(front.port("optional"))
        await talk.say("EHLO client.example")
        assert (await talk.say("MAIL FROM:<>")).startswith("530")
        assert (await talk.say("BDAT 4 LAST\r\nx: y")).startswith("530")
        assert not front.mail.messages
        await talk.close()


async def test_a_gateway_asks_for_every_proof(tmp_path: Path) -> None:
    """Where networks and certificate names are given, only both together are trusted."""
    async with open_front(tmp_path) as front:
        port = front.port("certificate-gateway")
        for name, verdict in [
            (None, "550 5.7.1"),
            ("other.example.com", "550 5.7.1"),
            ("MAIL.example.com", "250"),
        ]:
            talk = await Talk.open(port)
            await talk.say("EHLO client.example")
            assert (await talk.say("MAIL FROM:<ana@example.com>")).startswith("550 5.7.1")
            await talk.start_tls(client_tls(name))
            await talk.say("EHLO client.example")
            assert (await talk.say("MAIL FROM:<ana@example.com>")).startswith(verdict), name
            await talk.close()


async def test_a_gateway_knows_the_rep_by_the_sender(tmp_path: Path) -> None:
    """Mail of a rep is logged for that rep; a stranger's is forwarded and its logging skipped with a reason."""
    async with open_front(tmp_path) as front:
        for sender in ["ana@example.com", "stranger@example.net"]:
            talk = await Talk.open(front.port("gateway"))
            await talk.say("EHLO client.example")
            await talk.say(f"MAIL FROM:<{sender}>", "RCPT TO:<c@example.org>", "DATA")
            assert (await talk.say(f"From: {sender}\r\n\r\nx\r\n.")).startswith("250")
            await talk.close()
        assert [one.login for one in front.mail.messages] == ["ana", None]
        skipped = [[one.skipped for one in plan if one.skipped] for plan in front.mail.plans]
        assert skipped == [[], ["the sender is not a rep"]]
