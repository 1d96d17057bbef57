"""What the demonstration checks and how it tells: each finding is a statement that holds or not.

Pure. The secret address is compared in full and shown masked.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from relay.demo.captured import Captured
from relay.demo.samples import DemoMessage
from relay.directory.model import mask_address


@dataclass(frozen=True, slots=True)
class Finding:
    """One statement about what was seen, and whether it holds."""

    holds: bool
    text: str


def on_arrival(message: DemoMessage, arrived: Captured | None) -> list[Finding]:
    """Compare what the next hop got with what was promised."""
    if message.refusal:
        return [Finding(arrived is None, "nothing was sent on")]
    if arrived is None:
        return [Finding(False, "it arrived at the next hop")]
    secret = message.rep.email_to_salesforce
    wanted = [*(each for each in message.recipients if each not in message.reported)]
    others = sorted(each for each in arrived.addresses if each != secret)
    prefix = len(arrived.content) - len(message.expected)
    return [
        Finding(others == sorted(wanted), f"arrived for {', '.join(others)}"),
        _log_copy(message, arrived),
        Finding(
            arrived.content.endswith(message.expected),
            f"its {len(message.expected)} octets are the ones that were sent, behind {prefix} of the relay's own",
        ),
        Finding(secret.encode() not in arrived.content, "the log address is nowhere in it"),
    ]


def _log_copy(message: DemoMessage, arrived: Captured) -> Finding:
    secret = message.rep.email_to_salesforce
    count = arrived.addresses.count(secret)
    if message.logged:
        return Finding(count == 1, f"and once for {mask_address(secret)}, in the envelope only")
    if message.rep.mode == "api":
        return Finding(count == 0, "and not for Email to Salesforce")
    return Finding(count == 0, "and not for Salesforce")


def on_report(message: DemoMessage, report: Captured | None) -> list[Finding]:
    """Check the delivery report about the recipients that the next hop refused."""
    if report is None:
        return [Finding(False, "a delivery report came back")]
    named = all(each.encode() in report.content for each in message.reported)
    kept = message.rep.email_to_salesforce.encode() not in report.content
    return [
        Finding(
            report.addresses == (message.sender,) and named,
            f"a delivery report about {', '.join(message.reported)} went from <> to {message.sender}",
        ),
        Finding(kept, "the log address is not in the report"),
    ]


def on_records(message: DemoMessage, recorded: Sequence[str]) -> list[Finding]:
    """Compare what is in Salesforce because of a message with what was promised."""
    if not message.records and not recorded:
        return [Finding(True, "nothing of it is in Salesforce")]
    found = Counter(recorded)
    findings = [Finding(found[each] > 0, f"in Salesforce: {each}") for each in message.records]
    surplus = found - Counter(message.records)
    return findings + [Finding(False, f"in Salesforce, and should not be: {each}") for each in surplus]


def failed(findings: Sequence[Finding]) -> list[Finding]:
    """Give those that do not hold."""
    return [finding for finding in findings if not finding.holds]
