"""Tests for relay.policy.controls: control addresses are read, honoured, hidden, and refused where all would see them."""

import pytest

from relay.address import parse_mailbox
from relay.config.model import Mode
from relay.delivery_kind import Role
from relay.envelope import Envelope, Recipient
from relay.message import read_header
from relay.policy.controls import Asked, Control, asked_by, control_of, right_case
from relay.policy.decision import Accept, Decision, Refuse, decide
from relay.policy.rules import Rules, compile_rules
from tests.support.policy import LOG_COPY, place, rep, settings

DOMAIN = "log.example.com"
RECORD = "0065g00000ABCdEAAX"


def rules(mode: str = "bcc", **logging: object) -> Rules:
    """Compile rules with a control domain."""
    whole = {"mode": mode, "controls": {"domain": "LOG.Example.com"}, **logging}
    return compile_rules(settings(logging=whole), place, [rep()])


def decided(
    *recipients: str, mode: str = "bcc", header: str = "To: bo@customer.test\r\n", **logging: object
) -> Decision:
    """Decide about a mail of ana's to these."""
    envelope = Envelope(
        parse_mailbox("ana@example.com"), tuple(Recipient(parse_mailbox(one)) for one in recipients)
    )
    read = read_header(f"From: ana@example.com\r\n{header}Subject: x\r\n\r\nbody\r\n".encode())
    return decide(envelope, read, rep(), rules(mode, **logging))


def accepted(*recipients: str, **more: object) -> Accept:
    """Decide about a mail that is taken."""
    decision = decided(*recipients, **more)  # type: ignore[arg-type]
    assert isinstance(decision, Accept)
    return decision


@pytest.mark.parametrize(
    ("local", "control"),
    [
        ("private", (Control.PRIVATE, "")),
        ("PRIVATE", (Control.PRIVATE, "")),
        ("log", (Control.LOG, "")),
        ("headers", (Control.HEADERS, "")),
        (f"rec+{RECORD}", (Control.RECORD, RECORD)),
        (f"Rec+{RECORD.lower()}", (Control.RECORD, RECORD)),
        ("rec+0065g00000ABCdE", (Control.RECORD, "0065g00000ABCdE")),
        ("task+3d", (Control.TASK, "3")),
        ("task+2w", (Control.TASK, "14")),
        ("rec+short", (Control.UNKNOWN, "")),
        ("rec", (Control.UNKNOWN, "")),
        ("task+999w", (Control.UNKNOWN, "")),
        ("task+3", (Control.UNKNOWN, "")),
        ("private+x", (Control.UNKNOWN, "")),
        ("privat", (Control.UNKNOWN, "")),
        ("", (Control.UNKNOWN, "")),
    ],
)
def test_reading(local: str, control: tuple[Control, str]) -> None:
    """Each form is read in any case; what is not understood is never taken for something else."""
    assert control_of(local) == control


def test_ids_get_their_case_back() -> None:
    """An id of 18 characters holds the case of its letters; one of 15, or with another ending, stays as it is."""
    assert right_case(RECORD.lower()) == RECORD
    assert right_case(RECORD.upper()) == RECORD
    assert right_case("0065g00000abcde") == "0065g00000abcde"
    assert right_case("0065g00000abcde99!") == "0065g00000abcde99!"


def test_several_together() -> None:
    """All addresses of one message count together; the soonest reminder wins."""
    asked = asked_by(
        [f"headers@{DOMAIN}", f"rec+{RECORD}@{DOMAIN}", f"task+1w@{DOMAIN}", f"task+2d@{DOMAIN}"], DOMAIN
    )
    assert asked == Asked(headers_only=True, records=(RECORD,), due_in_days=2)
    assert asked_by([f"private@{DOMAIN}"], "") == Asked()


@pytest.mark.parametrize("mode", ["bcc", "api", "observe"])
def test_private(mode: str) -> None:
    """private@ is taken out of the envelope, the mail goes to the rest, and is not logged, with the reason."""
    plan = accepted("bo@customer.test", f"private@{DOMAIN}", mode=mode)
    people, control, log = plan.deliveries
    assert (people.target, people.skipped) == ("bo@customer.test", "")
    assert (control.role, control.target) == (Role.RECIPIENT, f"private@{DOMAIN}")
    assert "control address" in control.skipped
    assert (log.role, "private@" in log.skipped) == (Role.LOG_COPY if mode == "bcc" else Role.RECORD, True)
    assert plan.why.startswith("1 recipient, not logged")


def test_private_wins_over_a_copy_that_the_client_adds() -> None:
    """Mail clients that add the Email to Salesforce address by themselves are overruled, too."""
    plan = accepted("bo@customer.test", LOG_COPY, f"private@{DOMAIN}", f"log@{DOMAIN}")
    copies = [one for one in plan.deliveries if one.role is Role.LOG_COPY]
    assert copies
    assert all("private@" in one.skipped for one in copies)
    assert all(LOG_COPY not in one.target for one in copies)


def test_log_overrides_exclusions() -> None:
    """log@ has excluded mail logged; it does not turn on a mode that is off."""
    excluded = {"exclude": {"recipients": ["*@customer.test"]}}
    assert "not logged" in accepted("bo@customer.test", **excluded).why
    assert accepted("bo@customer.test", f"log@{DOMAIN}", **excluded).why == "1 recipient, log copy added"
    assert "logging is off" in accepted("bo@customer.test", f"log@{DOMAIN}", mode="off").why


def test_headers() -> None:
    """headers@ leaves the record to the recorder in mode api; a log copy would hold the body, so none is sent."""
    assert accepted("bo@customer.test", f"headers@{DOMAIN}", mode="api").deliveries[-1].skipped == ""
    plan = accepted("bo@customer.test", f"headers@{DOMAIN}")
    assert "headers@" in plan.deliveries[-1].skipped


def test_control_addresses_are_no_recipients_to_exclusions() -> None:
    """Internal mail stays internal with a control address beside it."""
    plan = accepted("bo@example.com", f"rec+{RECORD}@{DOMAIN}")
    assert "internal" in plan.why


def test_nobody_but_control_addresses() -> None:
    """Mail to nobody but control addresses is taken and recorded nowhere."""
    plan = accepted(f"rec+{RECORD}@{DOMAIN}", mode="api", header="")
    assert [bool(one.skipped) for one in plan.deliveries] == [True, True]


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("To: bo@customer.test, private@log.example.com\r\n", "To"),
        ("To: bo@customer.test\r\nCc: X <PRIVATE@Log.Example.com>\r\n", "Cc"),
        ("To: bo@customer.test,\r\n private@log.example.com\r\n", "To"),
        ("To: x@y.test\r\nResent-To: private@log.example.com\r\n", "Resent-To"),
    ],
)
def test_in_to_or_cc_it_is_refused(header: str, field: str) -> None:
    """Where every recipient would see it, the mail is refused with the hint."""
    decision = decided("bo@customer.test", f"private@{DOMAIN}", header=header)
    assert isinstance(decision, Refuse)
    assert (
        str(decision.reply).lower()
        == f"550 5.7.1 put private@log.example.com in bcc, not {field.lower()} (r1203)"
    )
    assert decision.rule.startswith("logging.controls.domain")


def test_a_slip_of_the_pen_is_refused() -> None:
    """privat@ must not lead to a mail that is logged all the same."""
    decision = decided("bo@customer.test", f"privat@{DOMAIN}")
    assert isinstance(decision, Refuse)
    assert "R1207" in str(decision.reply)


def test_other_domains_are_no_control_addresses() -> None:
    """A domain that only ends or begins like it is somebody's."""
    for address in ("private@xlog.example.com", "private@log.example.com.test", "private@example.com"):
        plan = accepted(address, header=f"To: {address}\r\n")
        assert plan.deliveries[0].skipped == ""


def test_without_a_domain_there_are_none() -> None:
    """Where no domain is set, private@ is an address like any other."""
    envelope = Envelope(parse_mailbox("ana@example.com"), (Recipient(parse_mailbox(f"private@{DOMAIN}")),))
    read = read_header(b"From: ana@example.com\r\nTo: private@log.example.com\r\n\r\n")
    plain = compile_rules(settings(), place, [rep()])
    plan = decide(envelope, read, rep(), plain)
    assert isinstance(plan, Accept)
    assert plan.mode is Mode.BCC
    assert plan.deliveries[0].skipped == ""
