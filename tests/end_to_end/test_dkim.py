"""DKIM signatures made before the relay still verify behind it."""

import dkim
import pytest

from tests.support.corpus import corpus
from tests.support.corpus_parts import Sample
from tests.support.running import RunningRelay
from tests.support.signing import CANONICALISATIONS, Signature, sign, verify, ways

_LIMIT = 90.0
_LARGEST = 120_000
"""dkimpy is pure Python; larger ones are left to the test of octets."""


def _signed(samples: list[Sample], which: list[Signature]) -> list[tuple[str, bytes]]:
    """Sign each message in the ways it falls to; what dkimpy itself cannot sign and verify is left out."""
    made = []
    for sample in samples:
        for way in which:
            try:
                message = sign(sample.expected, way)
                if verify(message):
                    made.append((f"{sample.name} {way}", message))
            except dkim.DKIMException:
                continue
    return made


def _pass_through(relay: RunningRelay, signed: list[tuple[str, bytes]]) -> dict[str, str]:
    with relay.client() as client:
        for index, (_, message) in enumerate(signed):
            answer = client.submit("ana@example.com", [f"signed-{index}@buyer.example"], message)
            assert answer.startswith(b"250"), answer
    arrived = {m.addresses[0]: m.content for m in relay.hop.wait_for(len(signed), _LIMIT)}
    faults = {}
    for index, (name, message) in enumerate(signed):
        content = arrived.get(f"signed-{index}@buyer.example")
        if content is None or not content.endswith(message):
            faults[name] = "changed or lost"
        elif not verify(content):
            faults[name] = "does not verify"
    return faults


def _small() -> list[Sample]:
    return [sample for sample in corpus() if b"From:" in sample.expected and len(sample.expected) < _LARGEST]


@pytest.mark.parametrize("canonicalisation", CANONICALISATIONS, ids=str)
def test_every_message_in_every_canonicalisation(
    relay: RunningRelay, canonicalisation: tuple[bytes, bytes]
) -> None:
    """Each corpus message that can be signed still verifies; algorithm and kind of h= take turns."""
    mine = [way for way in ways() if way.canonicalisation == canonicalisation]
    signed = [made for index, each in enumerate(_small()) for made in _signed([each], [mine[index % 4]])]
    assert len(signed) > 250
    assert not _pass_through(relay, signed)


@pytest.mark.parametrize("way", ways(), ids=str)
def test_every_way_for_some_messages(relay: RunningRelay, way: Signature) -> None:
    """Every canonicalisation, algorithm and kind of h= verifies for a spread of messages."""
    signed = _signed(_small()[::23], [way])
    assert len(signed) >= 8
    assert not _pass_through(relay, signed)


def test_absent_fields_that_are_over_signed_are_not_added(relay: RunningRelay) -> None:
    """A message without Date and Message-ID whose signature forbids to add them is sent on without."""
    bare = b"From: ana@example.com\r\nTo: kim@buyer.example\r\nSubject: x\r\n\r\nHello\r\n"
    every = [(str(way), sign(bare, way)) for way in ways() if way.over_signed]
    assert not _pass_through(relay, every)
