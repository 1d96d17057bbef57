"""Tests for relay.queue.dsn and relay.queue.dsn_words: what a delivery report looks like."""

import email
import email.policy
from dataclasses import replace
from email.message import EmailMessage, Message

import pytest

from relay.ids import QueueId
from relay.queue import dsn, dsn_words
from relay.queue.report import (
    FULL_LIMIT,
    HEADER_LIMIT,
    Action,
    Original,
    Report,
    Reported,
    Reporter,
    one_line,
)
from tests.support.builders import NOW, envelope, mailbox

REPORTER = Reporter("postmaster@relay.example.com", "relay.example.com")
HEADER = b"From: ana@example.com\r\nSubject: The offer\r\nMessage-ID: <1@example.com>\r\n"
BODY = b"Dear customer,\r\n.and a line with a dot\r\n"
GONE = Reported("bob@example.org", None, "5.1.1", "550 5.1.1 No such user", "mx.example.org")


def report(*recipients: Reported, action: Action = Action.FAILED, **changes: object) -> Report:
    """Give a report of a failure, changed as the test needs it."""
    whole = Report(
        action=action,
        message=QueueId("01HQ8Z5W6K3RT"),
        envelope=envelope(),
        accepted_at=NOW - 60_000_000,
        message_id="<1@example.com>",
        original=Original(HEADER, BODY, "The offer"),
        recipients=recipients or (GONE,),
        at=NOW,
    )
    return replace(whole, **changes)


def composed(which: Report) -> bytes:
    """Give the report as a hop hands it on: without the dots of transparency."""
    wire = dsn.compose(which, REPORTER, QueueId("01REPORT00001"), "=_boundary")
    assert wire.endswith(b"\r\n")
    assert b"\n" not in wire.replace(b"\r\n", b"")
    assert b"\r" not in wire.replace(b"\r\n", b"")
    assert all(not line.startswith(b".") or line.startswith(b"..") for line in wire.split(b"\r\n"))
    return wire.replace(b"\r\n.", b"\r\n")


def parsed(which: Report) -> EmailMessage:
    """Give the report as the email package reads it, without a defect anywhere."""
    message = email.message_from_bytes(composed(which), policy=email.policy.default)
    for part in message.walk():
        assert not part.defects, part.defects
    return message


def status_groups(which: Report) -> list[Message]:
    """Give the groups of the delivery-status part: the message's, then one for each recipient."""
    part = list(parsed(which).iter_parts())[1]
    assert part.get_content_type() == "message/delivery-status"
    return [group for group in part.get_payload() if group.keys()]


def words(which: Report) -> str:
    """Give the text part on one line."""
    return " ".join(next(iter(parsed(which).iter_parts())).get_content().split())


def test_a_report_has_the_form_of_rfc_6522():
    """multipart/report with three parts: words, delivery status, what is returned (RFC 6522 §3, RFC 3464 §2)."""
    message = parsed(report())
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    kinds = [part.get_content_type() for part in message.iter_parts()]
    assert kinds == ["text/plain", "message/delivery-status", "text/rfc822-headers"]


def test_the_header_says_who_reports_to_whom_and_that_it_is_automatic():
    """From notices.from, To the reverse-path, Auto-Submitted (RFC 3834 §5), threaded with the message."""
    message = parsed(report())
    assert message["From"] == "Mail Delivery System <postmaster@relay.example.com>"
    assert message["To"] == "ana@example.com"
    assert message["Subject"] == "Not delivered: The offer"
    assert message["Message-ID"] == "<01REPORT00001@relay.example.com>"
    assert message["In-Reply-To"] == message["References"] == "<1@example.com>"
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["Date"] == "Mon, 21 Sep 2026 14:13:20 +0000"


def test_the_message_group_names_the_reporter_and_the_arrival():
    """Reporting-MTA and Arrival-Date stand there; Original-Envelope-Id only when ENVID was given, decoded."""
    group = status_groups(report())[0]
    assert group["Reporting-MTA"] == "dns; relay.example.com"
    assert group["Arrival-Date"] == "Mon, 21 Sep 2026 14:12:20 +0000"
    assert group["X-Queue-Id"] == "01HQ8Z5W6K3RT"
    assert group["Original-Envelope-Id"] is None
    with_id = status_groups(report(envelope=envelope(envid="QQ+2B1")))[0]
    assert with_id["Original-Envelope-Id"] == "QQ+1"


def test_each_failed_recipient_has_a_group_of_its_own():
    """Final-Recipient, Action, Status, Diagnostic-Code, Remote-MTA and Last-Attempt-Date, recipient by recipient."""
    full = Reported("carl@example.org", "rfc822;Carl+40Example.org", "5.2.2", "552 5.2.2 Full", "192.0.2.9")
    _, first, second = status_groups(report(GONE, full))
    assert first["Final-Recipient"] == "rfc822; bob@example.org"
    assert first["Original-Recipient"] is None
    assert first["Action"] == "failed"
    assert first["Status"] == "5.1.1"
    assert first["Diagnostic-Code"] == "smtp; 550 5.1.1 No such user"
    assert first["Remote-MTA"] == "dns; mx.example.org"
    assert first["Last-Attempt-Date"] == "Mon, 21 Sep 2026 14:13:20 +0000"
    assert first["Will-Retry-Until"] is None
    assert second["Original-Recipient"] == "rfc822; Carl@Example.org"
    assert second["Remote-MTA"] == "dns; [192.0.2.9]"


def test_what_the_relay_found_itself_is_not_called_an_answer_of_a_hop():
    """Without a hop there is no Remote-MTA, and the diagnostic is not of type smtp (RFC 3464 §2.3.6)."""
    ours = Reported("bob@example.org", None, "5.6.3", "550 5.6.3 Eight bits", "")
    group = status_groups(report(ours))[1]
    assert group["Remote-MTA"] is None
    assert group["Diagnostic-Code"] == "x-relay; 550 5.6.3 Eight bits"
    silent = status_groups(report(replace(ours, reply="")))[1]
    assert silent["Diagnostic-Code"] is None


@pytest.mark.parametrize(
    ("orcpt", "shown"),
    [
        ("rfc822;bob+2Bx@example.org", "rfc822; bob+x@example.org"),
        ("rfc822;bob+0D+0AX-Evil:+20yes@example.org", "rfc822; bob+0D+0AX-Evil:+20yes@example.org"),
        ("nonsense", "nonsense"),
        ("utf-8;\\x{F6}@example.org", "utf-8; \\x{F6}@example.org"),
    ],
)
def test_orcpt_is_decoded_but_breaks_out_of_nothing(orcpt, shown):
    """Original-Recipient is ORCPT without its xtext; what would not print stays encoded."""
    assert status_groups(report(replace(GONE, orcpt=orcpt)))[1]["Original-Recipient"] == shown


def test_a_hop_cannot_break_out_of_the_diagnostic():
    """Line ends and controls in a reply are blanks in the report, and long replies are folded."""
    nasty = replace(
        GONE, reply="550 no\r\n\r\nAction: delivered\x00\x1b[2J" + " very" * 300 + " " + "x" * 5000
    )
    message = report(nasty)
    assert max(map(len, composed(message).split(b"\r\n"))) <= 998
    groups = status_groups(message)
    assert len(groups) == 2
    assert groups[1]["Action"] == "failed"


def test_a_sender_cannot_break_out_of_the_header():
    """A subject and a Message-ID with line ends or other mischief add no field to the report."""
    message = parsed(report(original=Original(HEADER, None, "a\r\nBcc: x@y.z"), message_id="<a\r\nb@c>"))
    assert message["Bcc"] is None
    assert message["References"] is None
    assert message["Subject"] == "Not delivered: a Bcc: x@y.z"


def test_a_subject_beyond_ascii_is_encoded():
    """A subject in another alphabet is encoded as RFC 2047 and reads as it was written."""
    message = report(original=Original(HEADER, None, "Angebot für Köln: die größte Überraschung " * 4))
    assert composed(message).isascii()
    assert str(parsed(message)["Subject"]).startswith("Not delivered: Angebot für Köln: die größte")
    assert "Angebot für Köln" in words(message)


def test_ret_full_returns_the_message_and_hdrs_its_header_section():
    """RET decides what comes back; without it the header section does (RFC 3461 §4.3)."""
    *_, returned = parsed(report(envelope=envelope(ret="FULL"))).iter_parts()
    assert returned.get_content_type() == "message/rfc822"
    assert HEADER + b"\r\n" + BODY in composed(report(envelope=envelope(ret="FULL")))
    for ret in ("HDRS", None):
        *_, returned = parsed(report(envelope=envelope(ret=ret))).iter_parts()
        assert returned.get_content_type() == "text/rfc822-headers"
        assert b"Dear customer" not in composed(report(envelope=envelope(ret=ret)))


@pytest.mark.parametrize(
    "original",
    [
        Original(HEADER, None, "The offer"),
        Original(HEADER, "grüße\r\n".encode(), "The offer"),
        Original(HEADER, b"x" * 999 + b"\r\n", "The offer"),
        Original(HEADER, b"a\0b\r\n", "The offer"),
    ],
)
def test_what_cannot_travel_seven_bit_comes_back_as_its_header_section(original):
    """RET=FULL yields to what every hop can take: large, 8-bit and long-lined messages are not attached."""
    message = report(original=original, envelope=envelope(ret="FULL"))
    assert composed(message).isascii()
    *_, returned = parsed(message).iter_parts()
    assert returned.get_content_type() == "text/rfc822-headers"


@pytest.mark.parametrize("action", [Action.DELAYED, Action.RELAYED])
def test_only_failures_return_the_message(action):
    """RET=FULL is for failures: other reports return the header section (RFC 3461 §4.3)."""
    *_, returned = parsed(report(action=action, envelope=envelope(ret="FULL"))).iter_parts()
    assert returned.get_content_type() == "text/rfc822-headers"


def test_raw_octets_in_the_header_section_are_encoded():
    """A header section with raw 8-bit octets comes back octet by octet, encoded."""
    header = b"Subject: caf\xe9\r\nFrom: ana@example.com\r\n"
    message = report(original=Original(header, None, "caf?"))
    assert composed(message).isascii()
    *_, returned = parsed(message).iter_parts()
    assert returned["Content-Transfer-Encoding"] == "quoted-printable"
    assert returned.get_payload(decode=True).replace(b"\n", b"\r\n").replace(b"\r\r\n", b"\r\n") == header


def test_a_huge_header_section_is_cut():
    """No more of a header section is returned than HEADER_LIMIT."""
    message = report(original=Original(b"X: y\r\n" * HEADER_LIMIT, None, ""))
    assert len(composed(message)) < HEADER_LIMIT + 5000


def test_addresses_in_utf_8_of_a_smtputf8_sender():
    """With SMTPUTF8 the global forms are used (RFC 6533 §3, §4), and the report is 7-bit all the same."""
    wide = Reported("jürgen@müller.example", "utf-8;jürgen@müller.example", "5.1.1", "550 5.1.1 grüße", "mx")
    message = report(
        wide,
        envelope=envelope(smtputf8=True),
        original=Original("Subject: Grüße\r\n".encode(), None, "Grüße"),
    )
    assert composed(message).isascii()
    assert not dsn.is_wide(message)
    _, status, returned = parsed(message).iter_parts()
    assert status.get_content_type() == "message/global-delivery-status"
    assert returned.get_content_type() == "message/global-headers"
    decoded = composed_part(message, 2)
    assert "Final-Recipient: utf-8; jürgen@müller.example" in decoded
    assert "Original-Recipient: utf-8; jürgen@müller.example" in decoded
    assert "Diagnostic-Code: smtp; 550 5.1.1 grüße" in decoded


def composed_part(which: Report, number: int) -> str:
    """Give one encoded part decoded; the email package leaves message/global-* alone."""
    import quopri

    part = composed(which).split(b"--=_boundary\r\n")[number].partition(b"\r\n\r\n")[2]
    return quopri.decodestring(part).decode()


def test_addresses_in_utf_8_for_a_sender_without_smtputf8():
    """Without SMTPUTF8 such an address is written in ASCII (utf-8-addr-xtext, RFC 6533 §3)."""
    wide = Reported("jürgen@example.org", None, "5.6.7", "553 5.6.7 grüße", "mx")
    group = status_groups(report(wide))[1]
    assert group["Final-Recipient"] == "utf-8; j\\x{FC}rgen@example.org"
    assert group["Diagnostic-Code"] == "smtp; 553 5.6.7 gr??e"


def test_a_sender_beyond_ascii_gets_a_report_that_needs_smtputf8():
    """The only report that is not 7-bit is one to an address that is not."""
    path = replace(envelope(smtputf8=True), reverse_path=mailbox("añá@example.com"))
    message = report(envelope=path)
    assert dsn.is_wide(message)
    assert "To: <añá@example.com>".encode() in composed(message)


def test_a_smtputf8_header_that_is_not_utf_8_is_no_global_header():
    """message/global-headers is for UTF-8 alone."""
    message = report(envelope=envelope(smtputf8=True), original=Original(b"Subject: \xe9\r\n", None, ""))
    *_, returned = parsed(message).iter_parts()
    assert returned.get_content_type() == "text/rfc822-headers"


def test_the_words_of_a_failure():
    """The text says what failed, for whom, why, and what to do."""
    text = words(report())
    assert "Your message was not delivered to this recipient" in text
    assert "Subject: The offer" in text
    assert "<bob@example.org> The reason, at mx.example.org: 550 5.1.1 No such user" in text
    assert "What you can do: Check the address for a typing mistake" in text
    assert "mail relay at relay.example.com" in text
    two = words(report(GONE, replace(GONE, address="carl@example.org")))
    assert "these 2 recipients" in two
    assert "<carl@example.org>" in two


def test_the_words_of_giving_up():
    """An expired delivery is told as such, with the last answer."""
    expired = replace(GONE, status="4.4.1", reply="451 4.4.1 refused", hop="", expired=True)
    text = words(report(expired))
    assert "has tried for as long as it may and given up. The last answer: 451 4.4.1 refused" in text
    assert "Send the message again later" in text


def test_the_words_of_a_delay():
    """A delay asks for nothing and says until when it is tried; Will-Retry-Until says it to programs."""
    message = report(action=Action.DELAYED, retry_until=NOW + 3600 * 1_000_000)
    assert "There is nothing that you need to do" in words(message)
    assert "until Mon, 21 Sep 2026 15:13:20 +0000" in words(message)
    assert "What you can do" not in words(message)
    assert status_groups(message)[1]["Will-Retry-Until"] == "Mon, 21 Sep 2026 15:13:20 +0000"
    assert parsed(message)["Subject"] == "Delayed: The offer"
    assert "goes on trying and tells you" in words(report(action=Action.DELAYED))


def test_the_words_of_passing_on():
    """A relayed report says that nothing more will be heard."""
    for hop in ("mx.example.org", ""):
        message = report(replace(GONE, status="2.0.0", reply="250 Ok", hop=hop), action=Action.RELAYED)
        assert "does not report deliveries" in words(message)
        assert status_groups(message)[1]["Action"] == "relayed"
        assert parsed(message)["Subject"] == "Passed on: The offer"
    assert "Taken by the next server: 250 Ok" in words(message)


def test_every_status_has_advice():
    """Known codes have advice of their own, others point to the administrator."""
    assert "too large" not in dsn_words.advice(replace(GONE, status="5.9.9"))
    assert "administrator" in dsn_words.advice(replace(GONE, status="5.9.9"))
    assert "full" in dsn_words.advice(replace(GONE, status="5.2.2"))
    assert "full" in dsn_words.advice(replace(GONE, status="4.2.2"))


def test_a_message_without_a_subject_is_named_so():
    """No subject at all reads as such."""
    message = report(original=Original(b"", None, ""))
    assert parsed(message)["Subject"] == "Not delivered: (no subject)"
    assert len(dsn_words.subject(report(original=Original(b"", None, "x" * 9999)))) <= 200


def test_one_line_takes_controls_and_direction_marks_out():
    """Nobody's words may break out of their line, hide, or turn the direction of writing."""
    assert one_line(" a\r\nb\x00c\u202ed\ud800e ") == "a b c d e"
    assert FULL_LIMIT < 64 * 1024
