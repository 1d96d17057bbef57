"""What is to be done, by the kind of reason."""

import pytest

from relay.delivery.classify import LACKS, TROUBLES, classify, classify_no_way
from relay.delivery.happening import Answered, Kind, Lack, NoWay, Paced, Stage, Trouble
from relay.delivery.hop import Hop
from relay.outcome import Deferred
from relay.queue.model import State
from relay.queue.playbook import OTHER, PLAYS, play_for, playbook, skeleton, status_of
from relay.status import Reply

HOP = Hop("main", "smtp.example.com", 587, "starttls")


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("451 4.7.1 Greylisted, try again in 300 seconds", "greylisting"),
        ("452 4.2.2 Mailbox full", "mailbox"),
        ("421 4.7.0 Too many messages from your IP", "rate"),
        ("432 4.3.2 Concurrent connections limit exceeded", "rate"),
        ("451 4.7.1 your host has no reverse DNS", "policy"),
        ("450 4.7.1 blocked using dnsbl.example", "policy"),
        ("451 4.3.0 out of disk", "hop"),
        ("451 4.3.5 there is no route direct", "settings"),
        ("535 5.7.8 the smarthost refused our sign-in: bad credentials", "sign-in"),
        ("530 5.7.57 the hop wants a sign-in or TLS: Client not authenticated", "sign-in"),
        ("450 odd", "other"),
        ("", "other"),
    ],
)
def test_a_reason_has_a_kind(reason: str, kind: str) -> None:
    """The words of hops fall into kinds with advice of their own."""
    assert play_for(State.DEFERRED, reason).kind == kind


@pytest.mark.parametrize(
    ("state", "kind"),
    [(State.HELD, "held"), (State.WAITING, "waiting"), (State.QUEUED, "due"), (State.ACTIVE, "under way")],
)
def test_a_state_may_say_it_all(state: State, kind: str) -> None:
    """Whatever the last attempt came to, what is held waits for somebody."""
    assert play_for(state, "451 4.7.1 Greylisted").kind == kind


def kind_of(outcome: object) -> str:
    """Give the kind of a deferral."""
    assert isinstance(outcome, Deferred)
    return play_for(State.DEFERRED, str(outcome.reply)).kind


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in (Kind.NO_ADDRESS, Kind.UNKNOWN)])
def test_every_trouble_of_ours_has_advice(kind: Kind) -> None:
    """No trouble that the relay names itself is left to guessing."""
    assert kind_of(classify(Trouble(Stage.CONNECT, kind), HOP)) != OTHER.kind
    assert TROUBLES[kind].text


def test_what_dns_cannot_tell_has_advice() -> None:
    """The same for names that cannot be looked up."""
    kinds = {
        lack: kind_of(classify_no_way(NoWay(lack, "dest.test")))
        for lack in Lack
        if LACKS[lack].meaning is Deferred
    }
    assert kinds == {Lack.UNANSWERED: "DNS", Lack.NO_RESOLVER: "settings"}


def test_pace_needs_nothing() -> None:
    """A limit of our own is told from a hop's."""
    assert kind_of(classify(Paced("30 messages a minute", 2.0), HOP)) == "pace"
    refused = Answered(Stage.AUTH, Reply(535, "5.7.8", "no"))
    assert kind_of(classify(refused, HOP)) == "sign-in"


def test_the_playbook_is_whole() -> None:
    """Each kind stands in it once, with a sentence."""
    kinds = [kind for kind, _ in playbook()]
    assert len(set(kinds)) == len(kinds) == len(PLAYS) + 1
    assert all(advice.endswith(".") for _, advice in playbook())


@pytest.mark.parametrize(
    ("reason", "bare"),
    [
        ("451 4.7.1 Greylisted for 300 seconds", "451 4.7.1 Greylisted for … seconds"),
        ("450 4.2.0 <bo@x.test> id 4XyZ9 is busy", "450 4.2.0 … id … is busy"),
        ("450 user bo@x.test 12 13 busy", "450 user … busy"),
        ("held by root", "held by root"),
        ("", ""),
    ],
)
def test_a_skeleton_is_what_reasons_share(reason: str, bare: str) -> None:
    """Addresses, numbers and ids go; code, status and words stay."""
    assert skeleton(reason) == bare


@pytest.mark.parametrize(
    ("reason", "status"), [("451 4.7.1 x", "4.7.1"), ("451 x", ""), ("451", ""), ("451 4.x y", ""), ("", "")]
)
def test_the_status_of_a_reason(reason: str, status: str) -> None:
    """The enhanced code, where there is one."""
    assert status_of(reason) == status
