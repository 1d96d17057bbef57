"""Properties of relay.queue.dsn: whatever hops and senders say, a report is a well-formed multipart/report."""

import email
import email.policy

from hypothesis import given
from hypothesis import strategies as st

from relay.ids import QueueId
from relay.queue import dsn
from relay.queue.report import Action, Original, Report, Reported, Reporter
from tests.support.builders import NOW, envelope

REPORTER = Reporter("postmaster@relay.example.com", "relay.example.com")
WORDS = st.text(max_size=300)
LOCALS = st.from_regex(r"[a-z0-9.+_-]{1,60}", fullmatch=True)
LINES = st.lists(
    st.binary(max_size=1200).map(lambda line: line.replace(b"\r", b"").replace(b"\n", b"")), max_size=8
)
OCTETS = LINES.map(lambda lines: b"".join(line + b"\r\n" for line in lines))
RECIPIENTS = st.builds(
    Reported,
    address=LOCALS.map(lambda local: f"{local}@example.org"),
    orcpt=st.none() | WORDS,
    status=st.sampled_from(["5.1.1", "4.4.7", "5.7.1"]),
    reply=WORDS,
    hop=st.sampled_from(["", "mx.example.org", "192.0.2.1", "2001:db8::1", "[192.0.2.1]"]),
    expired=st.booleans(),
)
REPORTS = st.builds(
    Report,
    action=st.sampled_from(Action),
    message=st.just(QueueId("01HQ8Z5W6K3RT")),
    envelope=st.builds(envelope, smtputf8=st.booleans(), ret=st.sampled_from([None, "FULL", "HDRS"]), envid=st.none() | WORDS),
    accepted_at=st.just(NOW),
    message_id=st.none() | WORDS,
    original=st.builds(Original, header=OCTETS, body=st.none() | OCTETS, subject=WORDS),
    recipients=st.lists(RECIPIENTS, min_size=1, max_size=5).map(tuple),
    at=st.just(NOW),
    retry_until=st.none() | st.just(NOW + 1),
)  # fmt: skip


@given(REPORTS)
def test_a_report_is_always_well_formed(report):
    """Three parts, a group for each recipient, addressed to the reverse-path, and fit for any hop."""
    wire = dsn.compose(report, REPORTER, QueueId("01REPORT00001"), "=_5e1f1c8a")
    assert wire.isascii()
    assert b"\0" not in wire
    assert wire.endswith(b"\r\n")
    lines = wire.split(b"\r\n")
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    assert all(len(line) <= 999 for line in lines)  # 998, and a dot of transparency
    assert not any(line.startswith(b".") and not line.startswith(b"..") for line in lines)
    message = email.message_from_bytes(wire.replace(b"\r\n.", b"\r\n"), policy=email.policy.default)
    assert message.get_content_type() == "multipart/report"
    assert message["To"] == "ana@example.com"
    assert message["Bcc"] is None
    words, status, _ = message.iter_parts()
    assert words.get_content_type() == "text/plain"
    if status.get_content_type() == "message/delivery-status":
        groups = [group for group in status.get_payload() if group.keys()]
        finals = [group["Final-Recipient"] for group in groups[1:]]
        assert finals == [f"rfc822; {one.address}" for one in report.recipients]
        assert {group["Action"] for group in groups[1:]} == {report.action.value}
