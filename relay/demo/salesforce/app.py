"""The simulated Salesforce as one function from request to answer: where a request goes, and what it counts for."""

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

from relay.demo.salesforce import faults
from relay.demo.salesforce.auth import ORGANIZATION, Auth
from relay.demo.salesforce.faults import Action, Faults, Injected
from relay.demo.salesforce.files import Files
from relay.demo.salesforce.messages import Answer, Call, Request, Value, refusal_answer
from relay.demo.salesforce.operations import operation_of
from relay.demo.salesforce.query import Cursors
from relay.demo.salesforce.records import Records
from relay.demo.salesforce.refusals import Refusal, not_found, refused
from relay.demo.salesforce.rest import Organisation, Rest

_DAY = timedelta(days=1)
_APP = "relay"
_UNCOUNTED = frozenset({401})
_MULTIPART = "multipart/form-data"
_SOAP_FAULT = (
    '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
    ' xmlns:sf="urn:fault.partner.soap.sforce.com"><soapenv:Body><soapenv:Fault>'
    "<faultcode>sf:INVALID_OPERATION</faultcode><faultstring>INVALID_OPERATION: SOAP API login() is disabled by default "
    "in this org.</faultstring><detail><sf:UnexpectedErrorFault><sf:exceptionCode>INVALID_OPERATION</sf:exceptionCode>"
    "<sf:exceptionMessage>SOAP API login() is disabled by default in this org.</sf:exceptionMessage>"
    "</sf:UnexpectedErrorFault></detail></soapenv:Fault></soapenv:Body></soapenv:Envelope>"
)


class App:
    """Answers requests, one at a time; what it needs of the world is handed in."""

    def __init__(self, records: Records, chance: Callable[[], float]) -> None:
        self.records = records
        self.auth = Auth(records)
        self.files = Files()
        self.faults = Faults(chance)
        self.cursors = Cursors()
        self.calls: list[Call] = []
        self.used_elsewhere = 0
        """Calls of the day that others made."""
        self._counted: deque[datetime] = deque()
        self._organisation = Organisation(records, self.files, self.faults, self.cursors, self.used)

    def reset(self) -> None:
        """Forget everything but the toggles."""
        self.records.clear()
        self.auth.reset()
        self.files.clear()
        self.faults.clear()
        self.cursors.reset()
        self.calls.clear()
        self._counted.clear()
        self.used_elsewhere = 0

    def used(self) -> int:
        """Give how many calls of the last 24 hours count."""
        oldest = self.records.clock.now() - _DAY
        while self._counted and self._counted[0] <= oldest:
            self._counted.popleft()
        return len(self._counted) + self.used_elsewhere

    def answer(self, request: Request) -> Answer:
        """Answer a request."""
        match request.method, *request.segments:
            case ["GET", "services", "data"]:
                return Answer(200, _versions(self.records.toggles.versions))
            case ["GET", "services", "oauth2", "authorize"]:
                return self.auth.answer_authorize(request)
            case ["POST", "services", "oauth2", "token" | "revoke" as kind]:
                return self._signing_in(request, kind)
            case [_, "services", "oauth2", "userinfo"]:
                return self.auth.answer_identity(request)
            case [_, "id", organization, _] if organization == ORGANIZATION:
                return self.auth.answer_identity(request)
            case ["POST", "services", "Soap", "u" | "c", *_]:
                return Answer(500, _SOAP_FAULT.encode(), {"Content-Type": "text/xml;charset=UTF-8"})
            case [_, "services", "data", version, *resource]:
                return self._counted_call(request, version, tuple(resource))
            case _:
                return Answer(404, [not_found().body()])

    def _signing_in(self, request: Request, kind: str) -> Answer:
        struck = self.faults.strike(method="POST", path=request.path, operation=kind, object="", user="")
        if struck is not None:
            return self._struck(struck, request, lambda: self._signed_in(request, kind))
        return self._signed_in(request, kind)

    def _signed_in(self, request: Request, kind: str) -> Answer:
        return self.auth.answer_token(request) if kind == "token" else self.auth.answer_revoke(request)

    def _counted_call(self, request: Request, version: str, resource: tuple[str, ...]) -> Answer:
        operation, name = operation_of(request.method, resource)
        user = ""
        try:
            user = self._admitted(request, version)
            struck = self.faults.strike(
                method=request.method, path=request.path, operation=operation, object=name, user=user
            )

            def carried_out() -> Answer:
                return self._carried_out(request, user, version.removeprefix("v"), resource)

            answer = carried_out() if struck is None else self._struck(struck, request, carried_out)
        except Refusal as refusal:
            answer = refusal_answer(refusal)
        if answer.status not in _UNCOUNTED:
            self._counted.append(self.records.clock.now())
        self._note(request, answer, user, operation, name)
        return _with(answer, {"Sforce-Limit-Info": self._limit_info()})

    def _admitted(self, request: Request, version: str) -> str:
        """Give the user. Raises Refusal for a version that is not there, a dead token, and a day used up."""
        toggles = self.records.toggles
        number = version.removeprefix("v")
        if number in toggles.retired_versions:
            raise refused(410, "UNSUPPORTED_API_VERSION", f"This version of the API is retired: {number}")
        if not version.startswith("v") or number not in toggles.versions:
            raise not_found()
        user = self.auth.user_of(request)
        if self.used() >= toggles.daily_limit:
            raise refused(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", provoked=True)
        multipart = request.headers.get("content-type", "").startswith(_MULTIPART)
        if len(request.body) > toggles.request_size_limit and not multipart:
            told = "The HTTP entity body exceeds the maximum size"
            raise refused(413, "EXCEEDED_MAX_SIZE_REQUEST", told)
        return user

    def _carried_out(self, request: Request, user: str, version: str, resource: tuple[str, ...]) -> Answer:
        try:
            return Rest(self._organisation, user, version).answer(request, resource)
        except Refusal as refusal:
            return refusal_answer(refusal)

    def _struck(self, fault: Injected, request: Request, carried_out: Callable[[], Answer]) -> Answer:
        match Action(fault.action):
            case Action.ANSWER | Action.ITEM:
                return faults.answer_of(fault)
            case Action.ANSWER_AFTER:
                carried_out()
                return faults.answer_of(fault)
            case Action.RESET_BEFORE:
                return Answer(0, spoiled="reset")
            case Action.RESET_AFTER_COMMIT:
                return _with(carried_out(), {}, spoiled="reset")
            case Action.SLOW:
                return _with(carried_out(), {}, wait=fault.seconds)
            case Action.LATE:
                return Answer(200, later=carried_out, wait=fault.seconds)
            case Action.TRUNCATE:
                return _with(carried_out(), {}, spoiled="truncate")
            case Action.EXPIRED_SESSION:
                self.auth.kill(request)
                return faults.answer_of(faults.session_invalid())

    def _note(self, request: Request, answer: Answer, user: str, operation: str, name: str) -> None:
        self.calls.append(
            Call(
                at=self.records.clock.now(),
                method=request.method,
                path=request.path,
                query=request.query,
                operation=operation,
                object=name,
                user=user,
                status=answer.status,
                codes=tuple(error.code for error in answer.errors),
                provoked=bool(answer.errors) and all(error.provoked for error in answer.errors),
                headers={name: value for name, value in request.headers.items() if name != "authorization"},
                body=_sent(request),
            )
        )

    def _limit_info(self) -> str:
        used, most = self.used(), self.records.toggles.daily_limit
        return f"api-usage={used}/{most}; per-app-api-usage={len(self._counted)}/{most}(appName={_APP})"


def _with(answer: Answer, headers: dict[str, str], *, spoiled: str = "", wait: float = 0.0) -> Answer:
    return Answer(
        answer.status,
        answer.body,
        {**answer.headers, **headers},
        answer.errors,
        spoiled or answer.spoiled,
        wait or answer.wait,
        answer.later,
    )


def _versions(numbers: tuple[str, ...]) -> list[Value]:
    return [
        {"label": f"v{number}", "url": f"/services/data/v{number}", "version": number} for number in numbers
    ]


def _sent(request: Request) -> Value:
    if not request.headers.get("content-type", "").startswith("application/json") or not request.body:
        return None
    try:
        return request.json()
    except Refusal:
        return None
