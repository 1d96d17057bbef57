"""relay.policy.rules: compiling settings into rules that know where they were written."""

import pytest

from relay.config.model import ExcludeSettings, Mode
from relay.errors import ConfigError
from relay.policy.free_mail import FREE_MAIL
from relay.policy.rules import compile_rules
from tests.support.policy import LOG_COPY, place, rep, rules, settings


def test_a_reps_own_mode_wins_and_says_where_it_stands() -> None:
    """The mode is the organisation's, or the rep's own, each named with its place."""
    ours, own = rules().of(rep()), rules(reps=[rep(mode=Mode.OFF)]).of(rep(mode=Mode.OFF))
    assert (ours.mode, ours.mode_rule) == (Mode.BCC, "logging.mode (config.yaml:12)")
    assert (own.mode, own.mode_rule) == (Mode.OFF, "users.0.mode (users.d/ana.yaml:14)")


def test_a_rep_who_was_entered_by_command_brings_the_place() -> None:
    """For a rep who does not stand in the settings, a rule names the login and how the rep was entered."""
    cecilia = rep("cecilia", ["cecilia@example.com"], mode=Mode.OFF)
    assert rules(reps=[cecilia]).of(cecilia).mode_rule == "users.cecilia.mode (relay user add)"
    elsewhere = rep("cecilia", ["cecilia@example.com"], mode=Mode.OFF, origin="")
    assert rules(reps=[elsewhere]).of(elsewhere).mode_rule == "users.cecilia.mode (default)"


def test_of_knows_each_rep_and_compiles_strangers() -> None:
    """Compiled rules are used again for an equal rep; one who was changed or entered since is compiled anew."""
    compiled = rules()
    known = compiled.of(rep())
    assert known is compiled.reps[rep().login]
    changed = rep(addresses=["ana@new.example"])
    assert compiled.of(changed).rep is changed
    assert compiled.of(rep("dora", ["dora@example.com"])).rep.login == "dora"


@pytest.mark.parametrize(
    ("log_copy", "problem"),
    [
        (LOG_COPY, ""),
        (None, "ana has no Email to Salesforce address"),
        ("nonsense", "the Email to Salesforce address of ana is not a mail address"),
        ("Ana@example.com", "the Email to Salesforce address of ana is one of ana's own addresses"),
    ],
)
def test_log_copy_address(log_copy: str | None, problem: str) -> None:
    """A rep's own address is never taken for the CRM's: the copy would come back to the sender."""
    mine = rules(reps=[rep(log_copy=log_copy)]).of(rep(log_copy=log_copy))
    assert mine.log_copy_problem == problem
    assert mine.log_copy == ("" if problem else LOG_COPY)


def test_the_log_copy_is_a_secret() -> None:
    """No rule prints an Email to Salesforce address."""
    compiled = rules()
    assert "salesforce.com" not in f"{compiled!r} {compiled.of(rep())!r} {compiled.build!r}"
    assert compiled.log_copies == {LOG_COPY}


def test_own_domains_never_hold_free_mail() -> None:
    """The domains of the reps' addresses are ours, except those that anybody can have an address in."""
    everybody = [rep(addresses=["ana@Example.com", "ana@gmail.com", "ana@bücher.example", "bo@example.com"])]
    assert rules(reps=everybody).build.own_domains == ("example.com", "xn--bcher-kva.example")
    assert {"gmail.com", "outlook.com", "gmx.de", "telia.com"} <= FREE_MAIL
    assert all(domain == domain.lower() and "." in domain for domain in FREE_MAIL)


def test_every_bad_subject_pattern_is_reported() -> None:
    """All subject patterns that cannot be used are told at once, with their places."""
    bad = settings(
        {"exclude": {"subjects": ["(", "fine", r"(a)\1"]}},
        [{"login": "bo", "addresses": ["bo@example.com"], "exclude": {"subjects": ["["]}}],
    )
    places = {"logging.exclude.subjects.0": "config.yaml:40"}
    with pytest.raises(ConfigError) as caught:
        compile_rules(bad, lambda path: places.get(path, "default"), [])
    found = [(problem.file, problem.line, problem.path) for problem in caught.value.problems]
    assert found == [
        ("config.yaml", 40, "logging.exclude.subjects.0"),
        ("", 0, "logging.exclude.subjects.2"),
        ("", 0, "users.1.exclude.subjects.0"),
    ]
    assert "is not a regular expression" in caught.value.problems[0].text


def test_hostname() -> None:
    """Our name in Received is the settings', unless the caller knows better; without any, nothing is checked."""
    assert rules().hostname == "relay.example.com"
    assert compile_rules(settings(), place, [], hostname="other.example").hostname == "other.example"


def test_a_reps_exclusions_hold_only_what_was_written() -> None:
    """The defaults of a rep's own layer add nothing: automated and internal mail are the organisation's to exclude."""
    quiet = rep(exclude=ExcludeSettings.model_validate({"recipients": ["*@familj.example"]}))
    organisation, own = rules(reps=[quiet]).of(quiet).exclusions
    assert organisation.automated
    assert own.automated == ""
    assert own.internal is None or own.internal.rule_for("bo@example.com") is None
    loud = rep(exclude=ExcludeSettings.model_validate({"internal": "auto", "automated": "true"}))
    own = rules({"exclude": {"internal": "off", "automated": "false"}}, reps=[loud]).of(loud).exclusions[1]
    assert own.automated == "users.0.exclude.automated (default)"
    assert own.internal is not None
    assert own.internal.rule_for("bo@example.com") == "users.0.exclude.internal (default)"
