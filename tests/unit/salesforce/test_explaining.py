"""What would become of a mail, explained step by step; and examples of rules."""

import pytest

from relay.directory.model import Directory
from relay.errors import AddressError, ConfigError
from relay.policy.rules import Rules, compile_rules
from relay.salesforce.explaining import Explanation, explain, facts_of, is_left_out, tried
from relay.salesforce.rule_examples import Result, read_examples, rule_fits, run_examples
from tests.support.policy import LOG_COPY, place, rep, settings

MAIL = b"From: ana@example.com\r\nTo: Kund <k@customer.test>\r\nCc: bo@example.com\r\nSubject: Offer\r\n\r\n"


def rules(**logging: object) -> Rules:
    """Compile rules of api mode."""
    given = settings({"mode": "api", **logging})
    return compile_rules(given, place, [rep()], hostname="relay.example.com")


def explained(
    wire: bytes = MAIL, *recipients: str, sender: str | None = None, **logging: object
) -> Explanation:
    """Explain a mail of Ana's."""
    return explain(tried(wire, rep(), recipients, sender), rules(**logging))


def test_mail_that_is_recorded() -> None:
    """Every step is there with its rule, and who is looked up: the customer, not the colleague."""
    found = explained()
    assert (found.outcome, found.mode, found.rule) == ("log", "api", "logging.mode (config.yaml:12)")
    assert [one.title for one in found.steps] == [
        "rep", "sender", "exclusions", "mode", "recipient", "recipient", "decision",
    ]  # fmt: skip
    assert found.looked_up == ("k@customer.test",)
    assert "not looked up: bo@example.com is one of ours" in found.steps[5].text


def test_blind_copies_are_looked_up_by_setting_alone() -> None:
    """Who is in the envelope and not in the header is a blind copy."""
    recipients = ("k@customer.test", "blind@customer.test")
    assert explained(MAIL, *recipients).looked_up == recipients[:1]
    assert explained(MAIL, *recipients, capture={"bcc_recipients": True}).looked_up == recipients


def test_a_control_address_is_not_said_to_be_forwarded_to() -> None:
    """It says what it asks for; nobody is looked up by it, also where blind copies are."""
    to = ("k@customer.test", "headers@log.example.com")
    asked = {"controls": {"domain": "log.example.com"}, "capture": {"bcc_recipients": True}}
    found = explained(MAIL, *to, **asked)
    assert [one.text for one in found.steps if one.title == "recipient"] == [
        "k@customer.test: forwarded",
        "headers@log.example.com: not forwarded: a control address, nobody to send to: "
        "it asked to log this mail without its body",
    ]
    assert found.looked_up == to[:1]
    facts = facts_of(tried(MAIL, rep(), to), found, 0)
    assert [one.address for one in facts.recipients] == ["k@customer.test"]


def test_mail_that_is_skipped() -> None:
    """The reason and the line that says so."""
    found = explained(MAIL, "bo@example.com")
    assert (found.outcome, found.rule) == ("skipped", "logging.exclude.internal (config.yaml:15)")
    assert found.steps[2].verdict == "no"


def test_mail_that_is_refused() -> None:
    """The reply that the client would see."""
    found = explained(sender="evil@customer.test")
    assert found.outcome == "refused"
    assert found.reply.startswith("550 5.7.1")
    assert found.deliveries == ()


def test_signed_blind_copies() -> None:
    """A Bcc field that a signature covers is refused."""
    found = explained(b"Bcc: x@y.test\r\nDKIM-Signature: v=1; h=from:bcc\r\n" + MAIL)
    assert (found.outcome, found.rule) == ("refused", "limits.signed_bcc")


def test_the_secret_address_is_masked() -> None:
    """A log copy is shown as everywhere else."""
    found = explained(mode="bcc")
    assert found.outcome == "log"
    assert LOG_COPY not in repr(found)
    assert explained(MAIL, "k@customer.test", LOG_COPY).outcome == "given"
    assert LOG_COPY not in repr(explained(MAIL, "k@customer.test", LOG_COPY))


def test_what_is_no_address() -> None:
    """A recipient that cannot be one is told at once; one in the header is passed over."""
    with pytest.raises(AddressError):
        tried(MAIL, rep(), ["nonsense"])
    assert tried(b"To: a@@b, k@customer.test\r\n\r\n", rep()).recipients[0].local == "k"


def test_facts_for_the_records() -> None:
    """As if it had been delivered to everybody just now."""
    mail = tried(MAIL, rep())
    facts = facts_of(mail, explain(mail, rules()), 7)
    assert [one.address for one in facts.recipients] == ["k@customer.test", "bo@example.com"]
    assert (facts.subject, facts.sent_at) == ("Offer", 7)


def test_who_is_left_out() -> None:
    """Internal and excluded recipients, whatever their case."""
    compiled = rules(exclude={"recipients": ["*@bank.test"]})
    assert is_left_out("Bo@Example.com", rep(), compiled)
    assert is_left_out("desk@bank.test", rep(), compiled)
    assert not is_left_out("k@customer.test", rep(), compiled)


EXAMPLES = """\
tests:
  - name: colleagues are not logged
    as: ana
    to: [bo@example.com]
    expect: {outcome: skipped, rule: exclude.internal}
  - name: a customer copied with a colleague
    as: ana
    to: buyer@customer.example
    cc: [bo@example.com]
    subject: Offer
    expect: {outcome: log, mode: api, relate: [buyer@customer.example]}
  - name: lists are not logged
    as: ana
    to: [buyer@customer.example]
    headers: {List-Id: <x.y>}
    expect: {outcome: skipped, rule: exclude.automated}
  - name: somebody else's address
    as: ana
    from: evil@customer.test
    to: [buyer@customer.example]
    expect: {outcome: refused, rule: unacceptable_sender}
"""


def run(text: str) -> tuple[Result, ...]:
    """Run examples with the rules of api mode."""
    return run_examples(read_examples(text, "t.yaml"), Directory([rep()]), rules(), lambda _: True)


def test_examples_that_pass() -> None:
    """What is expected is what happens."""
    assert [one.problems for one in run(EXAMPLES)] == [()] * 4


@pytest.mark.parametrize(
    ("expect", "told"),
    [
        ("{outcome: skipped}", "the outcome is log, not skipped"),
        (
            "{outcome: log, rule: exclude.internal}",
            "the rule is logging.mode (config.yaml:12), not exclude.internal",
        ),
        ("{outcome: log, mode: bcc}", "the mode is api, not bcc"),
        ("{outcome: log, relate: [x@y.test]}", "it is related to k@customer.test, not x@y.test"),
        ("{outcome: log, relate: []}", "it is related to k@customer.test, not nobody"),
    ],
)
def test_examples_that_fail(expect: str, told: str) -> None:
    """Each difference is told."""
    (result,) = run(f"tests:\n  - {{as: ana, to: [k@customer.test], expect: {expect}}}\n")
    assert result.problems[0].startswith(told)


@pytest.mark.parametrize("line", ["{as: nobody, to: [a@b.test], expect: {outcome: log}}",
                                  "{as: ana, to: [nonsense], expect: {outcome: log}}"])  # fmt: skip
def test_examples_that_cannot_be_run(line: str) -> None:
    """A rep who is not there, an address that is none: the example fails and says why."""
    (result,) = run(f"tests:\n  - {line}\n")
    assert result.problems


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "must begin with `tests:`"),
        ("tests: x", "must begin with `tests:`"),
        ("other: 1\ntests: []", "is not known here"),
        ("tests: [x]", "must be a mapping"),
        (
            "tests: [{as: ana, to: [a@b], expect: {outcome: nonsense}}]",
            '"nonsense" is not one of log, skipped, refused, given',
        ),
        ("tests: [{as: ana, to: [a@b], expect: {}}]", "is required: log, skipped, refused, given"),
        ("tests: [{to: [a@b], expect: {outcome: log}}]", "the login of a rep"),
        ("tests: [{as: ana, expect: {outcome: log}}]", "somebody must get the mail"),
        ("tests: [{as: ana, to: {a: b}, expect: {outcome: log}}]", "must be a list of addresses"),
        ("tests: [{as: [ana], to: [a@b], expect: {outcome: log}}]", "must be a text"),
        ("tests: [{as: ana, too: [a@b], to: [a@b], expect: {outcome: log}}]", "is not known here"),
        ("tests: [", "is not YAML"),
    ],
)
def test_mistakes_have_their_place(text: str, problem: str) -> None:
    """A file that cannot be used is told with line and column."""
    with pytest.raises(ConfigError) as caught:
        read_examples(text, "t.yaml")
    assert any(problem in one.text for one in caught.value.problems)
    assert all(one.file == "t.yaml" and one.line > 0 for one in caught.value.problems)


def test_rules_are_meant_by_part_of_their_path() -> None:
    """Whole names only."""
    assert rule_fits("exclude.internal", "logging.exclude.internal (config.yaml:31)")
    assert rule_fits("exclude.recipients", "logging.exclude.recipients.0 (config.yaml:31)")
    assert not rule_fits("exclude.intern", "logging.exclude.internal (config.yaml:31)")
