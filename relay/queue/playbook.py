"""What is to be done about mail that waits, by the kind of reason it waits for.

Pure. `relay queue why` prints it; docs/queue.md lists it. A reason is what the last attempt came to, in the words of the
hop or of the relay.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from relay.queue.model import State


@dataclass(frozen=True, slots=True)
class Play:
    """One kind of reason: how it is known, and what helps."""

    kind: str
    states: frozenset[State]
    """Empty: any."""
    statuses: tuple[str, ...]
    """Beginnings of the enhanced status code; empty: any."""
    words: tuple[str, ...]
    """One of these stands in the reason; empty: any."""
    advice: str

    def fits(self, state: State, status: str, text: str) -> bool:
        """Tell whether a reason is of this kind; `text` in lower case."""
        return (
            (not self.states or state in self.states)
            and (not self.statuses or status.startswith(self.statuses))
            and (not self.words or any(word in text for word in self.words))
        )


def _play(
    kind: str, advice: str, *words: str, statuses: tuple[str, ...] = (), states: tuple[State, ...] = ()
) -> Play:
    return Play(kind, frozenset(states), statuses, words, advice)


PLAYS: tuple[Play, ...] = (
    _play(
        "unmatched",
        "Nobody in Salesforce has any of the addresses. Enter somebody there, or name a record: `relay records relate`;"
        " it is matched again by itself for logging.match.rematch, then skipped.",
        "unmatched: ",
        states=(State.HELD,),
    ),
    _play(
        "refused by Salesforce",
        "A rule, a permission or a field of Salesforce's; its own words say which, `relay records show` where. Mend it"
        " there, then `relay records retry`; or `relay records skip`.",
        "salesforce: ",
        states=(State.HELD,),
    ),
    _play(
        "Salesforce's limit",
        "Nothing: it goes on as soon as there are API calls left (`relay salesforce limits`). See salesforce.limits.",
        "salesforce: request_limit_exceeded",
        "salesforce: relay_budget",
    ),
    _play(
        "Salesforce",
        "Nothing, if it passes: it is tried again, and looked for before. If not, `relay salesforce whoami` says what is"
        " wrong with the sign-in or the permissions; then `relay records retry --all`.",
        "salesforce: ",
        states=(State.DEFERRED,),
    ),
    _play(
        "held",
        "Somebody held it, or it came with a restored backup: `relay queue release` sends it on, `relay queue cancel`"
        " gives it up.",
        states=(State.HELD,),
    ),
    _play(
        "waiting",
        "Nothing: it is a record, and is made once the mail has been delivered.",
        states=(State.WAITING,),
    ),
    _play(
        "pace",
        "Nothing: it goes as soon as the limits of its route allow. Raise limits.messages_per_minute,"
        " limits.recipients_per_day or limits.connections of the route if the provider allows more.",
        "paced by the settings",
    ),
    _play(
        "due",
        "Nothing, if it moves. If it does not: is `relay serve` running? The mail log tells (`relay log --follow`).",
        states=(State.QUEUED,),
    ),
    _play(
        "under way",
        "Nothing: it is being attempted just now. A hop that says nothing is given up after five minutes; it is deferred"
        " then, with the reason.",
        states=(State.ACTIVE,),
    ),
    _play(
        "restart",
        "Nothing: the relay was stopped in the middle of the attempt.",
        "the relay is stopping",
    ),
    _play(
        "settings",
        "Mend the settings: `relay check`, `relay config show`; then `relay reload` and `relay queue retry --all`.",
        "there is no route",
        "leads to no hop",
        "see upstream.resolver",
        "the relay could not go on",
    ),
    _play(
        "sign-in",
        "The smarthost does not take the relay's login: renew upstream.routes.*.auth (an expired password, or the"
        " provider turned basic sign-in off), then `relay reload`.",
        "sign-in",
        "authentication failed",
        "authentication required",
        "basic authentication",
        "offers no auth",
    ),
    _play(
        "TLS",
        "TLS with the hop fails: is the certificate expired, or for another name than the route's host? A CA of one's"
        " own is named by tls_ca. Is it the right kind: tls: implicit for port 465, starttls for 587 and 25? The route"
        " does not go on in clear text.",
        statuses=("4.7.4", "4.7.5"),
    ),
    _play(
        "DNS",
        "The name cannot be looked up: ask `dig NAME` on this machine; for kind: mx see upstream.resolver.",
        statuses=("4.4.3",),
    ),
    _play(
        "greylisting",
        "Nothing: the receiver wants a second try, and gets it by the schedule.",
        "greylist",
        "graylist",
        "grey-list",
    ),
    _play(
        "rate",
        "The hop takes less than it is sent: set limits.connections and limits.messages_per_minute of the route to what"
        " the provider allows.",
        "too many",
        "rate limit",
        "throttl",
        "concurrent connections",
    ),
    _play(
        "connection",
        "The hop does not answer: can this machine reach its port (`nc -vz HOST PORT`)? A firewall often keeps port 25"
        " shut; port 465 says nothing without tls: implicit. `relay queue retry` tries at once.",
        statuses=("4.4.1", "4.4.2"),
    ),
    _play(
        "mailbox",
        "The receiver's mailbox is full or shut for now: it is tried until it expires; the person may be told by other means.",
        statuses=("4.2.",),
    ),
    _play(
        "policy",
        "The receiver does not trust the mail or this host: look at its words, at SPF, DKIM and reverse DNS of this"
        " host's address, and at blocklists.",
        statuses=("4.7.",),
    ),
    _play(
        "log copy",
        "Nothing: the log copy waits with the recipients of its mail.",
        "log copy was not sent",
    ),
    _play(
        "hop",
        "The hop has trouble of its own: its operator must act. The relay goes on trying.",
        statuses=("4.3.", "4.5."),
    ),
)
OTHER = _play("other", "Look at the words of the hop; `relay queue show ID` tells the whole story.")


def play_for(state: State, reason: str) -> Play:
    """Give the kind of a reason and what helps: the first line that fits."""
    status, text = status_of(reason), reason.lower()
    return next((play for play in PLAYS if play.fits(state, status, text)), OTHER)


def status_of(reason: str) -> str:
    """Give the enhanced status code that a reason begins with, behind its three digits; "" when it has none."""
    words = reason.split(" ", 2)
    status = words[1] if len(words) > 1 else ""
    return status if status[:2] in ("4.", "5.", "2.") and status.replace(".", "").isdigit() else ""


def skeleton(reason: str) -> str:
    """Give a reason without what differs from one mail to the other: addresses, numbers, queue ids, hosts with ports."""
    words = reason.split()
    keep = 2 if status_of(reason) else 1
    shown: list[str] = []
    for number, word in enumerate(words):
        varies = number >= keep and ("@" in word or any(c.isdigit() for c in word))
        if not varies:
            shown.append(word)
        elif not shown or shown[-1] != "…":
            shown.append("…")
    return " ".join(shown)


def playbook() -> Iterator[tuple[str, str]]:
    """Give each kind with its advice, for people."""
    for play in (*PLAYS, OTHER):
        yield play.kind, play.advice
