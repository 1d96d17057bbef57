"""What the sender asked for by control addresses, put into the facts of a message before it is matched.

Pure.
"""

from dataclasses import replace

from relay.config.model import LoggingSettings
from relay.policy.controls import asked_by, is_control
from relay.policy.rules import control_domain
from relay.salesforce.model import Controls, MessageFacts


def with_controls(facts: MessageFacts, settings: LoggingSettings) -> MessageFacts:
    """Take the control addresses out of the recipients, and give what they ask for beside what is asked already."""
    domain = control_domain(settings)
    if not domain or not any(is_control(one.address, domain) for one in facts.recipients):
        return facts
    asked = asked_by((one.address for one in facts.recipients), domain)
    before = facts.controls
    return replace(
        facts,
        recipients=tuple(one for one in facts.recipients if not is_control(one.address, domain)),
        controls=Controls(
            headers_only=before.headers_only or asked.headers_only,
            related_to=tuple(dict.fromkeys((*before.related_to, *asked.records))),
        ),
    )
