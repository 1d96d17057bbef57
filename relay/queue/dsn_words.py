"""The words of a delivery report: what happened, for whom, why, and what the sender can do.

Pure. Written for salespeople; the machine-readable part beside it is for programs.
"""

import textwrap
from typing import assert_never

from relay.queue.report import Action, Report, Reported, one_line

_WIDTH = 76
_SUBJECT_LIMIT = 200
_REPLY_LIMIT = 1000

_CHECK_ADDRESS = "Check the address for a typing mistake, then send the message again."
_CHECK_DOMAIN = "Check the part after the @ for a typing mistake, then send the message again."
_LATER = "Send the message again later, or reach the recipient in another way."
_SMALLER = "Send large files as a link, or in several messages."
_ADMINISTRATOR = "Show this report to your administrator if you cannot see why."

_ADVICE = {
    "1.1": _CHECK_ADDRESS,
    "1.2": _CHECK_DOMAIN,
    "1.3": _CHECK_ADDRESS,
    "1.10": "This domain takes no mail at all. Ask the recipient for another address.",
    "2.1": "The mailbox is switched off. Ask the recipient for another address.",
    "2.2": "The mailbox is full. " + _LATER,
    "2.3": _SMALLER,
    "3.4": _SMALLER,
    "4.4": _CHECK_DOMAIN,
    "4.7": _LATER,
    "6.3": "The recipient's server cannot take this kind of message. Send it as plain text or as an attachment.",
    "6.7": "The recipient's server does not know addresses in this alphabet. Ask for another address.",
    "7.1": "The recipient's server does not allow this message. " + _ADMINISTRATOR,
}
"""What to do, by the subject and detail of an enhanced status code (RFC 3463 §3)."""

_SUBJECTS = {Action.FAILED: "Not delivered", Action.DELAYED: "Delayed", Action.RELAYED: "Passed on"}


def subject(report: Report) -> str:
    """Give the report's subject, which names the message's own."""
    return f"{_SUBJECTS[report.action]}: {report.original.subject or '(no subject)'}"[:_SUBJECT_LIMIT]


def text(report: Report, hostname: str, sent_at: str, retry_until: str) -> str:
    """Give the text part, lines ended by a line feed."""
    blocks = [
        _opening(report, retry_until),
        _which(report, sent_at),
        *(_about(report.action, one) for one in report.recipients),
        f"This report was written by the mail relay at {hostname}; nobody reads answers to it.",
    ]
    return "\n\n".join(blocks) + "\n"


def _opening(report: Report, retry_until: str) -> str:
    whom = "this recipient" if len(report.recipients) == 1 else f"these {len(report.recipients)} recipients"
    match report.action:
        case Action.FAILED:
            words = f"Your message was not delivered to {whom}, and no more attempts are made. Other recipients of the same message are not affected."
        case Action.DELAYED:
            words = f"Your message has not been delivered to {whom} yet. There is nothing that you need to do: the relay goes on trying{retry_until and f' until {retry_until}'} and tells you if it gives up."
        case Action.RELAYED:
            words = f"Your message to {whom} was passed on to a server that does not report deliveries. You will hear nothing more unless it fails."
        case _:
            assert_never(report.action)
    return _wrapped(words)


def _which(report: Report, sent_at: str) -> str:
    title = one_line(report.original.subject) or "(no subject)"
    return f"  Subject:  {title}\n  Sent:     {sent_at}\n  Queue id: {report.message}"


def _about(action: Action, one: Reported) -> str:
    lines = [f"<{one.address}>", _wrapped(_why(action, one), "    ")]
    if action is Action.FAILED:
        lines.append(_wrapped("What you can do: " + advice(one), "    "))
    return "\n".join(lines)


def _why(action: Action, one: Reported) -> str:
    said = one_line(one.reply)[:_REPLY_LIMIT]
    where = f", at {one.hop}" if one.hop else ""
    match action:
        case Action.FAILED if one.expired:
            return f"The relay has tried for as long as it may and given up. The last answer{where}: {said}"
        case Action.FAILED:
            return f"The reason{where}: {said}"
        case Action.DELAYED:
            return f"The last answer{where}: {said}"
        case Action.RELAYED:
            return f"Taken by {one.hop or 'the next server'}: {said}"
        case _:
            assert_never(action)


def advice(one: Reported) -> str:
    """Give what the sender of a message that failed can do."""
    if one.expired:
        return _LATER
    return _ADVICE.get(one.status.partition(".")[2], _ADMINISTRATOR)


def _wrapped(words: str, indent: str = "") -> str:
    return textwrap.fill(
        words,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
    )
