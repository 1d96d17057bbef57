"""What people changed is laid over what was entered, as far as the settings and an admin allow."""

from dataclasses import replace

import pytest

from relay.config.crm import ExcludeSettings, Mode
from relay.config.model import RelaySettings, WebSettings
from relay.directory.changes import (
    Change,
    Changes,
    allowed,
    may_be_changed_for_all,
    merged_reps,
    with_setting,
)
from relay.directory.model import Rep, Token
from relay.ids import Login
from tests.support.builders import mailbox

SETTINGS = RelaySettings.model_validate(
    {
        "version": "1",
        "listeners": [{"name": "a", "address": "127.0.0.1:0"}],
        "upstream": {"default": "main", "routes": {"main": {"host": "127.0.0.1"}}},
    }
)
ANA = Rep(
    Login("Ana"), (mailbox("ana@example.com"),), tokens=(Token("Laptop", "a" * 64),), password="entered"
)
BO = Rep(Login("bo"), (mailbox("bo@example.com"),))


def merged(changes: Changes, settings: RelaySettings = SETTINGS, rep: Rep = ANA) -> Rep:
    """Give ana as she is after the changes."""
    return merged_reps([rep, BO], changes, settings)[0]


def of_ana(*changes: tuple[str, object]) -> Changes:
    """Give changes of ana's."""
    return Changes({"ana": [Change(key, value, 1, "ana") for key, value in changes]})


def test_each_setting_lands_where_it_belongs() -> None:
    """With who changed it."""
    rep = merged(
        of_ana(
            ("mode", "off"), ("language", "sv"), ("time_zone", "Europe/Stockholm"), ("reminders", "two_way")
        )
    )
    assert (rep.mode, rep.language, rep.time_zone, rep.reminders) == (
        Mode.OFF,
        "sv",
        "Europe/Stockholm",
        "two_way",
    )
    assert rep.changed_by("mode") == "page: ana"
    assert rep.changed_by("addresses") == ""


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("mode", "both"),
        ("exclude", {"nonsense": 1}),
        ("capture", "all"),
        ("password", "x"),
        ("web_role", "admin"),
    ],
)
def test_what_cannot_be_used_is_left_out(key: str, value: object) -> None:
    """A value of another version, or a setting that nobody changes on the page, is as if it were not there."""
    assert merged(of_ana((key, value))) == ANA


@pytest.mark.parametrize("entered", [False, True])
def test_a_rep_of_the_settings_is_disabled_where_they_allow_it(entered: bool) -> None:
    """With who did it; with web.may_disable: false what was entered holds."""
    rep, change = replace(ANA, disabled=entered), of_ana(("disabled", not entered))
    found = merged(change, rep=rep)
    assert (found.disabled, found.changed_by("disabled")) == (not entered, "page: ana")
    closed = SETTINGS.model_copy(update={"web": WebSettings.model_validate({"may_disable": False})})
    assert merged(change, closed, rep) == rep


def test_nobody_becomes_an_admin_by_a_change() -> None:
    """Roles, logins and ids are entered, never changed on the page."""
    keys = ("web_role", "login", "salesforce_user_id", "disabled", "origin")
    assert merged(of_ana(*((key, "admin") for key in keys))) == ANA


def test_locks_and_settings_decide_what_counts() -> None:
    """What is locked or not in may_change does not count; one's own language always does."""
    strict = SETTINGS.model_copy(update={"web": WebSettings(may_change=())})
    changes = of_ana(("mode", "off"), ("language", "sv"))
    assert merged(changes, strict).mode is None
    assert merged(changes, strict).language == "sv"
    assert merged(replace(changes, locked=frozenset({"mode"}))).mode is None
    assert not allowed("email_to_salesforce", SETTINGS, {"mode"})


def test_a_mode_that_needs_salesforce_needs_it_still() -> None:
    """Where the settings no longer name an organisation, a choice of the API does not count."""
    assert merged(of_ana(("mode", "api"))).mode is None


def test_own_exclusions_stand_behind_those_that_were_entered() -> None:
    """What was entered stays, in its order; only what came from the page is said to."""
    entered = replace(ANA, exclude=ExcludeSettings(recipients=("a.example",), automated=True))
    rep = merged(
        of_ana(("exclude", {"recipients": ["b.example"], "senders": ["x@example.com"]})), rep=entered
    )
    assert rep.exclude is not None
    assert rep.exclude.recipients == ("a.example", "b.example")
    assert rep.exclude.model_fields_set == {"recipients", "senders", "automated"}
    assert (rep.changed_by("exclude.recipients.0"), rep.changed_by("exclude.recipients.1")) == (
        "",
        "page: ana",
    )


def test_app_passwords_and_passwords_of_the_page() -> None:
    """Made ones are added, revoked ones are gone wherever they stand, and a chosen password counts."""
    made = Token("Telephone", "b" * 64, 1)
    changes = Changes(tokens={"ana": [made]}, revoked=frozenset({"a" * 64}), passwords={"ana": "chosen"})
    rep = merged(changes)
    assert (rep.tokens, rep.password) == ((made,), "chosen")


def test_an_address_that_somebody_was_entered_with_is_theirs() -> None:
    """However it came to be verified for another."""
    changes = Changes(addresses={"ana": [mailbox("bo@example.com"), mailbox("ana@other.example")]})
    assert list(map(str, merged(changes).addresses)) == ["ana@example.com", "ana@other.example"]
    strict = SETTINGS.model_copy(update={"web": WebSettings(may_change=("mode",))})
    assert merged(changes, strict).addresses == ANA.addresses


@pytest.mark.parametrize(
    "key", ["logging.match.nobody", "logging.subject", "reminders.sync", "logging.exclude.senders"]
)
def test_what_an_admin_may_change_for_all(key: str) -> None:
    """The settings of logging that the page shows."""
    assert may_be_changed_for_all(key)


@pytest.mark.parametrize(
    "key",
    [
        "server.hostname",
        "users",
        "upstream.default",
        "auth.require_tls",
        "logging.unacceptable_sender",
        "logging.modest",
        "web.may_change",
        "",
    ],
)
def test_what_nobody_changes_on_the_page(key: str) -> None:
    """Where mail goes, who may send, how people sign in: the settings file alone says so."""
    assert not may_be_changed_for_all(key)


def test_a_setting_is_replaced_in_its_group_alone() -> None:
    """The rest stays, and a value that does not fit is refused."""
    changed = with_setting(SETTINGS, "logging.capture.attachments_total", "5MiB")
    assert changed.logging.capture.attachments_total == 5 * 1024**2
    assert changed.logging.capture.body == SETTINGS.logging.capture.body
    assert changed.upstream == SETTINGS.upstream
    for key, value in (("logging.capture.body", "some"), ("logging.nothing", 1), ("logging.mode.x", 1)):
        with pytest.raises(ValueError, match=r"."):
            with_setting(SETTINGS, key, value)
