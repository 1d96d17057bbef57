"""What each happening means: the table, line by line."""

import pytest

from relay.delivery.classify import (
    MAY_ARRIVE_TWICE,
    TROUBLES,
    classify,
    classify_no_way,
    describe,
    is_refusal_of_one,
    leaves_it_to_others,
    log_copy_of_nobody,
    needs_somebody,
    wants_another_transaction,
)
from relay.delivery.happening import Answered, Declined, Kind, Lack, NoWay, Paced, Stage, Trouble
from relay.delivery.hop import Hop
from relay.outcome import Bounced, Deferred, Sent, Skipped
from relay.status import Reply

HOP = Hop("main", "smtp.example.com", 587, "starttls")
OF_A_MESSAGE = (Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.CONTENT, Stage.END)
OF_THE_HOP = (Stage.CONNECT, Stage.GREETING, Stage.EHLO, Stage.TLS, Stage.AUTH, Stage.RSET)


def answered(stage: Stage, code: int, status: str = "", text: str = "as it said") -> Answered:
    """Make an answer."""
    return Answered(stage, Reply(code, status, text))


def test_an_accepted_message_is_sent() -> None:
    """2yz to the final dot is the only thing that means sent; the hop's words are kept."""
    outcome = classify(answered(Stage.END, 250, "2.0.0", "queued as 42"), HOP)
    assert outcome == Sent(Reply(250, "2.0.0", "queued as 42"), "smtp.example.com")


def test_a_hop_without_dsn_is_told_of() -> None:
    """Whether the hop reports success itself goes with the outcome (RFC 3461 §5.2.2)."""
    outcome = classify(answered(Stage.END, 250), HOP, dsn=False)
    assert isinstance(outcome, Sent)
    assert not outcome.hop_reports


@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize("code", [400, 421, 432, 450, 451, 452, 454, 499])
def test_4yz_is_deferred_everywhere(stage: Stage, code: int) -> None:
    """A temporary refusal is temporary at every stage."""
    assert isinstance(classify(answered(stage, code), HOP), Deferred)


@pytest.mark.parametrize("stage", OF_A_MESSAGE)
@pytest.mark.parametrize("code", [500, 501, 503, 550, 551, 553, 554, 555, 556, 571])
def test_5yz_about_a_message_bounces(stage: Stage, code: int) -> None:
    """A permanent refusal of a message or a recipient is permanent; the words are the hop's own."""
    outcome = classify(answered(stage, code, "5.1.1", "no such user"), HOP)
    assert outcome == Bounced(Reply(code, "5.1.1", "no such user"), "smtp.example.com")


@pytest.mark.parametrize("stage", OF_THE_HOP)
@pytest.mark.parametrize("code", [500, 521, 535, 550, 554])
def test_5yz_about_the_connection_is_deferred(stage: Stage, code: int) -> None:
    """When the hop refuses us and not the message, the settings are at fault: nobody's mail bounces for it."""
    assert isinstance(classify(answered(stage, code), HOP), Deferred)


def test_a_refused_sign_in_says_so() -> None:
    """535 is deferred, loudly, in words that tell what to look at."""
    happening = answered(Stage.AUTH, 535, "5.7.8", "bad credentials")
    outcome = classify(happening, HOP)
    assert isinstance(outcome, Deferred)
    assert outcome.reply == Reply(535, "5.7.8", "the smarthost refused our sign-in: bad credentials")
    assert needs_somebody(happening, HOP)


@pytest.mark.parametrize("code", [530, 534, 535, 538])
@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.RCPT, Stage.DATA])
def test_a_hop_that_wants_a_sign_in_is_no_bounce(stage: Stage, code: int) -> None:
    """530 and its like at MAIL speak of the route's settings, not of the message."""
    assert isinstance(classify(answered(stage, code), HOP), Deferred)
    assert needs_somebody(answered(stage, code), HOP)


@pytest.mark.parametrize(
    ("status", "meaning"), [("", Deferred), ("5.5.3", Deferred), ("5.2.2", Bounced), ("5.3.4", Bounced)]
)
def test_552_for_a_recipient(status: str, meaning: type) -> None:
    """552 to RCPT means too many recipients, unless it names another reason (RFC 5321 §4.5.3.1.10)."""
    assert isinstance(classify(answered(Stage.RCPT, 552, status), HOP), meaning)


def test_552_for_a_message_bounces() -> None:
    """552 at MAIL or after the data is about the size of the message."""
    assert isinstance(classify(answered(Stage.MAIL, 552, "5.3.4"), HOP), Bounced)
    assert isinstance(classify(answered(Stage.END, 552), HOP), Bounced)


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.END])
@pytest.mark.parametrize("code", [250, 299, 334, 354])
def test_an_answer_that_makes_no_sense_is_deferred(stage: Stage, code: int) -> None:
    """2yz means sent after the final dot alone; anything else out of place is temporary and loud."""
    assert isinstance(classify(answered(stage, code), HOP), Deferred)
    assert needs_somebody(answered(stage, code), HOP)


@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.NO_ADDRESS])
def test_no_answer_is_deferred(stage: Stage, kind: Kind) -> None:
    """No trouble without an answer is ever permanent (RFC 5321 §3.8), and each says what it was and where."""
    outcome = classify(Trouble(stage, kind, "some detail"), HOP)
    assert isinstance(outcome, Deferred)
    assert outcome.reply.code == 451
    assert outcome.reply.status == TROUBLES[kind].status
    assert TROUBLES[kind].text in outcome.reply.text
    assert "smtp.example.com:587" in outcome.reply.text
    assert "some detail" in outcome.reply.text


def test_trouble_that_the_settings_cause_is_loud() -> None:
    """What only the site can mend is told as an error; what passes by itself is not."""
    for kind in (Kind.CERTIFICATE, Kind.NOT_OFFERED, Kind.NO_SUCH_HOST, Kind.LOCAL):
        assert needs_somebody(Trouble(Stage.AUTH, kind), HOP)
    for kind in (Kind.REFUSED, Kind.TIMED_OUT, Kind.DROPPED, Kind.UNREACHABLE):
        assert not needs_somebody(Trouble(Stage.CONNECT, kind), HOP)
    assert not needs_somebody(Trouble(Stage.CONTENT, Kind.LOCAL), HOP)
    assert not needs_somebody(Declined(Reply(554, "5.6.3", "")), HOP)


EXCHANGER = Hop("direct", "mx1.example.net", 25, "opportunistic", exchanger=True)


def test_what_dns_is_sure_of_is_permanent() -> None:
    """A mail exchanger without any address bounces 5.4.4; trouble to find out is temporary (RFC 5321 §5.1)."""
    outcome = classify(Trouble(Stage.CONNECT, Kind.NO_ADDRESS), EXCHANGER)
    assert isinstance(outcome, Bounced)
    assert (outcome.reply.code, outcome.reply.status) == (550, "5.4.4")


def test_a_host_that_never_takes_mail() -> None:
    """521 at the greeting is permanent of somebody else's mail exchanger (RFC 7504), and not of our smarthost."""
    never = answered(Stage.GREETING, 521, "5.3.2", "no mail here")
    assert isinstance(classify(never, EXCHANGER), Bounced)
    assert isinstance(classify(never, HOP), Deferred)
    assert isinstance(classify(answered(Stage.GREETING, 554), EXCHANGER), Deferred)


@pytest.mark.parametrize("happening", [answered(Stage.GREETING, 554), Trouble(Stage.TLS, Kind.CERTIFICATE)])
def test_somebody_elses_server_is_nobodys_alarm(happening: Answered | Trouble) -> None:
    """What a mail exchanger does wrong cannot be mended here: it is told as an error for smarthosts alone."""
    assert needs_somebody(happening, HOP)
    assert not needs_somebody(happening, EXCHANGER)


@pytest.mark.parametrize(
    ("lack", "outcome", "status"),
    [
        (Lack.LITERAL, Bounced, "5.1.2"),
        (Lack.NO_DOMAIN, Bounced, "5.1.2"),
        (Lack.NULL_MX, Bounced, "5.1.10"),
        (Lack.LOOP, Bounced, "5.4.6"),
        (Lack.UNANSWERED, Deferred, "4.4.3"),
        (Lack.NO_RESOLVER, Deferred, "4.3.5"),
    ],
)
def test_domains_without_a_host(lack: Lack, outcome: type, status: str) -> None:
    """What DNS is sure of is permanent, what it cannot tell is not (RFC 5321 §5.1, RFC 7505 §4.1)."""
    found = classify_no_way(NoWay(lack, "nowhere.test", "some detail"))
    assert isinstance(found, outcome)
    assert isinstance(found, Bounced | Deferred)
    assert found.reply.status == status
    assert "nowhere.test" in found.reply.text
    assert "some detail" in found.reply.text


def test_pace_is_no_attempt() -> None:
    """A message that the route's own limits keep back is deferred for just as long, and that counts as no attempt."""
    outcome = classify(Paced("30 messages a minute", 12.5), HOP)
    assert isinstance(outcome, Deferred)
    assert outcome.retry_after == 12.5
    assert not outcome.attempted
    assert "30 messages a minute" in outcome.reply.text


def test_a_wait_that_the_hop_asks_for_is_kept_to() -> None:
    """A temporary refusal that names a time is not tried again before it; a permanent one has no next time."""
    outcome = classify(answered(Stage.RCPT, 450, "4.2.0", "Greylisted, try again in 300 seconds"), HOP)
    assert isinstance(outcome, Deferred)
    assert (outcome.retry_after, outcome.attempted) == (300.0, True)


@pytest.mark.parametrize(
    ("happening", "others"),
    [
        (answered(Stage.GREETING, 450), True),
        (answered(Stage.GREETING, 554), True),
        (answered(Stage.EHLO, 550), True),
        (answered(Stage.MAIL, 451), True),
        (answered(Stage.MAIL, 550), False),
        (answered(Stage.RCPT, 450), False),
        (answered(Stage.RCPT, 550), False),
        (answered(Stage.END, 451), False),
        (Trouble(Stage.CONNECT, Kind.REFUSED), True),
        (Trouble(Stage.MAIL, Kind.DROPPED), True),
        (Trouble(Stage.END, Kind.DROPPED), False),
        (Trouble(Stage.CONNECT, Kind.LOCAL), False),
        (Declined(Reply(554, "5.6.3", "")), False),
        (Paced("", 1.0), False),
    ],
)
def test_when_the_next_exchanger_is_tried(
    happening: Answered | Trouble | Declined | Paced, others: bool
) -> None:
    """The next host is tried when this one said nothing about the message, or 4yz to MAIL (RFC 5321 §5.1)."""
    assert leaves_it_to_others(happening) is others


def test_doubt_after_the_final_dot_is_named() -> None:
    """Dropped after the final dot and before the answer: tried again, and said that it may arrive twice."""
    assert MAY_ARRIVE_TWICE in describe(Trouble(Stage.END, Kind.DROPPED), HOP)
    assert MAY_ARRIVE_TWICE not in describe(Trouble(Stage.DATA, Kind.DROPPED), HOP)


def test_what_the_hop_cannot_take_bounces() -> None:
    """A message that was never offered since the hop lacks an extension is bounced in our words."""
    reply = Reply(554, "5.6.3", "no 8BITMIME")
    assert classify(Declined(reply), HOP) == Bounced(reply, "smtp.example.com")


@pytest.mark.parametrize(
    ("code", "status", "again"),
    [
        (452, "4.5.3", True),
        (552, "5.5.3", True),
        (552, "", True),
        (452, "4.2.2", False),
        (550, "5.1.1", False),
    ],
)
def test_too_many_recipients_want_another_transaction(code: int, status: str, again: bool) -> None:
    """A recipient that was only one too many can be sent to at once, in another transaction."""
    assert wants_another_transaction(answered(Stage.RCPT, code, status)) is again
    assert not wants_another_transaction(answered(Stage.MAIL, code, status))


def test_a_log_copy_of_mail_that_nobody_received() -> None:
    """There is nothing to log; only a refusal of the log copy itself keeps its own outcome."""
    refused = Bounced(Reply(550, "5.1.1", "no"), "h")
    assert log_copy_of_nobody(Deferred(Reply(451, "", ""), "h"), own_refusal=False) == Skipped(
        "nobody received it"
    )
    assert log_copy_of_nobody(refused, own_refusal=False) == Skipped("nobody received it")
    assert log_copy_of_nobody(refused, own_refusal=True) == refused
    assert is_refusal_of_one(answered(Stage.RCPT, 550))
    assert not is_refusal_of_one(answered(Stage.MAIL, 550))
