"""Compose delivery status notifications: multipart/report as RFC 3464, 6522, 3461 and 6533 have it.

Pure: dates, ids and the boundary are arguments. The result is in wire form (CRLF, dot-stuffed) and always 7-bit
but for a sender whose own address is not ASCII, so that no hop can be too old for a report. Only what is handed in
stands in it: a log copy is nobody's recipient and never gets here (RFC 3461 §5.2.2 has no say in it).
"""

import quopri
import re
from datetime import UTC, datetime
from email.header import Header as EncodedHeader
from email.utils import format_datetime

from relay.envelope import reverse_path_text
from relay.ids import QueueId
from relay.queue import dsn_words
from relay.queue.report import HEADER_LIMIT, Action, Report, Reported, Reporter, one_line

_LONGEST_LINE = 998
_XTEXT = re.compile(r"\+([0-9A-F]{2})")
_PRINTABLE = re.compile(r"[\x20-\x7e]*")
_IP_ADDRESS = re.compile(r"[0-9.]+|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*")
_MESSAGE_ID = re.compile(r"<[\x21-\x3b\x3d\x3f-\x7e]{1,250}>")


def is_wide(report: Report) -> bool:
    """Tell whether the report itself needs SMTPUTF8: its only recipient, the sender, is not ASCII."""
    return not reverse_path_text(report.envelope.reverse_path).isascii()


def compose(report: Report, reporter: Reporter, queue_id: QueueId, boundary: str) -> bytes:
    """Give the report in wire form. `queue_id` is the report's own; `boundary` must be unguessable."""
    parts = (_words(report, reporter), _delivery_status(report, reporter), _returned(report))
    lines = [*_header(report, reporter, queue_id, boundary), "", ""]
    content = "\r\n".join(lines).encode()
    for part in parts:
        content += b"--" + boundary.encode() + b"\r\n" + part + b"\r\n"
    return _stuffed(content + b"--" + boundary.encode() + b"--\r\n")


def _header(report: Report, reporter: Reporter, queue_id: QueueId, boundary: str) -> list[str]:
    threads = report.message_id if _MESSAGE_ID.fullmatch(report.message_id or "") else None
    return [
        f"From: Mail Delivery System <{reporter.sender}>",
        f"To: <{one_line(reverse_path_text(report.envelope.reverse_path))}>",
        f"Subject: {_encoded(one_line(dsn_words.subject(report)))}",
        f"Date: {rfc5322_date(report.at)}",
        f"Message-ID: <{queue_id}@{reporter.hostname}>",
        *([f"In-Reply-To: {threads}", f"References: {threads}"] if threads else []),
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        "Content-Type: multipart/report; report-type=delivery-status;",
        f' boundary="{boundary}"',
    ]


def _encoded(subject: str) -> str:
    if subject.isascii():
        return subject
    return EncodedHeader(subject, "utf-8", header_name="Subject").encode(linesep="\r\n")


def _words(report: Report, reporter: Reporter) -> bytes:
    until = rfc5322_date(report.retry_until) if report.retry_until else ""
    text = dsn_words.text(report, reporter.hostname, rfc5322_date(report.accepted_at), until)
    return _part("text/plain; charset=utf-8", "Notification", text.replace("\n", "\r\n").encode())


def _delivery_status(report: Report, reporter: Reporter) -> bytes:
    # RFC 6533 §3: addresses in UTF-8 need the message/global form; a sender who did not use SMTPUTF8
    # gets the ASCII form of them.
    wide = report.envelope.smtputf8 and not all(
        (one.address + (one.orcpt or "")).isascii() for one in report.recipients
    )
    groups = [_of_message(report, reporter)] + [_of_recipient(report, one, wide) for one in report.recipients]
    text = "\r\n\r\n".join("\r\n".join(_folded(line) for line in group) for group in groups) + "\r\n"
    kind = "message/global-delivery-status" if wide else "message/delivery-status"
    return _part(kind, "Delivery report", text.encode())


def _of_message(report: Report, reporter: Reporter) -> list[str]:
    envid = report.envelope.envid
    return [
        *([f"Original-Envelope-Id: {_from_xtext(envid)}"] if envid else []),
        f"Reporting-MTA: dns; {reporter.hostname}",
        f"X-Queue-Id: {report.message}",
        f"Arrival-Date: {rfc5322_date(report.accepted_at)}",
    ]


def _of_recipient(report: Report, one: Reported, wide: bool) -> list[str]:
    reply = one_line(one.reply)
    said_by = "smtp" if one.hop else "x-relay"
    retry = [f"Will-Retry-Until: {rfc5322_date(report.retry_until)}"] if report.retry_until else []
    return [
        *([f"Original-Recipient: {_original_recipient(one.orcpt, wide)}"] if one.orcpt else []),
        f"Final-Recipient: {_typed_address(one.address, wide)}",
        f"Action: {report.action}",
        f"Status: {one.status}",
        *([f"Remote-MTA: dns; {_host_of(one.hop)}"] if one.hop else []),
        *([f"Diagnostic-Code: {said_by}; {reply if wide else _to_ascii(reply)}"] if reply else []),
        f"Last-Attempt-Date: {rfc5322_date(report.at)}",
        *retry,
    ]


def _returned(report: Report) -> bytes:
    """Give the part that returns the message, or its header section, by RET (RFC 3461 §4.3)."""
    original = report.original
    full = report.action is Action.FAILED and report.envelope.ret == "FULL" and original.body is not None
    whole = original.header + b"\r\n" + (original.body or b"")
    if full and _is_7bit(whole):
        return _part("message/rfc822", "Undelivered message", whole)
    # An 8-bit message is not attached: the report would be lost at a hop without 8BITMIME, and MIME allows
    # no encoding around message/rfc822 (RFC 2046 §5.2.1). Its header section can be encoded.
    header = original.header[:HEADER_LIMIT]
    wide = report.envelope.smtputf8 and not header.isascii() and _is_utf8(header)
    return _part("message/global-headers" if wide else "text/rfc822-headers", "Message header", header)


def _part(kind: str, description: str, data: bytes) -> bytes:
    """Give a body part, encoded as quoted-printable when it is not plain 7-bit."""
    head = f"Content-Type: {kind}\r\nContent-Description: {description}\r\n"
    if not _is_7bit(data):
        head += "Content-Transfer-Encoding: quoted-printable\r\n"
        data = quopri.encodestring(data.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    return head.encode() + b"\r\n" + data


def _is_7bit(data: bytes) -> bool:
    return (
        data.isascii()
        and b"\0" not in data
        and all(len(line) <= _LONGEST_LINE for line in data.split(b"\r\n"))
    )


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _stuffed(content: bytes) -> bytes:
    return content.replace(b"\r\n.", b"\r\n..")


def _typed_address(address: str, wide: bool) -> str:
    if address.isascii():
        return f"rfc822; {one_line(address)}"
    return f"utf-8; {one_line(address) if wide else _to_utf8_xtext(address)}"


def _original_recipient(orcpt: str, wide: bool) -> str:
    """Give ORCPT decoded from xtext (RFC 3461 §6.3.1); as it was given when that would not be printable."""
    kind, separator, value = orcpt.partition(";")
    if not separator:
        return _to_ascii(one_line(orcpt))
    decoded = one_line(value) if kind.lower() == "utf-8" else _from_xtext(value)
    return f"{_to_ascii(one_line(kind))}; {decoded if wide else _to_ascii(decoded)}"


def _from_xtext(value: str) -> str:
    decoded = _XTEXT.sub(lambda match: chr(int(match[1], 16)), value)
    return decoded if _PRINTABLE.fullmatch(decoded) else _to_ascii(one_line(value))


def _to_utf8_xtext(address: str) -> str:
    r"""Write an address with `\x{HEX}` for what is not ASCII (utf-8-addr-xtext, RFC 6533 §3)."""
    return "".join(char if char.isascii() else f"\\x{{{ord(char):X}}}" for char in one_line(address))


def _host_of(hop: str) -> str:
    """Give a hop as RFC 3464 §2.1.2 names hosts: its name, or its address in brackets."""
    host = _to_ascii(one_line(hop)).strip("[]")
    return f"[{host}]" if _IP_ADDRESS.fullmatch(host) else host


def _to_ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode()


def _folded(line: str) -> str:
    """Fold a field at blanks so that no line is longer than a hop may be unable to take."""
    folded = [""]
    for word in line.split(" "):
        piece = word[: _LONGEST_LINE - 100]
        if folded[-1] and len(folded[-1]) + len(piece) > 76:
            folded.append("")
        folded[-1] += piece if not folded[-1] else " " + piece
    return "\r\n ".join(folded)


def rfc5322_date(instant: int) -> str:
    """Write an instant as RFC 5322 §3.3 has it, in UTC."""
    return format_datetime(datetime.fromtimestamp(instant // 1_000_000, UTC))
