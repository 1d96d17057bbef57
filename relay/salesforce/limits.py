"""When calls are not made: the day's budget, and the pauses after a sign-in that failed, a limit, or a closed API.

Pure: instants are passed in. For one event loop.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from relay.config.recording import SalesforceLimits
from relay.salesforce.exchange import Pause, Usage
from relay.salesforce.faults_table import BUDGET, local_fault
from relay.salesforce.model import Fault, FaultKind

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
PROBE = 2 * MINUTE
"""How long the one call that is let through after a pause keeps the others waiting."""
_USAGE = re.compile(r"(?:^|[;,\s])api-usage=(\d{1,12})/(\d{1,12})")
_SPANS: Mapping[FaultKind, tuple[int, ...]] = {
    FaultKind.LIMIT: (15 * MINUTE, HOUR),
    FaultKind.SIGN_IN: (5 * MINUTE, 15 * MINUTE, HOUR),
    FaultKind.STOPPED: (HOUR,),
}
"""How long the first pause is, the second, and all later ones."""
_EVERYBODY = "*"
_GONE = "*gone"
_GONE_SPANS = (30 * SECOND, MINUTE, 2 * MINUTE, 5 * MINUTE)
"""How long nobody calls a Salesforce that does not answer: what waits to be recorded would only be tried in vain."""
_GONE_AT_ONCE = frozenset({"NOT_REACHABLE", "TLS_FAILED"})
_GONE_IN_A_ROW = frozenset({"TIMEOUT", "CONNECTION_RESET", "SERVER_UNAVAILABLE", "HTTP_502", "HTTP_504"})
GONE = _GONE_AT_ONCE | _GONE_IN_A_ROW
"""What calls come to when Salesforce is gone."""
_IN_A_ROW = 4
"""So many calls without an answer in between mean that Salesforce is gone."""
FOR_ALL = frozenset(
    {"API_DISABLED_FOR_ORG", "UNSUPPORTED_API_VERSION", "INACTIVE_ORG", "INACTIVE_ORGANIZATION"}
)
"""What is refused to everybody, whoever asks."""


def usage_in(header: str, seen_at: int) -> Usage | None:
    """Read Sforce-Limit-Info, such as `api-usage=25/5000; per-app-api-usage=17/250(appName=relay)`."""
    found = _USAGE.search(header)
    return Usage(int(found[1]), int(found[2]), seen_at) if found else None


class Budget:
    """Keeps a part of the day's calls for others: background work stops first, then recording; mail needs none."""

    def __init__(self, limits: SalesforceLimits) -> None:
        self._limits = limits
        self._usage: Usage | None = None
        self._next_probe = 0

    @property
    def usage(self) -> Usage | None:
        """Give what was last seen."""
        return self._usage

    def seen(self, usage: Usage) -> None:
        """Take what an answer said."""
        self._usage = usage
        if usage.percent < self._limits.stop_logging_at:
            self._next_probe = 0

    def allowed(self, *, background: bool) -> bool:
        """Tell whether one more call of this kind keeps to the budget, as far as is known."""
        most = self._limits.stop_background_at if background else self._limits.stop_logging_at
        return self._usage is None or self._usage.percent < most

    def refusal(self, now: int, *, background: bool, probe: bool = True) -> Fault | None:
        """Give why a call must not be made; now and then one is let through, to see how usage has gone on.

        With probe=False nobody is let through by the asking alone.
        """
        if self.allowed(background=background) or self._usage is None:
            return None
        if self._next_probe == 0:
            self._next_probe = self._usage.seen_at + 15 * MINUTE
        if now >= self._next_probe:
            self._next_probe = now + HOUR if probe else self._next_probe
            return None
        return budget_fault(self._usage, (self._next_probe - now) / SECOND)

    def pause(self) -> Pause | None:
        """Give the pause of recording that the budget makes."""
        if self._usage is None or self.allowed(background=False):
            return None
        until = self._next_probe or self._usage.seen_at + 15 * MINUTE
        return Pause(
            FaultKind.LIMIT, self._usage.seen_at, until, budget_fault(self._usage, None), everybody=True
        )

    def try_now(self) -> None:
        """Let the next call through."""
        self._next_probe = 1


def budget_fault(usage: Usage, wait: float | None) -> Fault:
    """Make the fault of a call that was not made since too many were."""
    return local_fault(
        BUDGET,
        f"{usage.used} of the {usage.maximum} API calls of 24 hours are used, {usage.percent:.0f} %",
        retry_after=wait,
    )


@dataclass(frozen=True, slots=True)
class _Paused:
    pause: Pause
    times: int
    probing: bool = False
    """Whether the one call that tries is under way."""


class Pauses:
    """Which identities make no calls for now, and until when. After a pause one call tries; the others wait for it."""

    def __init__(self) -> None:
        self._paused: dict[str, _Paused] = {}
        self._unanswered = 0

    def of(self, identity: str) -> Pause | None:
        """Give the pause that this identity is in: its own, or that of everybody."""
        found = (self._paused.get(key) for key in (_EVERYBODY, _GONE, identity))
        return next((one.pause for one in found if one is not None), None)

    def gone(self) -> Pause | None:
        """Give the pause of a Salesforce that did not answer the last calls."""
        found = self._paused.get(_GONE)
        return found.pause if found else None

    def refusal(self, identity: str, now: int, *, probe: bool = True) -> Fault | None:
        """Give why a call of this identity must not be made; None: make it, it may be the one that tries.

        With probe=False nobody is made the one that tries by the asking alone.
        """
        known = {key: one for key in (_EVERYBODY, _GONE, identity) if (one := self._paused.get(key))}
        for found in known.values():
            if now < found.pause.until:
                wait = (found.pause.until - now) / SECOND
                return replace(found.pause.fault, retry_after=wait, maybe_done=False)
        for key, found in known.items() if probe else ():
            self._paused[key] = replace(found, pause=replace(found.pause, until=now + PROBE), probing=True)
        return None

    def failed(self, identity: str, fault: Fault, now: int) -> None:
        """Take what a call came to: some faults pause the identity, or everybody."""
        key, spans = self._key(identity, fault), _SPANS.get(fault.kind, _GONE_SPANS)
        before = self._paused.get(key) if key is not None else None
        if key is None or (before is not None and now < before.pause.until and not before.probing):
            return  # it pauses nobody, or another call that was under way came to the same
        everybody = key in (_EVERYBODY, _GONE)
        times = before.times + 1 if before else 0
        span = max(spans[min(times, len(spans) - 1)], round((fault.retry_after or 0) * SECOND))
        since = before.pause.since if before else now
        self._paused[key] = _Paused(Pause(fault.kind, since, now + span, fault, everybody), times)

    def _key(self, identity: str, fault: Fault) -> str | None:
        """Tell whom a fault pauses; None: nobody."""
        if fault.kind in _SPANS:
            everybody = fault.kind is FaultKind.LIMIT or fault.code in FOR_ALL
            return _EVERYBODY if everybody else identity
        if fault.code in _GONE_IN_A_ROW:
            self._unanswered += 1
        known = _GONE in self._paused and fault.code in _GONE_IN_A_ROW
        return _GONE if fault.code in _GONE_AT_ONCE or self._unanswered >= _IN_A_ROW or known else None

    def succeeded(self, identity: str) -> None:
        """Take that a call was answered: nobody is paused who it was for."""
        self._paused.pop(identity, None)
        self._paused.pop(_EVERYBODY, None)
        self.answered()

    def answered(self) -> None:
        """Take that Salesforce answered, whatever it said: it is not gone."""
        self._unanswered = 0
        self._paused.pop(_GONE, None)

    def forget(self, identity: str) -> None:
        """Take that an identity signs in otherwise now: what its own pause was for is over."""
        self._paused.pop(identity, None)

    def try_now(self, identity: str | None) -> None:
        """Let the next call of this identity, or of all, through."""
        for key in (identity, _EVERYBODY, _GONE) if identity is not None else tuple(self._paused):
            if key is not None and (found := self._paused.get(key)):
                self._paused[key] = replace(found, pause=replace(found.pause, until=0), probing=False)
