"""Each event of the mail log in words, for people: what stands behind its time and the queue id.

Pure. What may be shown of addresses and subjects has been settled before (relay.log_lines.Discretion).
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

Data = dict[str, object]

_TWO_WORDS = ("auth", "report", "reminders")
"""Kinds of events whose verb alone would not say what it is about."""
_VERBS = {
    "log.succeeded": "recorded",
    "log.failed": "not taken",
    "reminders.deletions_wait": "reminders wait",
}


def verb_of(name: str) -> str:
    """Give what an event is called in a line: `accepted` for message.accepted."""
    kind, _, verb = name.partition(".")
    return _VERBS.get(name) or (f"{kind} {verb}" if kind in _TWO_WORDS else verb)


def words_of(name: str, data: Data) -> str:
    """Tell an event in words. Raises KeyError where a field that they need is missing."""
    return _WORDS.get(name, _WORDS.get(name.partition(".")[0], _pairs))(data)


def _accepted(data: Data) -> str:
    subject = f"  {data['subject']!r}" if data.get("subject") else ""
    who = data["login"] or data["client"]
    parts = [f"{who} <{data['sender']}> -> {_people(data['recipients'])}", _size(data["octets"]), data["tls"]]
    return "  ".join(str(part) for part in parts if part) + f"  {data['decision']}  [{data['rule']}]{subject}"


def _refused(data: Data) -> str:
    who = data["login"] or data["client"]
    rule = f"  [{data['rule']}]" if data["rule"] else ""
    return f"{who} <{data['sender']}> -> {_people(data['recipients'])}  {data['reply']}{rule}"


def _delivery(data: Data) -> str:
    tried = f"attempt {data['attempt']}" if data["attempt"] else ""
    next_at = data.get("next_attempt_at")
    again = f"again at {time_of_day(next_at)}" if isinstance(next_at, int) else ""
    return "  ".join(str(part) for part in (_target(data), data["reply"], tried, again) if part)


def _target(data: Data) -> str:
    """Say to whom: of a record it goes without saying."""
    role, targets = data.get("role"), _people(data["targets"])
    if role == "record":
        return "record"
    hop = f"via {data['hop']}" if data.get("hop") else ""
    return " ".join(part for part in ("log copy" if role == "log_copy" else "", targets, hop) if part)


def _closed(data: Data) -> str:
    sent, failed = data["sent"], data["failed"]
    total = sent + failed if isinstance(sent, int) and isinstance(failed, int) else "?"
    seconds = data["seconds"]
    took = f"{seconds:.1f} s" if isinstance(seconds, float | int) else ""
    return f"{data['login'] or '-'}  delivered {sent}/{total}, logged: {data['logged']}, {took}"


def _sign_in(data: Data) -> str:
    return f"{data['login']!r} from {data['client']} on {data['listener']}: {data['reason']}"


def _changed(data: Data) -> str:
    return f"{data['verb']} by {data['by']}  {_people(data['targets'])}{_because(data)}"


def _recorded(data: Data) -> str:
    there = ", which was there already" if data["found"] else ""
    made_as = f", as {data['identity']}" if data["identity"] else ""
    return f"{data['summary']} ({data['record']}){there}{made_as}{_because(data)}"


def _unmatched(data: Data) -> str:
    at = data["again_at"]
    again = f"matched again at {_moment(at)}" if isinstance(at, int) else "not matched again"
    return f"nobody in Salesforce has {_people(data['recipients'])}; {again}"


def _not_taken(data: Data) -> str:
    return f"{data['code']}{_because(data)} ({data['category']})"


def _imported(data: Data) -> str:
    subject = f"  {data['subject']!r}" if data.get("subject") else ""
    return f"{data['login']} -> {_people(data['recipients'])}{subject}"


def _undone(data: Data) -> str:
    return f"{data['record']} by {data['by']}{_because(data)}"


def _related(data: Data) -> str:
    return f"{data['record']} to {_listed(data['related'])} by {data['by']}{_because(data)}"


def _doubled(data: Data) -> str:
    what = f"{data['deleted']} is deleted" if data["deleted"] else "nothing is deleted"
    return f"{data['record']} was there twice, {what}{_because(data)}"


def _report(data: Data) -> str:
    return f"{data['report']}: {data['action']} for {_people(data['recipients'])}"


def _not_reported(data: Data) -> str:
    return f"{_people(data['recipients'])}{_because(data)}"


def _switched(data: Data) -> str:
    return f"{data['login']}: {data['sync']}"


def _synced(data: Data) -> str:
    told = ("pulled", "pushed", "deleted", "conflicts", "errors")
    return f"{data['login']}: " + (
        ", ".join(f"{data[name]} {name}" for name in told if data[name]) or "nothing"
    )


def _waiting_deletions(data: Data) -> str:
    return f"{data['login']}: {data['deletions']} deletions wait for `relay reminders sync`"


def _pairs(data: Data) -> str:
    return " ".join(f"{name}={_people(value)}" for name, value in data.items())


_WORDS: dict[str, Callable[[Data], str]] = {
    "message.accepted": _accepted,
    "message.refused": _refused,
    "message.closed": _closed,
    "delivery": _delivery,
    "delivery.changed": _changed,
    "auth.failed": _sign_in,
    "auth.blocked": _sign_in,
    "report.queued": _report,
    "report.undeliverable": _not_reported,
    "log.succeeded": _recorded,
    "log.unmatched": _unmatched,
    "log.failed": _not_taken,
    "log.imported": _imported,
    "log.undone": _undone,
    "log.related": _related,
    "log.doubled": _doubled,
    "reminders.switched": _switched,
    "reminders.synced": _synced,
    "reminders.deletions_wait": _waiting_deletions,
}


def _because(data: Data) -> str:
    return f": {data['reason']}" if data.get("reason") else ""


def _people(value: object) -> str:
    if not isinstance(value, tuple | list):
        return str(value)
    if len(value) <= 3:
        return _listed(value)
    domains = sorted({str(one).rpartition("@")[2] for one in value})
    more = ", …" if len(domains) > 3 else ""
    return f"{len(value)} recipients at {', '.join(domains[:3])}{more}"


def _listed(value: object) -> str:
    return ", ".join(str(one) for one in value) if isinstance(value, tuple | list) else str(value)


def _size(octets: object) -> str:
    if not isinstance(octets, int):
        return ""
    return f"{octets / 1_048_576:.1f} MiB" if octets >= 1_048_576 else f"{max(1, octets // 1024)} KiB"


@lru_cache(maxsize=16)
def to_the_second(seconds: int) -> str:
    """Write an instant, in whole seconds of UTC, as `2026-11-30T09:14:03`; one second is formatted once."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def time_of_day(instant: int) -> str:
    """Write the time of day in UTC, as everything of the relay is."""
    return to_the_second(instant // 1_000_000)[11:]


def _moment(instant: int) -> str:
    """Write day and time, for what may be days away."""
    return to_the_second(instant // 1_000_000)[:16].replace("T", " ")
