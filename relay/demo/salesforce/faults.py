"""Faults on purpose: which calls they strike, and what becomes of those.

Source: Salesforce reference §7.6.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from relay.demo.salesforce.messages import Answer, Value
from relay.demo.salesforce.refusals import Refusal


class Action(StrEnum):
    """What a fault does to a call."""

    ANSWER = "answer"
    """`status` and `body` instead of the call being carried out."""
    ANSWER_AFTER = "answer_after"
    """`status` and `body`, and yet the call was carried out."""
    RESET_BEFORE = "reset_before"
    """The connection is reset and nothing is carried out."""
    RESET_AFTER_COMMIT = "reset_after_commit"
    """The call is carried out, the connection reset."""
    SLOW = "slow"
    """The call is carried out, the answer comes `seconds` later."""
    LATE = "late"
    """The call is carried out `seconds` of the simulator's time later, whether or not anybody still waits for it."""
    TRUNCATE = "truncate"
    """The call is carried out, half of the answer arrives."""
    EXPIRED_SESSION = "expired_session"
    """401 INVALID_SESSION_ID, and the token is dead indeed."""
    ITEM = "item"
    """One record of whatever call: refused with `code`; `record` picks it by its JSON."""


SIGNING_IN = ("token", "revoke")
HTML = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"


@dataclass(frozen=True, slots=True)
class Injected:
    """One fault. Of the calls that it fits, it strikes the `nth`, and then `times` in all (None: for ever)."""

    action: Action | str
    method: str = ""
    path: str = ""
    """A regular expression, searched in the decoded path."""
    operation: str = ""
    """A regular expression, matched with the whole name of the operation."""
    object: str = ""
    user: str = ""
    """The id of the user whose calls are struck."""
    nth: int = 1
    times: int | None = 1
    probability: float = 1.0
    status: int = 503
    code: str = "SERVER_UNAVAILABLE"
    message: str = "The server is unavailable"
    body: Value = None
    """The whole body; otherwise an array of one error with `code` and `message`."""
    retry_after: int | None = None
    seconds: float = 0.0
    record: str = ""
    """A regular expression, searched in the JSON of a record (ITEM)."""


def _answering(status: int, code: str, message: str) -> Callable[..., Injected]:
    def injected(**more: object) -> Injected:
        given: dict[str, object] = {
            "action": Action.ANSWER,
            "status": status,
            "code": code,
            "message": message,
        }
        return Injected(**{**given, **more})  # type: ignore[arg-type]  # fields of Injected, by name

    return injected


unavailable = _answering(503, "SERVER_UNAVAILABLE", "The server is too busy to handle the request")
locked = _answering(
    400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record or 1 records"
)
over_limit = _answering(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
too_many_at_once = _answering(
    403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
)
unknown = _answering(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred. Error ID: 1-1")
maintenance = _answering(
    503,
    "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE",
    "Updates can't be made during maintenance. Try again when the maintenance is complete.",
)
rerouted = _answering(420, "UNKNOWN_EXCEPTION", "Edge routing is unavailable")
session_invalid = _answering(401, "INVALID_SESSION_ID", "Session expired or invalid")


def html(status: int, **more: object) -> Injected:
    """Give a fault that answers a page of HTML, as proxies and maintenance windows do."""
    given: dict[str, object] = {"action": Action.ANSWER, "status": status, "body": HTML.format(f"{status}")}
    return Injected(**{**given, **more})  # type: ignore[arg-type]  # fields of Injected, by name


@dataclass(slots=True)
class _Armed:
    fault: Injected
    fitted: int = 0
    struck: int = 0


class Faults:
    """The faults that are armed."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._armed: list[_Armed] = []

    def inject(self, fault: Injected) -> None:
        """Arm a fault."""
        self._armed.append(_Armed(fault))

    def clear(self) -> None:
        """Disarm all."""
        self._armed.clear()

    def strike(self, *, method: str, path: str, operation: str, object: str, user: str) -> Injected | None:
        """Give the fault that strikes a call, if one does.

        Signing in (operations token and revoke) is struck only by a fault that names operation or path.
        """
        signing_in = operation in SIGNING_IN
        for one in self._armed:
            fault = one.fault
            fits = (
                fault.action != Action.ITEM
                and fault.method in ("", method)
                and (fault.path or fault.operation or not signing_in)
                and re.search(fault.path, path)
                and (not fault.operation or re.fullmatch(fault.operation, operation))
                and fault.object.lower() in ("", object.lower())
                and fault.user in ("", user)
            )
            if fits and self._due(one):
                return fault
        return None

    def strike_record(self, name: str, operation: str, record: object) -> Refusal | None:
        """Give what one record is refused with, if a fault strikes it."""
        for one in self._armed:
            fault = one.fault
            fits = (
                fault.action == Action.ITEM
                and fault.object.lower() in ("", name.lower())
                and (not fault.operation or re.fullmatch(fault.operation, operation))
                and re.search(fault.record, json.dumps(record, default=str))
            )
            if fits and self._due(one):
                status = fault.status if fault.status < 500 else 400
                return Refusal(status, fault.code, fault.message, provoked=True)
        return None

    def _due(self, one: _Armed) -> bool:
        one.fitted += 1
        fault = one.fault
        if one.fitted < fault.nth or (fault.times is not None and one.struck >= fault.times):
            return False
        if fault.probability < 1.0 and self._chance() >= fault.probability:
            return False
        one.struck += 1
        return True


def answer_of(fault: Injected) -> Answer:
    """Give what a call that was struck is answered."""
    refusal = Refusal(fault.status, fault.code, fault.message, provoked=True)
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    if isinstance(fault.body, str):
        headers["Content-Type"] = "text/html;charset=UTF-8"
        return Answer(fault.status, fault.body.encode(), headers, errors=(refusal,))
    body = [refusal.body()] if fault.body is None else fault.body
    return Answer(fault.status, body, headers, errors=(refusal,))
