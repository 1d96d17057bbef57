"""Events of the mail log in words: no names of fields, no bare numbers, nothing twice."""

import pytest

from relay.event_words import verb_of, words_of

AT = 1_795_338_875_911_000
DELIVERY: dict[str, object] = {
    "reply": "250 OK",
    "attempt": 1,
    "hop": "salesforce",
    "targets": ["salesforce"],
}


@pytest.mark.parametrize(
    ("name", "data", "verb", "words"),
    [
        (
            "log.succeeded",
            {
                "summary": "Task on contact 003A",
                "record": "00TA",
                "found": True,
                "identity": "ana@crm",
                "reason": "no files",
            },
            "recorded",
            "Task on contact 003A (00TA), which was there already, as ana@crm: no files",
        ),
        (
            "log.unmatched",
            {"recipients": ["kim@buyer.example"], "again_at": AT},
            "unmatched",
            "nobody in Salesforce has kim@buyer.example; matched again at 2026-11-22 09:14",
        ),
        (
            "log.unmatched",
            {"recipients": ["kim@buyer.example"], "again_at": None},
            "unmatched",
            "nobody in Salesforce has kim@buyer.example; not matched again",
        ),
        (
            "log.failed",
            {"category": "Access/Validation", "code": "LOCKED", "reason": "row is locked"},
            "not taken",
            "LOCKED: row is locked (Access/Validation)",
        ),
        ("log.undone", {"record": "00TA", "by": "root", "reason": ""}, "undone", "00TA by root"),
        (
            "log.related",
            {"record": "02sA", "related": ["003A", "003B", "003C", "006A"], "by": "root", "reason": "asked"},
            "related",
            "02sA to 003A, 003B, 003C, 006A by root: asked",
        ),
        (
            "log.doubled",
            {"record": "02sA", "deleted": "02sB", "reason": "it came late"},
            "doubled",
            "02sA was there twice, 02sB is deleted: it came late",
        ),
        (
            "log.doubled",
            {"record": "02sA", "deleted": "", "reason": "02sB is like it"},
            "doubled",
            "02sA was there twice, nothing is deleted: 02sB is like it",
        ),
        (
            "report.queued",
            {"report": "1Q8", "action": "failed", "recipients": ["kim@buyer.example"]},
            "report queued",
            "1Q8: failed for kim@buyer.example",
        ),
        (
            "reminders.synced",
            {"login": "ana", "pulled": 2, "pushed": 0, "deleted": 1, "conflicts": 0, "errors": 0},
            "reminders synced",
            "ana: 2 pulled, 1 deleted",
        ),
    ],
)
def test_an_event_in_words(name: str, data: dict[str, object], verb: str, words: str) -> None:
    """Each tells what happened as one would say it."""
    assert (verb_of(name), words_of(name, data)) == (verb, words)


def test_a_record_names_no_hop() -> None:
    """Its target is Salesforce and nothing else: that is not said twice."""
    assert words_of("delivery.sent", DELIVERY | {"role": "record"}) == "record  250 OK  attempt 1"


def test_what_was_never_tried_counts_no_attempts() -> None:
    """A record that is skipped at once has no target and no attempt, and leaves no gaps in its line."""
    skipped = DELIVERY | {
        "role": "log_copy",
        "targets": [],
        "hop": None,
        "attempt": 0,
        "reply": "internal mail",
    }
    assert words_of("delivery.skipped", skipped) == "log copy  internal mail"
