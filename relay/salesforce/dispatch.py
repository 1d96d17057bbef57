"""Calls from the loop's side: they wait their turn, keep to budget and pauses, and what comes of them is counted.

For one event loop.
"""

import asyncio
import logging
import threading
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from relay.clock import Clock
from relay.config.recording import SalesforceSettings
from relay.errors import RelayError
from relay.salesforce.exchange import Pause, SalesforceError, Usage
from relay.salesforce.faults_table import local_fault
from relay.salesforce.limits import GONE, Budget, Pauses, usage_in
from relay.salesforce.login import Token
from relay.salesforce.model import FaultKind
from relay.salesforce.request import Request, Result
from relay.salesforce.tokens import TokenProvider
from relay.salesforce.turns import Turns, Workers

if TYPE_CHECKING:  # loaded in a worker thread, with the first call
    from relay.salesforce.calls import Calls
    from relay.salesforce.session import Line

_LOGS = logging.getLogger(__name__)
T = TypeVar("T")
_STORE_SECONDS = 30.0
_CONNECTING = "(connecting)"
"""Whose call it is to connect or disconnect; no username looks like it."""
_NO_PROOF = frozenset(
    {FaultKind.AGAIN, FaultKind.UNKNOWN, FaultKind.LIMIT, FaultKind.SIGN_IN, FaultKind.STOPPED}
)


class SalesforceMeter(Protocol):
    """Hears of calls; relay.metrics.Metrics is one."""

    def salesforce_called(self, operation: str, result: str, seconds: float) -> None:
        """Count and measure one call: operation such as query or create, result ok or a kind of fault."""
        ...

    def salesforce_remaining(self, calls: int) -> None:
        """Set how many of the day's calls are left."""
        ...


class NoMeter:
    """Counts nothing."""

    def salesforce_called(self, operation: str, result: str, seconds: float) -> None:
        """Count nothing."""

    def salesforce_remaining(self, calls: int) -> None:
        """Set nothing."""


class TokenKeeper(Protocol):
    """Keeps refresh tokens that Salesforce replaced; relay.salesforce.token_store has one over the database."""

    async def load(self, identity: str, origin: str) -> str | None:
        """Give the newest token that came of the one whose digest `origin` is; None when there is none."""
        ...

    async def organization(self, origin: str) -> str | None:
        """Give the organisation that was kept with a token."""
        ...

    async def save(self, identity: str, origin: str, token: str, organization: str = "") -> None:
        """Keep a new token durably, with the organisation where it says which that is; the first one stays."""
        ...

    async def drop(self, identity: str, origin: str = "") -> None:
        """Forget what is kept for an identity; with `origin`, which organisation it was, too."""
        ...


@dataclass(frozen=True, slots=True)
class _FromThread:
    """A TokenKeeper for worker threads: the loop does it, the thread waits."""

    keeper: TokenKeeper
    loop: asyncio.AbstractEventLoop

    def load(self, identity: str, origin: str) -> str | None:
        return self._wait(self.keeper.load(identity, origin))

    def organization(self, origin: str) -> str | None:
        return self._wait(self.keeper.organization(origin))

    def save(self, identity: str, origin: str, token: str, organization: str = "") -> None:
        self._wait(self.keeper.save(identity, origin, token, organization))

    def drop(self, identity: str, origin: str = "") -> None:
        self._wait(self.keeper.drop(identity, origin))

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return asyncio.run_coroutine_threadsafe(work, self.loop).result(_STORE_SECONDS)
        except (TimeoutError, RelayError, RuntimeError) as error:
            work.close()
            raise SalesforceError(
                local_fault("TIMEOUT", f"the store of tokens does not answer: {type(error).__name__}")
            ) from None


class Dispatch:
    """Makes calls for all identities, so many at once, and none that should not be made."""

    def __init__(
        self,
        settings: SalesforceSettings,
        line: Callable[[], "Line"],
        clock: Clock,
        meter: SalesforceMeter,
        tokens: Callable[["_FromThread | None"], TokenProvider],
        keeper: TokenKeeper | None,
    ) -> None:
        self.budget = Budget(settings.limits)
        self.pauses = Pauses()
        self._server_told: tuple[int, float] | None = None
        self._settings = settings
        self._line = line
        self._clock = clock
        self._meter = meter
        self._make_tokens = tokens
        self._keeper = keeper
        self._turns = Turns(settings.limits.concurrency)
        self._workers = Workers(settings.limits.concurrency)
        self._calls: Calls | None = None
        self._loading = threading.Lock()

    async def call(self, identity: str, request: Request, *, background: bool = False) -> Result:
        """Make a call, or give the fault that keeps it from being made."""
        return await self._in_turn(
            identity, request.operation, background, lambda calls: calls.make(identity, request)
        )

    async def token(self, identity: str) -> Token:
        """Sign in, when that has not been done. Raises SalesforceError."""
        got: list[Token] = []

        def fetch(calls: "Calls") -> Result:
            try:
                got.append(calls.token(identity))
            except SalesforceError as error:
                return Result(fault=error.fault)
            return Result()

        result = await self._in_turn(identity, "token", False, fetch)
        if result.fault is not None:
            raise SalesforceError(result.fault)
        return got[0]

    async def connecting(self, work: "Callable[[Calls], T]") -> T:
        """Do what connects or disconnects: whoever is paused, it is done; what comes of it pauses nobody.

        Raises SalesforceError.
        """
        got: list[T] = []

        def done(calls: "Calls") -> Result:
            try:
                got.append(work(calls))
            except SalesforceError as error:
                return Result(fault=error.fault)
            return Result()

        result = await self._in_turn(_CONNECTING, "connect", False, done, paused=False)
        if result.fault is not None:
            raise SalesforceError(result.fault)
        return got[0]

    def pause(self, identity: str) -> Pause | None:
        """Tell why calls of this identity are not made now."""
        return self.pauses.of(identity) or self.budget.pause()

    def usage(self) -> Usage | None:
        """Tell how much of the day's calls is used, as last seen."""
        return self.budget.usage

    def close(self) -> None:
        """End the threads after what they are doing."""
        self._workers.close()

    async def _in_turn(
        self,
        identity: str,
        operation: str,
        background: bool,
        work: Callable[["Calls"], Result],
        *,
        paused: bool = True,
    ) -> Result:
        if paused and (refusal := self._refusal(identity, background, probe=False)) is not None:
            return refusal
        await self._turns.take(background=background)
        # While it waited, a call before it may have found that none should be made.
        if paused and (refusal := self._refusal(identity, background, probe=True)) is not None:
            self._turns.give_back(background=background)
            return refusal
        loop = asyncio.get_running_loop()
        running = self._workers.run(lambda: work(self._loaded(loop)))
        running.add_done_callback(lambda done: self._ended(done, identity, operation, background))
        try:
            return await asyncio.shield(running)  # who gives up does not free the thread
        except Exception as error:  # noqa: BLE001 - trouble that nobody foresaw is temporary and loud
            _tell(error)
            return Result(fault=local_fault("UNFORESEEN", type(error).__name__, maybe_done=True))

    def _refusal(self, identity: str, background: bool, *, probe: bool) -> Result | None:
        now = self._clock.now()
        fault = self.budget.refusal(now, background=background, probe=probe)
        fault = fault or self.pauses.refusal(identity, now, probe=probe)
        return Result(fault=fault) if fault is not None else None

    def _loaded(self, loop: asyncio.AbstractEventLoop) -> "Calls":
        with self._loading:
            if self._calls is None:
                from relay.salesforce.calls import Calls

                kept = _FromThread(self._keeper, loop) if self._keeper is not None else None
                self._calls = Calls(self._line(), self._settings.api_version, self._make_tokens(kept))
            return self._calls

    def server_now(self) -> int:
        """Give the instant by Salesforce's clock: as its last answer told, and what has passed since; else ours.

        Counted by the monotonic clock, so that ours may be set while the relay runs.
        """
        if self._server_told is None:
            return self._clock.now()
        told, at = self._server_told
        return told + round((self._clock.monotonic() - at) * 1_000_000)

    def _ended(self, done: "asyncio.Future[Result]", identity: str, operation: str, background: bool) -> None:
        self._turns.give_back(background=background)
        if done.cancelled() or done.exception() is not None:
            self._meter.salesforce_called(operation, FaultKind.UNKNOWN.value, 0.0)
            return
        result, now = done.result(), self._clock.now()
        if result.server_time is not None:
            self._server_told = (result.server_time, self._clock.monotonic())
        if result.limit_info is not None and (usage := usage_in(result.limit_info, now)) is not None:
            self.budget.seen(usage)
            self._meter.salesforce_remaining(usage.remaining)
        if result.reached and (result.fault is None or result.fault.code not in GONE):
            self.pauses.answered()
        if identity != _CONNECTING:
            self._judge(identity, result, now)
        outcome = result.fault.kind.value if result.fault is not None else "ok"
        self._meter.salesforce_called(operation, outcome, result.seconds)

    def _judge(self, identity: str, result: Result, now: int) -> None:
        """Let what came of a call pause its identity, or end its pause."""
        if result.fault is not None:
            self.pauses.failed(identity, result.fault, now)
        if result.fault is None or (result.reached and result.fault.kind not in _NO_PROOF):
            self.pauses.succeeded(identity)


def _tell(error: Exception) -> None:
    """Log where it came from, without its text, which may hold a query or a token."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "?"
    _LOGS.error("a call of Salesforce failed in an unforeseen way: %s at %s", type(error).__name__, where)
