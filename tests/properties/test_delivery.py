"""What holds of delivery for every reply, every trouble and every message."""

from hypothesis import given
from hypothesis import strategies as st

from relay.config.model import RouteChoice, UpstreamSettings
from relay.delivery.classify import classify, describe, needs_somebody, wants_another_transaction
from relay.delivery.commands import prepare
from relay.delivery.happening import Answered, Declined, Happening, Kind, Stage, Trouble
from relay.delivery.hop import Hop
from relay.delivery.masking import mask_in
from relay.delivery.offer import Offer, read_offer
from relay.delivery.replies import MAXIMUM_LINE, MAXIMUM_TEXT, ReplyReader
from relay.delivery.routing import routing_of
from relay.delivery_kind import Role
from relay.outcome import Bounced, Deferred, Sent
from relay.status import Reply
from tests.support.outgoing import COPY, delivery, message, route

HOP = Hop("main", "smtp.example.com", 587, "starttls")
replies = st.builds(
    Reply, st.integers(0, 999), st.sampled_from(["", "2.0.0", "4.5.3", "5.5.3", "5.1.1"]), st.text()
)
happenings: st.SearchStrategy[Happening] = st.one_of(
    st.builds(Answered, st.sampled_from(Stage), replies),
    st.builds(Trouble, st.sampled_from(Stage), st.sampled_from(Kind), st.text()),
    st.builds(Declined, replies),
)
offers = st.builds(
    Offer,
    pipelining=st.booleans(),
    size=st.one_of(st.none(), st.integers(0, 10_000)),
    eight_bit=st.booleans(),
    smtputf8=st.booleans(),
    dsn=st.booleans(),
    recipients=st.one_of(st.none(), st.integers(1, 5)),
)


@given(happenings)
def test_everything_that_happens_has_a_meaning(happening: Happening) -> None:
    """The table is total, says sent only for 2yz after the final dot, and never bounces for want of an answer."""
    outcome = classify(happening, HOP)
    assert isinstance(outcome, Sent | Deferred | Bounced)
    if isinstance(outcome, Sent):
        assert isinstance(happening, Answered)
        assert happening.stage is Stage.END
        assert happening.reply.code // 100 == 2
    if isinstance(happening, Trouble):
        assert isinstance(outcome, Bounced if happening.kind is Kind.NO_ADDRESS else Deferred)
    if isinstance(outcome, Bounced) and isinstance(happening, Answered):
        assert happening.reply.code // 100 == 5
    assert describe(happening, HOP)
    assert needs_somebody(happening, HOP) in (True, False)
    assert wants_another_transaction(happening) in (True, False)


@given(st.lists(st.binary(max_size=60), max_size=40))
def test_replies_do_not_depend_on_segments(pieces: list[bytes]) -> None:
    """The same octets give the same replies however they are cut, and the reader never fails or grows."""
    whole, cut = ReplyReader(), ReplyReader()
    octets = b"".join(pieces)
    expected = whole.feed(octets)
    got = [reply for piece in pieces for reply in cut.feed(piece)]
    assert got == expected
    assert bool(cut.malformed) == bool(whole.malformed)
    for reply in expected:
        assert 200 <= reply.code < 600
        assert reply.text.isprintable()
        assert len(reply.text) <= MAXIMUM_TEXT


@given(
    st.lists(
        st.tuples(
            st.integers(200, 599),
            st.lists(
                st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=80),
                min_size=1,
                max_size=5,
            ),
        ),
        max_size=8,
    ),
    st.integers(1, 50),
)
def test_well_formed_replies_are_all_read(given_: list[tuple[int, list[str]]], size: int) -> None:
    """Every reply of good form is read, in order, with its code, whatever the segments."""
    octets = b""
    for code, lines in given_:
        for index, line in enumerate(lines):
            octets += f"{code}{' ' if index == len(lines) - 1 else '-'}{line}\r\n".encode()
    reader = ReplyReader()
    codes = [reply.code for i in range(0, len(octets), size) for reply in reader.feed(octets[i : i + size])]
    assert codes == [code for code, _ in given_]
    assert not reader.malformed


@given(
    st.integers(MAXIMUM_LINE + 1, 10 * MAXIMUM_LINE), st.sampled_from([b"2", b"250-", b"\r", b"\xff", b"\0"])
)
def test_a_line_without_end_is_never_kept(length: int, unit: bytes) -> None:
    """Nothing longer than the limit stays in the reader."""
    octets = (unit * length)[:length]
    reader = ReplyReader()
    reader.feed(octets)
    assert reader.malformed
    assert not reader.pending


@given(
    st.dictionaries(st.sampled_from(["size", "limits", "dsn", "pipelining", "8bitmime", "auth"]), st.text())
)
def test_any_ehlo_answer_can_be_read(extensions: dict[str, str]) -> None:
    """Strange parameters are no error."""
    offer = read_offer(extensions)
    assert offer.dsn is ("dsn" in extensions)
    assert offer.size is None or offer.size >= 0


@given(
    st.lists(st.text(max_size=20), min_size=1, max_size=8),
    st.one_of(st.none(), st.text(max_size=20)),
    st.booleans(),
    st.booleans(),
    offers,
)
def test_commands_are_commands(
    targets: list[str], sender: str | None, has_8bit: bool, utf8_header: bool, offer: Offer
) -> None:
    """Whatever stands in the envelope, each command is one line, ASCII unless SMTPUTF8 is said, and none is lost."""
    sender_text = None if sender is None else f"{sender}@example.com"
    asked = message(sender=sender_text, has_8bit=has_8bit, utf8_header=utf8_header)
    deliveries = [delivery(number, target) for number, target in enumerate(targets)]
    prepared = prepare(asked, deliveries, offer)
    everywhere = [*prepared.deliveries, *prepared.left]
    assert sorted([d.id for d in everywhere] + list(prepared.declined)) == [d.id for d in deliveries]
    assert len(prepared.rcpts) == len(prepared.deliveries)
    for line in filter(None, (prepared.mail, *prepared.rcpts)):
        assert line.endswith(b"\r\n")
        assert line[:-2].decode().isprintable()
        assert offer.smtputf8 or line.isascii()
    if not prepared.mail.isascii() or not all(line.isascii() for line in prepared.rcpts):
        assert b" SMTPUTF8" in prepared.mail


@given(
    st.lists(
        st.tuples(st.sampled_from(["x.test", "y.test", "z.test"]), st.booleans()), min_size=1, max_size=30
    ),
    st.integers(1, 10),
    st.sampled_from(["auto", "shared", "separate"]),
)
def test_each_delivery_is_in_exactly_one_group(
    given_: list[tuple[str, bool]], limit: int, transaction: str
) -> None:
    """No delivery is lost or doubled, no group is too large, and none mixes routes."""
    settings = UpstreamSettings(
        default="main",
        routes={
            "main": route(25, recipients=limit),
            "y": route(26, recipients=limit),
            "z": route(27, kind="mx"),
        },
        select=(
            RouteChoice(recipient_domain="y.test", route="y"),
            RouteChoice(recipient_domain="z.test", route="z"),
        ),
    )
    routing = routing_of(settings, transaction)  # type: ignore[arg-type]
    deliveries = [
        delivery(number, f"b{number}@{domain}", Role.LOG_COPY if copy else Role.RECIPIENT)
        for number, (domain, copy) in enumerate(given_)
    ]
    groups = routing.split(message(), deliveries)
    assert sorted(d.id for group in groups for d in group) == [d.id for d in deliveries]
    for group in groups:
        routes = {routing.route(message(), d.target) for d in group}
        assert len(routes) == 1
        assert 1 <= len(group) <= (100 if routes == {"z"} else limit)
        if transaction == "separate" or (transaction == "auto" and routes == {"z"}):
            assert len({d.role for d in group}) == 1


@given(st.text(), st.text())
def test_no_text_keeps_the_address(before: str, after: str) -> None:
    """Whatever stands around it, the address does not get through."""
    assert COPY.lower() not in mask_in(f"{before}{COPY}{after}", COPY).lower()
