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
_FOR_ALL = frozenset(
    {"API_DISABLED_FOR_ORG", "UNSUPPORTED_API_VERSION", "INACTIVE_ORG", "INACTIVE_ORGANIZATION"}
)


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


class Pauses:
    """Which identities make no calls for now, and until when. After a pause one call tries; the others wait for it."""

    def __init__(self) -> None:
        self._paused: dict[str, _Paused] = {}

    def of(self, identity: str) -> Pause | None:
        """Give the pause that this identity is in: its own, or that of everybody."""
        found = self._paused.get(_EVERYBODY) or self._paused.get(identity)
        return found.pause if found else None

    def refusal(self, identity: str, now: int, *, probe: bool = True) -> Fault | None:
        """Give why a call of this identity must not be made; None: make it, it may be the one that tries.

        With probe=False nobody is made the one that tries by the asking alone.
        """
        for key in (_EVERYBODY, identity):
            found = self._paused.get(key)
            if found is None:
                continue
            if now < found.pause.until:
                wait = (found.pause.until - now) / SECOND
                return replace(found.pause.fault, retry_after=wait, maybe_done=False)
            if probe:
                self._paused[key] = replace(found, pause=replace(found.pause, until=now + PROBE))
        return None

    def failed(self, identity: str, fault: Fault, now: int) -> None:
        """Take what a call came to: some faults pause the identity, or everybody."""
        spans = _SPANS.get(fault.kind)
        if spans is None:
            return
        everybody = fault.kind is FaultKind.LIMIT or fault.code in _FOR_ALL
        key = _EVERYBODY if everybody else identity
        before = self._paused.get(key)
        if before is not None and now < before.pause.until - PROBE:
            return  # another call that was under way came to the same
        times = before.times + 1 if before else 0
        span = max(spans[min(times, len(spans) - 1)], round((fault.retry_after or 0) * SECOND))
        since = before.pause.since if before else now
        self._paused[key] = _Paused(Pause(fault.kind, since, now + span, fault, everybody), times)

    def succeeded(self, identity: str) -> None:
        """Take that a call was answered: nobody is paused who it was for."""
        self._paused.pop(identity, None)
        self._paused.pop(_EVERYBODY, None)

    def try_now(self, identity: str | None) -> None:
        """Let the next call of this identity, or of all, through."""
        for key in (identity, _EVERYBODY) if identity is not None else tuple(self._paused):
            if key is not None and (found := self._paused.get(key)):
                self._paused[key] = replace(found, pause=replace(found.pause, until=0))
