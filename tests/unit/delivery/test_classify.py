"""What each happening means: the table, line by line."""

import pytest

from relay.delivery.classify import (
    MAY_ARRIVE_TWICE,
    TROUBLES,
    classify,
    describe,
    is_refusal_of_one,
    log_copy_of_nobody,
    needs_somebody,
    wants_another_transaction,
)
from relay.delivery.happening import Answered, Declined, Kind, Stage, Trouble
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
    assert needs_somebody(happening)


@pytest.mark.parametrize("code", [530, 534, 535, 538])
@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.RCPT, Stage.DATA])
def test_a_hop_that_wants_a_sign_in_is_no_bounce(stage: Stage, code: int) -> None:
    """530 and its like at MAIL speak of the route's settings, not of the message."""
    assert isinstance(classify(answered(stage, code), HOP), Deferred)
    assert needs_somebody(answered(stage, code))


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
    assert needs_somebody(answered(stage, code))


@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize("kind", list(Kind))
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
        assert needs_somebody(Trouble(Stage.AUTH, kind))
    for kind in (Kind.REFUSED, Kind.TIMED_OUT, Kind.DROPPED, Kind.UNREACHABLE):
        assert not needs_somebody(Trouble(Stage.CONNECT, kind))
    assert not needs_somebody(Trouble(Stage.CONTENT, Kind.LOCAL))
    assert not needs_somebody(Declined(Reply(554, "5.6.3", "")))


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
