"""The corpus goes through a running relay octet by octet, and the BCC address is in the envelope only."""

import re

from relay.demo.captured import Captured
from tests.support.corpus import corpus
from tests.support.corpus_parts import Sample
from tests.support.raw_client import RawClient
from tests.support.running import BCC, RunningRelay

_LIMIT = 90.0
_ADDED = re.compile(
    rb"Received: (?:[^\r]|\r\n[ \t])*\r\n(?:Date: [^\r]*\r\n)?(?:Message-ID: (?:[^\r]|\r\n[ \t])*\r\n)?"
)
"""What the relay may put in front, and nothing else."""


def _recipient(index: int) -> str:
    return f"sample-{index}@buyer.example"


def _faults(sample: Sample, recipient: str, arrived: Captured | None) -> list[str]:
    """Give what is wrong with what arrived, in words."""
    if arrived is None:
        return ["it did not arrive"]
    content = arrived.content
    faults = []
    if not content.endswith(sample.expected):
        faults.append("its octets were changed")
    elif not _ADDED.fullmatch(content[: len(content) - len(sample.expected)]):
        faults.append(f"put in front: {content[: len(content) - len(sample.expected)]!r}")
    if sorted(arrived.addresses) != sorted([recipient, BCC]):
        faults.append(f"the envelope is {arrived.addresses}")
    if BCC.encode() in content:
        faults.append("the BCC address is in the content")
    return faults


def test_every_message_arrives_octet_by_octet(relay: RunningRelay) -> None:
    """Each of the corpus ends with exactly what was sent less Bcc fields; BCC once in the envelope, nowhere else."""
    refused = {}
    with relay.client() as client:
        for index, sample in enumerate(corpus()):
            parameters = "" if sample.sent.isascii() else " BODY=8BITMIME"
            answer = client.submit("ana@example.com", [_recipient(index)], sample.sent, parameters)
            if not answer.startswith(b"250 2."):
                refused[sample.name] = answer
        said = b"".join(client.heard)
    assert not refused
    captured = relay.hop.wait_for(len(corpus()), _LIMIT)
    arrived = {address: message for message in captured for address in message.addresses}
    faults = {
        sample.name: found
        for index, sample in enumerate(corpus())
        if (found := _faults(sample, _recipient(index), arrived.get(_recipient(index))))
    }
    assert not faults
    assert len(captured) == len(corpus())
    assert BCC.encode() not in said
    assert BCC not in relay.service.logs()


def test_the_corpus_arrives_through_the_gateway(relay: RunningRelay) -> None:
    """The same on the listener for mail systems, where the rep is known by the envelope sender."""
    some = corpus()[::7]

    with RawClient(relay.gateway) as client:
        client.say("EHLO mail.example.com")
        for index, sample in enumerate(some):
            parameters = "" if sample.sent.isascii() else " BODY=8BITMIME"
            assert (
                client.submit("ana@example.com", [_recipient(index)], sample.sent, parameters)[:3] == b"250"
            )
    captured = relay.hop.wait_for(len(some), _LIMIT)
    arrived = {address: message for message in captured for address in message.addresses}
    faults = [
        (sample.name, found)
        for index, sample in enumerate(some)
        if (found := _faults(sample, _recipient(index), arrived.get(_recipient(index))))
    ]
    assert not faults
