"""relay.policy.decision: refuse a message, or plan each of its deliveries."""

from collections.abc import Mapping

import pytest

from relay.address import Address
from relay.config.model import Mode
from relay.delivery_kind import Role, Transport
from relay.directory.model import Rep
from relay.envelope import Envelope, Recipient
from relay.message import Header
from relay.policy.decision import (
    CAME_ROUND,
    GIVEN,
    NOBODY_TO_LOG,
    Accept,
    PlannedDelivery,
    Refuse,
    bcc_policy,
    check_sender,
    decide,
    rep_of,
    shown_recipients,
)
from tests.support.builders import envelope, mailbox
from tests.support.policy import LOG_COPY, header, rep, rules

MAIL = header("From: ana@example.com", "To: buyer@customer.example", "Subject: Offer")
OUT = "buyer@customer.example"
OURS = "Received: from c ([192.0.2.1]) by relay.example.com with ESMTPSA id 0123456789ABC; now"


def accepted(
    *recipients: str,
    mail: Header = MAIL,
    sender: str | None = "ana@example.com",
    who: Rep | None = None,
    logging: Mapping[str, object] | None = None,
    signed_in: bool = True,
) -> Accept:
    """Decide about a mail that must be accepted; to one customer when no recipients are named."""
    rep_ = who or rep()
    decision = decide(
        envelope(sender, recipients or (OUT,)), mail, rep_, rules(logging, [rep_]), signed_in=signed_in
    )
    assert isinstance(decision, Accept)
    return decision


def logged(decision: Accept) -> PlannedDelivery:
    """Give the one delivery that is no recipient's."""
    (one,) = [delivery for delivery in decision.deliveries if delivery.role is not Role.RECIPIENT]
    return one


def test_a_log_copy_is_added() -> None:
    """A rep's mail gets one delivery for the recipient and one log copy, which never causes a report."""
    assert accepted() == Accept(
        deliveries=(
            PlannedDelivery(Role.RECIPIENT, Transport.SMTP, OUT),
            PlannedDelivery(
                Role.LOG_COPY, Transport.SMTP, LOG_COPY, notify="NEVER", rule="logging.mode (config.yaml:12)"
            ),
        ),
        mode=Mode.BCC,
        why="1 recipient, log copy added",
        rule="logging.mode (config.yaml:12)",
    )


def test_forward_paths_keep_their_case_and_options() -> None:
    """What RCPT said travels on: the address as written, NOTIFY and ORCPT."""
    to = Recipient(Address("Buyer", "Customer.Example"), "SUCCESS,DELAY", "rfc822;B+2Buyer@x")
    decision = decide(Envelope(mailbox("ana@example.com"), (to,)), MAIL, rep(), rules())
    assert isinstance(decision, Accept)
    assert decision.deliveries[0] == PlannedDelivery(
        Role.RECIPIENT, Transport.SMTP, "Buyer@Customer.Example", "SUCCESS,DELAY", "rfc822;B+2Buyer@x"
    )


def test_the_same_forward_path_twice_is_one_delivery() -> None:
    """Forward-paths are compared as RFC 5321 says: the domain without case, the local part with it."""
    decision = accepted(
        "a@customer.example", "b@customer.example", "a@CUSTOMER.example", "A@customer.example"
    )
    people = [one.target for one in decision.deliveries if one.role is Role.RECIPIENT]
    assert people == ["a@customer.example", "b@customer.example", "A@customer.example"]
    assert decision.why == "3 recipients, log copy added"


def test_mode_off() -> None:
    """Logging that is off leaves a row for the CRM, too, skipped with its reason and the rule that says so."""
    decision = accepted(who=rep(mode=Mode.OFF))
    row = logged(decision)
    rule = "users.0.mode (users.d/ana.yaml:14)"
    assert row == PlannedDelivery(Role.LOG_COPY, Transport.SMTP, "", skipped="logging is off", rule=rule)
    assert decision.why == "1 recipient, not logged: logging is off"


@pytest.mark.parametrize(
    ("mode", "why"),
    [
        (Mode.API, "1 recipient, to be recorded in Salesforce"),
        (Mode.OBSERVE, "1 recipient, observed only: nothing is written to Salesforce"),
    ],
)
def test_modes_with_a_record(mode: Mode, why: str) -> None:
    """Where mail goes into the CRM by its API a record is planned, also where it is only observed."""
    decision = accepted(who=rep(mode=mode))
    rule = "users.0.mode (users.d/ana.yaml:14)"
    assert logged(decision) == PlannedDelivery(Role.RECORD, Transport.SALESFORCE, "salesforce", rule=rule)
    assert decision.why == why


def test_a_record_without_recipients() -> None:
    """Mail to nobody but another rep's log copy has nothing to record, and the row says so."""
    ana, bo = rep(mode=Mode.API), rep("bo", ["bo@example.com"], "bo@z9.le.salesforce.com")
    decision = decide(
        envelope("ana@example.com", ("bo@z9.le.salesforce.com",)), MAIL, ana, rules(None, [ana, bo])
    )
    assert isinstance(decision, Accept)
    rows = [(one.role, one.skipped) for one in decision.deliveries]
    assert rows == [(Role.LOG_COPY, ""), (Role.RECORD, NOBODY_TO_LOG)]


def test_no_log_copy_address() -> None:
    """A rep without an Email to Salesforce address has the mail forwarded, and the row says what is missing."""
    row = logged(accepted(who=rep(log_copy=None)))
    assert row.skipped == "ana has no Email to Salesforce address"
    assert row.rule == "users.0.email_to_salesforce (default)"


def test_exclusions_skip_the_log_copy() -> None:
    """Excluded mail is forwarded; the skipped row carries the rule and its line, and no address."""
    decision = accepted("bo@example.com")
    assert logged(decision) == PlannedDelivery(
        Role.LOG_COPY,
        Transport.SMTP,
        "",
        skipped="internal mail: every recipient is one of ours",
        rule="logging.exclude.internal (config.yaml:15)",
    )
    assert decision.rule == "logging.exclude.internal (config.yaml:15)"


def test_senders_are_the_envelope_and_the_header() -> None:
    """A sender pattern is asked about the envelope sender and every From address."""
    private = rep(addresses=["ana@example.com", "ana-private@example.com"])
    logging = {"exclude": {"senders": ["*-private@example.com"]}}
    assert logged(accepted(who=private, logging=logging, sender="ana-private@example.com")).skipped
    from_private = header("From: Ana <Ana-Private@Example.com>")
    assert logged(accepted(who=private, logging=logging, mail=from_private)).skipped
    assert not logged(accepted(who=private, logging=logging)).skipped


def test_a_null_reverse_path_is_taken_but_not_logged() -> None:
    """Read receipts come from the null path: they pass when their From is acceptable, and are never logged."""
    row = logged(accepted(sender=None, logging={"exclude": {"automated": "false"}}))
    assert row.skipped == "automated mail: its reverse-path is null"
    spoofed = decide(envelope(None, [OUT]), header("From: x@evil.example"), rep(), rules())
    assert isinstance(spoofed, Refuse)


def test_mail_without_a_header_is_taken() -> None:
    """A mail without any From field passes: its envelope sender names the rep."""
    assert accepted(mail=header()).why == "1 recipient, log copy added"


def test_an_unacceptable_sender_is_refused() -> None:
    """The envelope sender and every From address must be the rep's, or the answer is 550 5.7.1."""
    for sender, mail in [("bo@example.com", MAIL), ("ana@example.com", header("From: bo@example.com"))]:
        decision = decide(envelope(sender, [OUT]), mail, rep(), rules())
        assert isinstance(decision, Refuse)
        assert str(decision.reply) == (
            "550 5.7.1 bo@example.com is not one of your acceptable addresses; "
            "ask your administrator to add it (R1201)"
        )
        assert decision.rule == "logging.unacceptable_sender (config.yaml:13)"


def test_an_unacceptable_sender_is_forwarded_where_the_setting_says_so() -> None:
    """With unacceptable_sender: forward such mail is forwarded, and never logged."""
    row = logged(accepted(mail=header("From: x@evil.example"), logging={"unacceptable_sender": "forward"}))
    assert row.skipped == "sender not acceptable: x@evil.example is not an acceptable address"
    assert row.rule == "logging.unacceptable_sender (config.yaml:13)"
    twice = header("From: ana@example.com", "From: ana@example.com")
    row = logged(accepted(mail=twice, logging={"unacceptable_sender": "forward"}))
    assert row.skipped == "sender not acceptable: the From field stands there more than once"


def test_check_sender() -> None:
    """At MAIL another's address is refused, the null path and the rep's own are not."""
    refused = check_sender(mailbox("bo@example.com"), rep(), rules())
    assert refused
    assert refused.reply.code == 550
    assert check_sender(mailbox("ANA@example.com"), rep(), rules()) is None
    assert check_sender(None, rep(), rules()) is None
    assert check_sender(mailbox("bo@example.com"), rep(), rules({"unacceptable_sender": "forward"})) is None


def test_plus_addresses() -> None:
    """ana+anything@ is refused, unless plus_addresses is on."""
    plus = mailbox("ana+crm@example.com")
    assert check_sender(plus, rep(), rules())
    assert check_sender(plus, rep(), rules({"plus_addresses": "true"})) is None


def test_gateway_mail_of_nobody_is_forwarded() -> None:
    """Mail of a stranger by a gateway is forwarded, with a row that says why it is not logged."""
    decision = decide(envelope("x@other.example", [OUT]), header("From: y@evil.example"), None, rules())
    assert isinstance(decision, Accept)
    assert (decision.mode, decision.why) == (Mode.OFF, "1 recipient, not logged: the sender is not a rep")
    assert logged(decision).target == ""


def test_gateway_mail_of_a_rep_is_never_refused_for_its_sender() -> None:
    """The company's mail system is not told no: what shows another sender is forwarded and not logged."""
    row = logged(accepted(mail=header("From: bo@example.com"), signed_in=False))
    assert row.skipped.startswith("sender not acceptable")
    assert not logged(accepted(sender="bounce-7@example.com", signed_in=False)).skipped


@pytest.mark.parametrize(
    ("sender", "lines", "login"),
    [
        ("ana@example.com", ["From: bo@example.com"], "ana"),
        ("bounce@example.com", ["From: Bo <bo@example.com>"], "bo"),
        (None, ["From: bo@example.com"], "bo"),
        ("bounce@example.com", ["From: x@evil.example, bo@example.com"], None),
        ("bounce@example.com", ["From: bo@example.com", "From: bo@example.com"], None),
        ("bounce@example.com", [], None),
    ],
)
def test_rep_of(sender: str | None, lines: list[str], login: str | None) -> None:
    """A gateway's rep is told by the envelope sender, then by a From that is clear."""
    reps = {"ana@example.com": rep(), "bo@example.com": rep("bo", ["bo@example.com"])}
    found = rep_of(envelope(sender, [OUT]), header(*lines), lambda address: reps.get(str(address)))
    assert (found.login if found else None) == login


class TestManualLogCopy:
    """The rep added the Email to Salesforce address by hand."""

    def test_it_is_the_log_copy(self) -> None:
        """The forward-path becomes the log copy itself: no second one, no report, no options of the client."""
        to = (
            Recipient(mailbox(OUT)),
            Recipient(mailbox("EmailToSalesforce@A1B2C3.le.salesforce.com"), "FAILURE", "rfc822;x"),
        )
        decision = decide(Envelope(mailbox("ana@example.com"), to), MAIL, rep(), rules())
        assert isinstance(decision, Accept)
        row = logged(decision)
        assert (row.role, row.notify, row.orcpt) == (Role.LOG_COPY, "NEVER", None)
        assert row.target == "EmailToSalesforce@A1B2C3.le.salesforce.com"
        assert decision.why == "1 recipient, log copy given by the sender"

    @pytest.mark.parametrize("mode", [Mode.BCC, Mode.OFF, Mode.OBSERVE])
    def test_it_is_sent_whatever_the_rules_say(self, mode: Mode) -> None:
        """The rep asked for it: exclusions and modes do not take it back."""
        row = logged(accepted("bo@example.com", LOG_COPY, who=rep(mode=mode)))
        assert (row.target, row.skipped) == (LOG_COPY, "")

    def test_alone(self) -> None:
        """A mail to the log copy's address alone is that log copy."""
        decision = accepted(LOG_COPY)
        assert logged(decision).target == LOG_COPY
        assert decision.why == "0 recipients, log copy given by the sender"

    def test_twice_in_other_letter_cases_it_is_one(self) -> None:
        """The CRM gets the mail once, however often and however written the address is given."""
        decision = accepted(OUT, LOG_COPY, LOG_COPY.title(), LOG_COPY.upper())
        copies = [one.target for one in decision.deliveries if one.role is Role.LOG_COPY]
        assert copies == [LOG_COPY]

    def test_in_api_mode_the_record_is_skipped(self) -> None:
        """In api mode the record is skipped, since the CRM gets the mail by the copy."""
        decision = accepted(OUT, LOG_COPY, who=rep(mode=Mode.API))
        rows = [(one.role, one.skipped) for one in decision.deliveries]
        assert rows == [(Role.RECIPIENT, ""), (Role.LOG_COPY, ""), (Role.RECORD, GIVEN)]

    def test_another_reps_address_is_a_secret_too(self) -> None:
        """Another rep's address is treated as a log copy, and the rep's own is added beside it."""
        others = "emailtosalesforce@other.le.salesforce.com"
        both = rules(reps=[rep(), rep("bo", ["bo@example.com"], others)])
        decision = decide(envelope("ana@example.com", [OUT, others]), MAIL, rep(), both)
        assert isinstance(decision, Accept)
        assert [(one.role, one.target, one.notify) for one in decision.deliveries] == [
            (Role.RECIPIENT, OUT, None),
            (Role.LOG_COPY, others, "NEVER"),
            (Role.LOG_COPY, LOG_COPY, "NEVER"),
        ]

    def test_of_a_rep_entered_since(self) -> None:
        """A rep who was entered after the rules were compiled is treated the same."""
        decision = decide(
            envelope("dora@example.com", [LOG_COPY]),
            header(),
            rep("dora", ["dora@example.com"]),
            rules(reps=[]),
        )
        assert isinstance(decision, Accept)
        assert logged(decision).role is Role.LOG_COPY

    def test_it_is_shown_masked(self) -> None:
        """Where forward-paths are shown, the log copy's address is not readable, whoever gave it."""
        recipients = envelope(recipients=[OUT, LOG_COPY.upper()]).recipients
        shown = shown_recipients(recipients, rules())
        assert shown == (OUT, "EMAILTOSALESFORCE@A1…OM")


class TestLoops:
    """smtp.md S14."""

    def test_too_many_hops_are_refused(self) -> None:
        """A mail with more Received fields than the limit is refused with 5.4.6; fields in the body do not count."""
        few = rules(limits={"received_hops": "5"})
        five = ["Received: x"] * 5
        assert isinstance(decide(envelope(recipients=[OUT]), header(*five), rep(), few), Accept)
        refused = decide(envelope(recipients=[OUT]), header(*five, "Received: x"), rep(), few)
        assert isinstance(refused, Refuse)
        assert (refused.reply.code, refused.reply.status) == (554, "5.4.6")
        assert refused.rule == "limits.received_hops (default)"

    def test_mail_that_comes_round_is_not_logged_again(self) -> None:
        """Our own Received field means that it was logged before; it is forwarded all the same."""
        row = logged(accepted(mail=header(OURS, "From: ana@example.com")))
        assert (row.target, row.skipped) == ("", CAME_ROUND)

    def test_a_log_copy_that_comes_round_is_stopped(self) -> None:
        """An Email to Salesforce address that leads back to the relay would go round for ever."""
        mail = header(OURS, "From: ana@example.com")
        row = logged(accepted(LOG_COPY, mail=mail))
        assert (row.target, row.skipped) == ("", CAME_ROUND)
        decision = decide(envelope("ana@example.com", [LOG_COPY]), mail, None, rules())
        assert isinstance(decision, Accept)
        assert all(one.skipped for one in decision.deliveries)

    def test_the_reps_own_address_is_never_the_log_copy(self) -> None:
        """An Email to Salesforce address that is the rep's own would fill the rep's inbox."""
        assert "one of ana's own addresses" in logged(accepted(who=rep(log_copy="Ana@example.com"))).skipped


class TestBccFields:
    """What becomes of Bcc fields in the content."""

    def test_unsigned_ones_go(self) -> None:
        """Bcc and Resent-Bcc fields are left out of what is sent on."""
        mail = header("Bcc: x@y", "To: a@b", "Resent-Bcc: z@y")
        assert bcc_policy(mail, "refuse") == ((0, 10), (19, 36))
        assert bcc_policy(MAIL, "refuse") == ()

    def test_signed_ones_are_refused_or_kept(self) -> None:
        """A field that a DKIM signature covers is not removed: the mail is refused, or the field stays."""
        mail = header("Bcc: x@y", "Resent-Bcc: z@y", "DKIM-Signature: v=1; h=from:bcc; b=x")
        refused = bcc_policy(mail, "refuse", "limits.signed_bcc (config.yaml:9)")
        assert isinstance(refused, Refuse)
        assert (refused.reply.code, refused.rule) == (554, "limits.signed_bcc (config.yaml:9)")
        assert bcc_policy(mail, "keep") == ((10, 27),)

    def test_a_signature_over_an_absent_bcc_is_no_trouble(self) -> None:
        """Signers name absent fields so that nobody adds them; there is nothing to remove then."""
        assert bcc_policy(header("DKIM-Signature: h=from:bcc"), "refuse") == ()
