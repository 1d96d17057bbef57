"""The commands of a transaction are written by what the hop offers, or the hop is said to lack something."""

from dataclasses import replace

import pytest

from relay.delivery.commands import Prepared, prepare
from relay.delivery.offer import Offer
from relay.delivery_kind import Role
from relay.envelope import Envelope
from tests.support.outgoing import COPY, delivery, mailbox, message

ALL = Offer(pipelining=True, size=0, eight_bit=True, smtputf8=True, dsn=True)
NOTHING = Offer()


def envelope(**changes: object) -> Envelope:
    """Make an envelope from Ana, with these changes."""
    return replace(Envelope(mailbox("ana@example.com"), ()), **changes)  # type: ignore[arg-type]


def refusals(prepared: Prepared) -> set[tuple[int, str]]:
    """Give the codes with which deliveries were declined."""
    return {(reply.code, reply.status) for reply in prepared.declined.values()}


def test_a_plain_hop_gets_plain_commands() -> None:
    """Nothing is said that the hop does not offer (RFC 5321 §4.1.1.11)."""
    asked = message(envelope=envelope(ret="HDRS", envid="QQ314159", body="8BITMIME"))
    prepared = prepare(
        asked, [delivery(1, "bo@example.net", notify="SUCCESS", orcpt="rfc822;bo@example.net")], NOTHING
    )
    assert prepared.mail == b"MAIL FROM:<ana@example.com>\r\n"
    assert prepared.rcpts == (b"RCPT TO:<bo@example.net>\r\n",)


def test_dsn_is_passed_on_unchanged() -> None:
    """RET, ENVID, NOTIFY and ORCPT go on as they came, the case of ORCPT kept (RFC 3461 §5.2.1)."""
    asked = message(envelope=envelope(ret="FULL", envid="QQ314159+3D"))
    target = delivery(1, "bo@example.net", notify="SUCCESS,DELAY", orcpt="rfc822;Bo+2B1@Example.net")
    prepared = prepare(asked, [target], Offer(dsn=True))
    assert prepared.mail == b"MAIL FROM:<ana@example.com> RET=FULL ENVID=QQ314159+3D\r\n"
    assert prepared.rcpts == (
        b"RCPT TO:<bo@example.net> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bo+2B1@Example.net\r\n",
    )


def test_nothing_of_dsn_is_invented() -> None:
    """Where nothing was asked, nothing is sent."""
    prepared = prepare(message(), [delivery(1, "bo@example.net")], Offer(dsn=True))
    assert prepared.mail + prepared.rcpts[0] == b"MAIL FROM:<ana@example.com>\r\nRCPT TO:<bo@example.net>\r\n"


def test_the_log_copy_is_never_reported_on() -> None:
    """A log copy asks for no report of any kind, where the hop can be asked."""
    copy = delivery(1, COPY, Role.LOG_COPY)
    assert prepare(message(), [copy], ALL).rcpts == (f"RCPT TO:<{COPY}> NOTIFY=NEVER\r\n".encode(),)
    assert prepare(message(), [copy], NOTHING).rcpts == (f"RCPT TO:<{COPY}>\r\n".encode(),)


def test_the_null_path_and_postmaster() -> None:
    """A report's sender is `<>`, and Postmaster needs no domain (RFC 5321 §4.1.1.3, §4.5.5)."""
    prepared = prepare(message(sender=None), [delivery(1, "Postmaster")], NOTHING)
    assert prepared.mail == b"MAIL FROM:<>\r\n"
    assert prepared.rcpts == (b"RCPT TO:<Postmaster>\r\n",)


def test_size_is_told() -> None:
    """SIZE carries the message's octets where it is offered (RFC 1870 §6)."""
    assert prepare(message(octets=999), [delivery(1, "b@x.test")], Offer(size=0)).mail.endswith(
        b" SIZE=999\r\n"
    )
    assert prepare(message(octets=999), [delivery(1, "b@x.test")], Offer(size=999)).mail.endswith(
        b" SIZE=999\r\n"
    )


def test_a_message_over_the_hops_limit_is_not_sent() -> None:
    """More octets than the hop takes is a permanent failure, 5.3.4, before anything is sent."""
    prepared = prepare(
        message(octets=1000), [delivery(1, "b@x.test"), delivery(2, COPY, Role.LOG_COPY)], Offer(size=999)
    )
    assert refusals(prepared) == {(552, "5.3.4")}
    assert len(prepared.declined) == 2
    assert not prepared.rcpts


def test_body_is_said_when_there_is_8_bit_content() -> None:
    """BODY=8BITMIME goes with 8-bit content alone (RFC 6152 §3)."""
    to = [delivery(1, "b@x.test")]
    assert b"BODY=8BITMIME" in prepare(message(has_8bit=True), to, Offer(eight_bit=True)).mail
    assert b"BODY" not in prepare(message(), to, ALL).mail


def test_8_bit_content_is_never_sent_to_a_hop_that_cannot_take_it() -> None:
    """Without 8BITMIME the message fails with 5.6.3 and advice; it is not converted."""
    prepared = prepare(message(has_8bit=True), [delivery(1, "b@x.test")], Offer(smtputf8=True))
    assert refusals(prepared) == {(554, "5.6.3")}
    assert "quoted-printable" in next(iter(prepared.declined.values())).text


@pytest.mark.parametrize(
    ("sender", "target", "utf8_header", "needed"),
    [
        ("ana@example.com", "bo@example.net", False, False),
        ("ana@example.com", "bo@example.net", True, True),
        ("añña@example.com", "bo@example.net", False, True),
        ("ana@exámple.com", "bo@example.net", False, True),
        ("ana@example.com", "böö@example.net", False, True),
        ("ana@example.com", "bo@exämple.net", False, True),
    ],
)
def test_smtputf8_is_said_exactly_when_needed(
    sender: str, target: str, utf8_header: bool, needed: bool
) -> None:
    """SMTPUTF8 is sent when header or envelope need it, and at no other time (RFC 6531 §3.4)."""
    asked = message(envelope=envelope(reverse_path=mailbox(sender), smtputf8=True), utf8_header=utf8_header)
    prepared = prepare(asked, [delivery(1, target)], ALL)
    assert (b" SMTPUTF8" in prepared.mail) is needed
    assert prepared.rcpts[0] == f"RCPT TO:<{target}>\r\n".encode()


def test_without_smtputf8_only_domains_are_converted() -> None:
    """A domain becomes A-labels for a hop without SMTPUTF8; nothing else is changed (RFC 6531 §3.2)."""
    asked = message(envelope=envelope(reverse_path=mailbox("ana@exámple.com")))
    prepared = prepare(asked, [delivery(1, "bo@bücher.example")], NOTHING)
    assert prepared.mail == b"MAIL FROM:<ana@xn--exmple-qta.com>\r\n"
    assert prepared.rcpts == (b"RCPT TO:<bo@xn--bcher-kva.example>\r\n",)
    assert not prepared.declined


def test_without_smtputf8_a_local_part_fails_for_itself() -> None:
    """A recipient that needs SMTPUTF8 fails with 5.6.7, the others go on."""
    prepared = prepare(message(), [delivery(1, "bö@example.net"), delivery(2, "cy@example.net")], NOTHING)
    assert refusals(prepared) == {(553, "5.6.7")}
    assert [d.id for d in prepared.deliveries] == [2]


def test_without_smtputf8_sender_and_header_fail_for_all() -> None:
    """A sender's local part fails with 5.6.7, a header section with 5.6.9 (RFC 6531 §3.5)."""
    sender = message(envelope=envelope(reverse_path=mailbox("añña@example.com")))
    assert refusals(prepare(sender, [delivery(1, "b@x.test")], NOTHING)) == {(550, "5.6.7")}
    header = message(envelope=envelope(smtputf8=True), utf8_header=True)
    assert refusals(prepare(header, [delivery(1, "b@x.test")], NOTHING)) == {(554, "5.6.9")}


def test_an_undeclared_8_bit_header_goes_on_as_it_came() -> None:
    """Fields beyond ASCII that came without SMTPUTF8 are 8-bit content to a hop that has no SMTPUTF8."""
    asked = message(envelope=envelope(smtputf8=False), utf8_header=True, has_8bit=True)
    prepared = prepare(asked, [delivery(1, "b@x.test")], Offer(eight_bit=True))
    assert not prepared.declined
    assert b" BODY=8BITMIME" in prepared.mail
    assert b"SMTPUTF8" not in prepared.mail


@pytest.mark.parametrize("bad", ["\r", "\n", "\0", "\x7f", "\x85", "\u2028", "\t"])
def test_no_control_character_gets_into_a_command(bad: str) -> None:
    """What would end or split a command fails there and then, whatever let it in (S7)."""
    prepared = prepare(message(), [delivery(1, f"b{bad}o@example.net"), delivery(2, "cy@example.net")], ALL)
    assert refusals(prepared) == {(553, "5.1.3")}
    assert len(prepared.rcpts) == 1
    sender = message(envelope=envelope(reverse_path=mailbox(f"a{bad}na@example.com")))
    assert refusals(prepare(sender, [delivery(1, "b@x.test")], ALL)) == {(553, "5.1.7")}
    asked = message(envelope=envelope(envid=f"a{bad}b"))
    target = delivery(1, "b@x.test", notify=f"NEVER{bad}", orcpt=f"rfc822;b{bad}")
    prepared = prepare(asked, [target], ALL)
    assert b"ENVID" not in prepared.mail
    assert prepared.rcpts == (b"RCPT TO:<b@x.test>\r\n",)


def test_more_recipients_than_the_hop_takes_wait() -> None:
    """LIMITS RCPTMAX is kept to: the rest goes in another transaction (RFC 9422 §5)."""
    deliveries = [delivery(number, f"b{number}@x.test") for number in range(5)]
    prepared = prepare(message(), deliveries, Offer(recipients=2))
    assert [d.id for d in prepared.deliveries] == [0, 1]
    assert [d.id for d in prepared.left] == [2, 3, 4]


def test_log_copies_are_asked_for_last() -> None:
    """Whether any recipient was accepted is known before the log copy is."""
    prepared = prepare(message(), [delivery(1, COPY, Role.LOG_COPY), delivery(2, "b@x.test")], NOTHING)
    assert [d.id for d in prepared.deliveries] == [2, 1]
