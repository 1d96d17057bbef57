"""Whatever somebody asks the simulated Salesforce, it answers or refuses; what was quoted rightly finds itself."""

from collections.abc import Callable
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from simple_salesforce.format import format_soql

from relay.demo.salesforce.clock import SimulatedClock
from relay.demo.salesforce.records import Records
from relay.demo.salesforce.soql import Asking, QueryError, QueryResult, run
from relay.demo.salesforce.sosl import search
from relay.demo.salesforce.toggles import Toggles
from tests.support.clock import FakeClock

_ADMIN = "005000000000001AAA"
_ASKING = Asking(datetime(2026, 11, 22, tzinfo=UTC))
_WORDS = [
    "SELECT", "Id", "COUNT()", "COUNT(Id)", "n", "FROM", "Task", "Contact", "WHERE", "Subject", "Who.Name", "=", "!=",
    "<", "LIKE", "IN", "NOT", "(", ")", ",", "'x'", "'%_'", "''", "null", "true", "TODAY", "LAST_N_DAYS:3", "2026-11-22",
    "2026-11-22T10:00:00Z", "5", "AND", "OR", "GROUP", "BY", "WhoId", "ORDER", "DESC", "NULLS", "LAST", "LIMIT", "1",
    "OFFSET", "ActivityDate", "IsClosed", "CreatedDate", ".", ":",
]  # fmt: skip
_NAMES = st.text(min_size=1, max_size=20).filter(lambda text: "\x00" not in text)


def _records(*names: str) -> Records:
    records = Records(Toggles(), SimulatedClock(FakeClock()))
    for name in names:
        records.insert("Contact", {"LastName": name}, user=_ADMIN)
    records.insert("Task", {"Subject": "x", "ActivityDate": "2026-11-22"}, user=_ADMIN)
    records.insert("Task", {}, user=_ADMIN)
    return records


def _ask(records: Records, soql: str) -> QueryResult:
    return run(soql, records.seen_by(_ADMIN), records.schema, _ASKING)


def _refusal(asked: Callable[[], object]) -> str:
    """Give the code of a refusal, or ANSWERED."""
    try:
        asked()
    except QueryError as refused:
        return refused.code
    return "ANSWERED"


@given(st.lists(st.sampled_from(_WORDS), max_size=25), st.text(max_size=10))
def test_any_statement_is_answered_or_refused(words: list[str], tail: str) -> None:
    """No sequence of words makes anything but rows or a refusal with a code."""
    records = _records("Lund")
    for start in ("", "SELECT Id FROM Task WHERE ", "SELECT Id, Who.Name FROM Task ORDER BY "):
        soql = start + " ".join(words) + tail
        assert _refusal(lambda soql=soql: _ask(records, soql)).replace("_", "").isupper()


@given(st.text(max_size=60))
def test_any_search_is_answered_or_refused(text: str) -> None:
    """The same for SOSL."""
    records = _records("Lund")
    for find in (
        text,
        f"FIND {{{text}}} IN NAME FIELDS RETURNING Contact(Id)",
        f"FIND {{ab}} RETURNING {text}",
    ):
        code = _refusal(lambda find=find: search(find, records.seen_by(_ADMIN), records.schema, _ASKING))
        assert code.replace("_", "").isupper()


@given(_NAMES, st.lists(_NAMES, max_size=5))
def test_a_quoted_value_finds_itself_and_its_like_alone(name: str, others: list[str]) -> None:
    """format_soql's quoting comes back as the value: equality finds those that differ in letter case at most."""
    records = _records(name, *others)
    wanted = sum(each.casefold() == name.casefold() for each in [name, *others])
    for soql in (
        format_soql("SELECT Id FROM Contact WHERE LastName = {}", name),
        format_soql("SELECT Id FROM Contact WHERE LastName IN {}", [name]),
    ):
        assert _ask(records, soql).total == wanted


@given(_NAMES, _NAMES)
def test_a_quoted_pattern_finds_what_begins_so(name: str, rest: str) -> None:
    """A value quoted for LIKE is taken literally in front of a %."""
    records = _records(name + rest)
    soql = format_soql("SELECT Id FROM Contact WHERE LastName LIKE '{:like}%'", name)
    assert _ask(records, soql).total == 1
