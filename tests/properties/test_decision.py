"""Properties of decisions: nothing is planned that was not asked for, and nothing that was asked for is lost."""

import re

from hypothesis import given
from hypothesis import strategies as st

from relay.address import comparable, parse_mailbox
from relay.config.model import Mode
from relay.delivery_kind import Role
from relay.policy.decision import Accept, decide
from relay.policy.subjects import PatternError, compile_subject, find_subject
from tests.support.builders import envelope
from tests.support.policy import LOG_COPY, header, rep, rules

_people = st.sampled_from(
    [
        "buyer@customer.example",
        "BUYER@Customer.example",
        "bo@example.com",
        "desk@bank.example",
        "x@gmail.com",
        LOG_COPY,
    ]
)
_lines = st.sampled_from(
    [
        "From: ana@example.com", "From: x@evil.example", "From: a:b;", "Subject: [private]", "Precedence: bulk",
        "Received: by relay.example.com with ESMTPS id 0123456789ABC; now", "Bcc: x@y", "text",
    ]
)  # fmt: skip


@given(
    people=st.lists(_people, min_size=1, max_size=8),
    lines=st.lists(_lines, max_size=4),
    sender=st.sampled_from([None, "ana@example.com", "x@evil.example"]),
    mode=st.sampled_from([None, *Mode]),
    known=st.booleans(),
    signed_in=st.booleans(),
    forward=st.booleans(),
    when=st.sampled_from(["all", "any"]),
)
def test_the_plan(
    people: list[str],
    lines: list[str],
    sender: str | None,
    mode: Mode | None,
    known: bool,
    signed_in: bool,
    forward: bool,
    when: str,
) -> None:
    """Recipients are exactly the forward-paths, each once; besides them there are log copies to the rep's own
    address alone; there is a row for the CRM always; and what is skipped says why and by which rule.
    """
    ana = rep(mode=mode)
    by = rules(
        {
            "unacceptable_sender": "forward" if forward else "refuse",
            "exclude": {"recipients": ["*@bank.example"], "subjects": [r"^\[private\]"], "when": when},
        },
        [ana, rep("bo", ["bo@example.com", "bo@gmail.com"], None)],
    )
    mail = header(*lines)
    decision = decide(envelope(sender, people), mail, ana if known else None, by, signed_in=signed_in)
    if not isinstance(decision, Accept):
        assert known
        assert signed_in
        assert not forward
        return
    asked = {comparable(parse_mailbox(one)) for one in people}
    planned = [
        comparable(parse_mailbox(one.target)) for one in decision.deliveries if one.role is Role.RECIPIENT
    ]
    copies = [one for one in decision.deliveries if one.role is Role.LOG_COPY]
    assert sorted(planned) == sorted(asked - {LOG_COPY})
    assert {one.target for one in copies} <= {"", LOG_COPY}
    assert sum(one.target == LOG_COPY for one in copies) <= 1
    assert all(one.notify == "NEVER" for one in copies if one.target)
    assert all(bool(one.skipped) == (one.target == "") for one in decision.deliveries)
    assert len(decision.deliveries) > len(planned)
    assert all(one.rule for one in decision.deliveries if one.role is not Role.RECIPIENT)
    assert decision.rule
    assert "salesforce.com" not in decision.why


@given(st.text("ab*+?()|[]{}^$.\\d12,", max_size=14), st.text("abd1. ", max_size=12))
def test_subject_patterns_agree_with_re(pattern: str, text: str) -> None:
    """A pattern that is taken fits where Python's own engine finds it."""
    try:
        compiled = compile_subject(pattern, "rule")
    except PatternError:
        return
    assert (find_subject([compiled], text) is not None) == bool(re.search(pattern, text, re.IGNORECASE))
