"""relay.policy.exclusions: which mail is forwarded but not logged."""

from collections.abc import Mapping, Sequence

import pytest

from relay.config.model import ExcludeSettings
from relay.policy.exclusions import (
    EXCLUDED,
    INTERNAL,
    Exclusion,
    Exclusions,
    compile_exclusions,
    find_exclusion,
)
from tests.support.policy import header, place

OUT = "buyer@customer.example"


def layer_of(settings: Mapping[str, object], path: str = "logging.exclude") -> Exclusions:
    """Compile one layer, with example.com for our own domain."""
    return compile_exclusions(
        ExcludeSettings.model_validate(settings), path, lambda one: f"{one} ({place(one)})", ["example.com"]
    )


def found(
    settings: Mapping[str, object],
    recipients: Sequence[str],
    *lines: str,
    rep: Mapping[str, object] | None = None,
    senders: Sequence[str] = ("ana@example.com",),
) -> Exclusion | None:
    """Ask the organisation's layer, and a rep's own when there is one."""
    layers = [layer_of(settings)]
    if rep is not None:
        layers.append(layer_of({"internal": "off", "automated": "false", **rep}, "users.0.exclude"))
    return find_exclusion(layers, senders, recipients, header(*lines))


@pytest.mark.parametrize(
    ("settings", "recipients", "internal"),
    [
        ({}, ["bo@example.com"], True),
        ({}, ["bo@example.com", "cecilia@example.com"], True),
        ({}, ["postmaster@"], True),
        ({}, [OUT], False),
        ({}, ["bo@example.com", OUT], False),
        ({}, ["bo@sub.example.com"], False),
        ({"internal_domains": ["*.example.com"]}, ["bo@sub.example.com"], True),
        ({"internal_domains": ["Ours.example"]}, ["bo@ours.example", "a@example.com"], True),
        ({"internal": "on"}, ["bo@example.com"], False),
        ({"internal": "on", "internal_domains": ["example.com"]}, ["bo@example.com"], True),
        ({"internal": "off", "internal_domains": ["example.com"]}, ["bo@example.com"], False),
    ],
)
def test_internal(settings: Mapping[str, object], recipients: list[str], internal: bool) -> None:
    """Mail is internal when every recipient is ours: by the reps' addresses, the list, or both."""
    exclusion = found(settings, recipients)
    assert (exclusion.reason if exclusion else None) == (INTERNAL if internal else None)


def test_names_the_rule_that_decided() -> None:
    """An exclusion carries the setting and the line it stands at."""
    internal = found({}, ["bo@example.com"])
    assert internal
    assert internal.rule == "logging.exclude.internal (config.yaml:15)"
    bank = found({"recipients": ["*@bank.example"]}, ["desk@bank.example"])
    assert bank == Exclusion("desk@bank.example is excluded", "logging.exclude.recipients.0 (config.yaml:31)")


def test_when_all_needs_every_recipient() -> None:
    """With when: all, one recipient who is not excluded gets the mail logged."""
    settings = {"recipients": ["*@bank.example"]}
    assert found(settings, ["desk@bank.example", OUT]) is None
    assert found(settings, [OUT, "desk@bank.example"]) is None
    both = found(settings, ["desk@bank.example", "bo@example.com"])
    assert both
    assert both.reason == EXCLUDED
    assert found(settings, []) is None


def test_when_any_needs_one_recipient() -> None:
    """With when: any, one excluded recipient keeps the mail from being logged."""
    settings = {"recipients": ["*@bank.example"], "when": "any"}
    one = found(settings, [OUT, "desk@bank.example"])
    assert one
    assert one.reason == "desk@bank.example is excluded"
    internal = found(settings, [OUT, "bo@example.com"])
    assert internal
    assert internal.reason == "bo@example.com is one of ours"
    assert found(settings, [OUT]) is None


def test_a_rep_excludes_on_top() -> None:
    """A rep's own layer adds to the organisation's, and each layer keeps its own `when`."""
    own = {"recipients": ["*@familj.example"]}
    mine = found({}, ["mor@familj.example"], rep=own)
    assert mine
    assert mine.rule == "users.0.exclude.recipients.0 (default)"
    assert found({}, ["mor@familj.example", "bo@example.com"], rep=own)
    assert found({}, ["mor@familj.example", OUT], rep=own) is None
    assert found({}, ["mor@familj.example", OUT], rep={**own, "when": "any"})
    assert (
        found({"recipients": ["*@bank.example"]}, ["a@bank.example", OUT], rep={**own, "when": "any"}) is None
    )


def test_automated() -> None:
    """Automated mail is excluded unless the setting says otherwise."""
    mail = "Auto-Submitted: auto-replied"
    exclusion = found({}, [OUT], mail)
    assert exclusion == Exclusion(
        "automated mail: it is marked Auto-Submitted", "logging.exclude.automated (default)"
    )
    assert found({"automated": "false"}, [OUT], mail) is None
    assert found({"automated": "false"}, [OUT], mail, rep={"automated": "true"})


def test_senders() -> None:
    """Any of the sender's addresses can exclude a mail."""
    settings = {"senders": ["*-private@example.com"]}
    exclusion = found(settings, [OUT], senders=["ana@example.com", "ana-private@example.com"])
    assert exclusion
    assert exclusion.reason == "mail from ana-private@example.com is excluded"
    assert found(settings, [OUT]) is None
    assert found({}, [OUT], rep=settings, senders=["a-private@example.com"])


def test_subjects() -> None:
    """The decoded subject decides, whatever its case."""
    settings = {"subjects": [r"^\[private\]", r"lön"]}
    assert found(settings, [OUT], "Subject: [PRIVATE] plans")
    exclusion = found(settings, [OUT], "Subject: =?utf-8?q?Din_l=C3=B6n?=")
    assert exclusion == Exclusion("the subject is excluded", "logging.exclude.subjects.1 (default)")
    assert found(settings, [OUT], "Subject: plans [private]") is None
    assert found(settings, [OUT]) is None


def test_the_order() -> None:
    """Automated comes before sender, sender before subject, subject before recipients."""
    settings = {"senders": ["ana@*"], "subjects": ["x"], "recipients": ["*"]}
    reasons = []
    for lines, senders in [
        (["Precedence: bulk", "Subject: x"], ["ana@example.com"]),
        (["Subject: x"], ["ana@example.com"]),
        (["Subject: x"], ["bo@example.com"]),
        ([], ["bo@example.com"]),
    ]:
        exclusion = found(settings, [OUT], *lines, senders=senders)
        assert exclusion
        reasons.append(exclusion.rule.split()[0].split(".")[2])
    assert reasons == ["automated", "senders", "subjects", "recipients"]
