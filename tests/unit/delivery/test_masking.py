"""A log copy's address never shows in what a hop said."""

import pytest

from relay.delivery.masking import mask_in, without_address
from relay.outcome import Bounced, Deferred, Held, Outcome, Sent
from relay.status import Reply
from tests.support.outgoing import COPY

DOMAIN = COPY.partition("@")[2]


@pytest.mark.parametrize(
    "text",
    [
        f"<{COPY}>: unknown",
        f"<{COPY.upper()}>: unknown",
        f"no route to {DOMAIN}",
        f"{COPY} {COPY} {DOMAIN.title()}",
    ],
)
def test_the_address_and_its_domain_are_masked(text: str) -> None:
    """In any case, whole or its domain alone, as often as it stands there."""
    masked = mask_in(text, COPY)
    assert "k8ab12cd34" not in masked.lower()
    assert "k8…om" in masked


def test_other_words_stand() -> None:
    """What has nothing to do with it is left as it is."""
    outcome = Bounced(Reply(550, "5.1.1", "bo@example.net: unknown"), "h")
    assert without_address(outcome, COPY) is outcome


@pytest.mark.parametrize(
    "outcome",
    [
        Sent(Reply(250, "2.0.0", f"queued for {COPY}"), "h", hop_reports=False),
        Deferred(Reply(451, "4.2.1", COPY), "h", retry_after=5.0),
        Bounced(Reply(550, "5.1.1", COPY), "h"),
    ],
)
def test_everything_but_the_text_is_kept(outcome: Outcome) -> None:
    """Masking changes the hop's words and nothing else of the outcome."""
    masked = without_address(outcome, COPY)
    assert type(masked) is type(outcome)
    assert COPY not in repr(masked)
    assert repr(masked).replace("emailtosalesforce@k8…om", COPY) == repr(outcome)


def test_outcomes_without_a_reply_are_left_alone() -> None:
    """There is nothing to mask in our own reasons."""
    assert without_address(Held("asked"), COPY) == Held("asked")
