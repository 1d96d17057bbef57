"""One call of Salesforce, made with simple-salesforce in a worker thread: what came back, never an exception.

Owns simple-salesforce, which is loaded with this file (0.3 s): import it in a worker thread only. It is used in its
direct mode, token and instance in hand, since its own renewal of sessions recurses for ever on a 401 (issue #804).
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from requests import exceptions as trouble
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceError as Refused
from urllib3.exceptions import NewConnectionError, ProtocolError

from relay.salesforce.answers import unseen
from relay.salesforce.exchange import SalesforceError
from relay.salesforce.faults_table import (
    CONNECTION_RESET,
    NOT_JSON,
    NOT_REACHABLE,
    TIMEOUT,
    TLS_FAILED,
    fault_of,
    local_fault,
    renewable,
)
from relay.salesforce.limits import FOR_ALL
from relay.salesforce.login import Code, Connected, Token
from relay.salesforce.model import Fault, FaultKind, Json
from relay.salesforce.request import Request, Result
from relay.salesforce.session import UPLOAD_FACTOR, Line, open_session
from relay.salesforce.tokens import STAND_INS, TokenProvider

_LOGS = logging.getLogger(__name__)
_CLIENTS_A_THREAD = 64
_NOT_SENDABLE = "REQUEST_NOT_SENDABLE"
# Salesforce() sends these with everything; a GET has no content, and pretty-printing only costs (trait, version 1.12.10).
_PLAIN: Mapping[str, str | None] = {"X-PrettyPrint": None}


class Calls:
    """Makes calls for all identities; each thread has a session and clients of its own, since neither is thread-safe."""

    def __init__(self, line: Line, version: str, tokens: TokenProvider) -> None:
        self._line = line
        self._version = version
        self._tokens = tokens
        self._of_thread = threading.local()

    def make(self, identity: str, request: Request) -> Result:
        """Make the call. With a token that turns out to be dead, once more with a new one, then never again.

        Where one of the reps looks up for all and may not, the next one does.
        """
        began = time.monotonic()
        result = self._renewed(identity, request)
        for _ in range(STAND_INS - 1):
            if result.access is None or not _may_not(request, result):
                break
            if not self._tokens.pass_on(identity, result.access):
                break
            result = self._renewed(identity, request)
        return replace(result, seconds=time.monotonic() - began)

    def _renewed(self, identity: str, request: Request) -> Result:
        result = self._with_token(identity, request)
        if result.fault is not None and renewable(result.fault) and result.access is not None:
            self._tokens.invalidate(identity, result.access)
            result = self._with_token(identity, request)
            if result.fault is not None and renewable(result.fault) and result.access is not None:
                self._tokens.invalidate(identity, result.access)
        return result

    def token(self, identity: str) -> Token:
        """Give the identity's token. Raises SalesforceError."""
        return self._tokens.token(identity, self._post)

    def connect(self, identity: str, code: Code, user_id: str | None) -> Connected:
        """Sign an identity in with a code. Raises SalesforceError."""
        return self._tokens.connect(identity, code, self._post, user_id=user_id)

    def disconnect(self, identity: str) -> bool:
        """End an identity's connection; tells whether Salesforce took note. Raises SalesforceError."""
        return self._tokens.disconnect(identity, self._post)

    def _with_token(self, identity: str, request: Request) -> Result:
        try:
            token = self.token(identity)
        except SalesforceError as error:
            return Result(fault=error.fault)
        thread = self._thread()
        result = thread.make(identity, token, request)
        stale = result.fault is not None and result.fault.code == CONNECTION_RESET and not request.writing
        # A connection that was kept open may have been closed by the server meanwhile; reading again harms nobody.
        return thread.make(identity, token, request) if stale else result

    def _post(self, url: str, fields: dict[str, str]) -> tuple[int, object, float | None]:
        """Post to the token endpoint."""
        session = self._thread().session
        try:
            answer = session.post(url, data=fields, headers={"Accept": "application/json"})
        except trouble.RequestException as error:
            raise SalesforceError(_no_answer(error, writing=False)) from None
        try:
            body: object = answer.json()
        except ValueError:
            body = answer.text
        return answer.status_code, body, _retry_after(answer.headers)

    def _thread(self) -> "_Thread":
        thread: _Thread | None = getattr(self._of_thread, "value", None)
        if thread is None:
            thread = self._of_thread.value = _Thread(self._line, self._version)
        return thread


def _may_not(request: Request, result: Result) -> bool:
    """Tell whether the user of the call may not make it, or not see the people it asks for; another one perhaps may."""
    fault = result.fault
    if fault is not None:
        return fault.kind is FaultKind.STOPPED and fault.code not in FOR_ALL
    return request.operation == "composite" and unseen(result.body, ("Contact", "Lead"))


class _Thread:
    """What one worker thread has: its session, and the clients of the identities that it called for last."""

    def __init__(self, line: Line, version: str) -> None:
        self.session = open_session(line)
        self._line = line
        self._version = version
        self._clients: OrderedDict[str, tuple[Token, Salesforce]] = OrderedDict()
        self._answer: requests.Response | None = None
        self.session.hooks["response"].append(self._hear)

    def make(self, identity: str, token: Token, request: Request) -> Result:
        """Make the call once with this token."""
        self._answer = None
        body: Json = None
        fault: Fault | None = None
        try:
            body = self._send(self._client(identity, token), request)
        except Refused as error:
            if error.status != 304:
                fault = self._refused(error, request)
        except trouble.JSONDecodeError:
            fault = self._not_json(request)
        except trouble.RequestException as error:
            fault = _no_answer(error, writing=request.writing)
        except (ValueError, TypeError, RecursionError) as error:
            if self._answer is not None:
                fault = self._not_json(request)
            else:
                _LOGS.error("a call of Salesforce could not be put together: %s", type(error).__name__)
                fault = local_fault(_NOT_SENDABLE, type(error).__name__)
        return self._heard(Result(body=body, fault=fault, access=token.access))

    def _client(self, identity: str, token: Token) -> Salesforce:
        known = self._clients.pop(identity, None)
        if known is None or known[0] is not token:
            # A new client also for a new token: its base_url would not follow to another instance.
            client = Salesforce(
                session_id=token.access,
                instance_url=token.instance_url,
                version=self._version,
                session=self.session,
                object_pairs_hook=dict,
            )
            known = (token, client)
        self._clients[identity] = known
        if len(self._clients) > _CLIENTS_A_THREAD:
            self._clients.popitem(last=False)
        return known[1]

    def _send(self, client: Salesforce, request: Request) -> Json:
        options: dict[str, Any] = {"headers": {**_PLAIN, **request.headers}}
        if request.soql is not None:
            return _json(client.query(request.soql, include_deleted=request.all_rows, **options))
        if request.next_page is not None:
            return _json(client.query_more(request.next_page, identifier_is_url=True, **options))
        if request.upload is not None:
            options["timeout"] = self._line.timeout * UPLOAD_FACTOR
            request.upload.into(options)
        elif request.json is not None:
            options["json"] = request.json
        params = dict(request.params) or None
        return _json(client.restful(request.path, params, request.method, **options))

    def _refused(self, error: Refused, request: Request) -> Fault:
        wait = _retry_after(self._answer.headers) if self._answer is not None else None
        return fault_of(error.status, error.content, writing=request.writing, retry_after=wait)

    def _not_json(self, request: Request) -> Fault:
        text = self._answer.text if self._answer is not None else ""
        fault = fault_of(200, text, writing=request.writing)
        return fault if "<" in text[:200] else replace(fault, code=NOT_JSON, message="the answer was cut off")

    def _hear(self, answer: requests.Response, *_args: object, **_options: object) -> None:
        self._answer = answer

    def _heard(self, result: Result) -> Result:
        """Add what the answer's header said, also when it was a refusal."""
        if self._answer is None:
            return result
        headers = self._answer.headers
        return replace(
            result,
            status=self._answer.status_code,
            limit_info=headers.get("Sforce-Limit-Info"),
            last_modified=headers.get("Last-Modified"),
            server_time=_instant(headers.get("Date")),
            reached=True,
        )


def _json(answer: Any) -> Json:
    """Give what simple-salesforce gave, which has no types: decoded JSON, or None for no content."""
    value: Json = answer
    return value


def _no_answer(error: trouble.RequestException, *, writing: bool) -> Fault:
    """Tell why there was no answer, and whether the request may have arrived all the same."""
    match error:
        case trouble.ConnectTimeout():
            return local_fault(NOT_REACHABLE, "the connection was not made in time")
        case trouble.Timeout():
            return local_fault(TIMEOUT, "there was no answer in time", maybe_done=writing)
        case trouble.ProxyError():
            return local_fault(NOT_REACHABLE, "the proxy does not connect")
        case trouble.SSLError():
            return local_fault(TLS_FAILED, _tls_reason(error))
        case trouble.ConnectionError() if _never_connected(error):
            return local_fault(NOT_REACHABLE, "there is no connection to it")
        case trouble.ConnectionError() | trouble.ChunkedEncodingError() | trouble.ContentDecodingError():
            return local_fault(CONNECTION_RESET, "the connection broke before the answer", maybe_done=writing)
        case _:
            return local_fault(_NOT_SENDABLE, type(error).__name__)


def _never_connected(error: BaseException) -> bool:
    cause: object = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    return isinstance(reason, NewConnectionError) and not isinstance(cause, ProtocolError)


def _tls_reason(error: BaseException) -> str:
    text = str(error)
    found = text.find("certificate verify failed")
    return text[found : found + 120].split(" (_ssl")[0] if found >= 0 else "TLS was not agreed on"


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Read Retry-After as seconds, at most a day (RFC 9110 §10.2.3); Salesforce does not document it, proxies use it."""
    text = headers.get("Retry-After", "")
    return min(float(text), 86_400.0) if text.isascii() and text.isdigit() else None


def _instant(date: str | None) -> int | None:
    try:
        return round(parsedate_to_datetime(date).timestamp() * 1_000_000) if date else None
    except (ValueError, TypeError, OverflowError):
        return None
