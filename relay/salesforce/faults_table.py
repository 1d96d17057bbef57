"""What each fault of Salesforce means for the relay: the whole table, in one place.

Pure, and total: what is not in the table is UNKNOWN. Sources: REST guide, Status Codes and Error Responses; API core
data types, StatusCode; the categories are those of the documented product's diagnostics page.
"""

import re
from collections.abc import Mapping

from relay.salesforce.fault_bodies import Said, errors_in, page_title, redact
from relay.salesforce.fault_words import EXPLANATIONS
from relay.salesforce.model import Category, Fault, FaultKind

MAINTENANCE_WAIT = 600.0
NOT_JSON = "NOT_JSON"
TIMEOUT = "TIMEOUT"
CONNECTION_RESET = "CONNECTION_RESET"
NOT_REACHABLE = "NOT_REACHABLE"
TLS_FAILED = "TLS_FAILED"
BUDGET = "RELAY_BUDGET"
NOT_CONNECTED = "NOT_CONNECTED"

_CODES: Mapping[FaultKind, str] = {
    FaultKind.AGAIN: """UNABLE_TO_LOCK_ROW SERVER_UNAVAILABLE REQUEST_RUNNING_TOO_LONG QUERY_TIMEOUT FAILED_WRITE
        TXN_SECURITY_METERING_ERROR INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE
        INVALID_QUERY_LOCATOR RATE_LIMIT_EXCEEDED NOT_JSON TIMEOUT CONNECTION_RESET NOT_REACHABLE TLS_FAILED""",
    FaultKind.LIMIT: "REQUEST_LIMIT_EXCEEDED RELAY_BUDGET",
    FaultKind.SIGN_IN: """INVALID_SESSION_ID AUTHENTICATION_FAILURE EXPIRED_ACCESS INACTIVE_ORGANIZATION INACTIVE_USER
        INVALID_AUTH_HEADER MISSING_OAUTH_TOKEN INVALID_LOGIN INVALID_GRANT INVALID_CLIENT INVALID_CLIENT_ID
        INVALID_CLIENT_CREDENTIALS UNSUPPORTED_GRANT_TYPE INACTIVE_ORG INVALID_SCOPE UNAUTHORIZED_CLIENT
        INVALID_APP_ACCESS INVALID_ASSERTION ACCESS_DENIED INVALID_REQUEST LOGIN_SECRET_MISSING LOGIN_ANSWER_INCOMPLETE
        LOGIN_KEY_UNUSABLE NOT_CONNECTED CONNECTED_AS_ANOTHER CONNECTED_ELSEWHERE
        CONNECTED_TOO_EARLY CONNECTED_WITHOUT_REFRESH""",
    FaultKind.STOPPED: """API_DISABLED_FOR_ORG API_CURRENTLY_DISABLED TXN_SECURITY_NO_ACCESS UNSUPPORTED_API_VERSION
        SESSION_NOT_FOR_REST""",
    FaultKind.FIELD: "INVALID_FIELD INVALID_FIELD_FOR_INSERT_UPDATE",
    FaultKind.TOO_LONG: """STRING_TOO_LONG MAX_TASK_DESCRIPTION_EXCEEEDED MAX_TASK_DESCRIPTION_EXCEEDED
        EXCEEDED_MAX_SIZE_REQUEST""",
    FaultKind.DUPLICATE: "DUPLICATES_DETECTED DUPLICATE_VALUE DUPLICATE_EXTERNAL_ID",
    FaultKind.WINDOW: "EXCEEDED_ID_LIMIT INVALID_REPLICATION_DATE",
    FaultKind.GONE: "ENTITY_IS_DELETED NOT_FOUND",
    FaultKind.PERMISSION: """INSUFFICIENT_ACCESS INSUFFICIENT_ACCESS_OR_READONLY
        INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY INVALID_TYPE STORAGE_LIMIT_EXCEEDED FUNCTIONALITY_NOT_ENABLED""",
    FaultKind.RULE: """REQUIRED_FIELD_MISSING FIELD_CUSTOM_VALIDATION_EXCEPTION FIELD_FILTER_VALIDATION_EXCEPTION
        FIELD_INTEGRITY_EXCEPTION CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY CANNOT_EXECUTE_FLOW_TRIGGER
        INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST INVALID_EMAIL_ADDRESS INVALID_CROSS_REFERENCE_KEY
        CANNOT_UPDATE_CONVERTED_LEAD INACTIVE_OWNER_OR_USER LIMIT_EXCEEDED ENTITY_IS_LOCKED ENTITY_IS_ARCHIVED
        FILE_EXTENSION_NOT_ALLOWED HTML_FILE_UPLOAD_NOT_ALLOWED FILE_SIZE_LIMIT_EXCEEDED EXCEEDED_QUOTA""",
    FaultKind.NEIGHBOUR: "ALL_OR_NONE_OPERATION_ROLLED_BACK PROCESSING_HALTED",
    FaultKind.OURS: """ILLEGAL_QUERY_PARAMETER_VALUE JSON_PARSER_ERROR METHOD_NOT_ALLOWED UNSUPPORTED_MEDIA_TYPE
        MALFORMED_QUERY MALFORMED_ID MALFORMED_SEARCH INVALID_TYPE_ON_FIELD_IN_RECORD URI_TOO_LONG
        REQUEST_NOT_SENDABLE""",
    FaultKind.UNKNOWN: "UNKNOWN_EXCEPTION",
}
KINDS: Mapping[str, FaultKind] = {code: kind for kind, codes in _CODES.items() for code in codes.split()}
"""What each code means."""

_STATUSES: Mapping[int, tuple[str, FaultKind]] = {
    300: ("MORE_THAN_ONE_RECORD", FaultKind.DUPLICATE),
    401: ("INVALID_SESSION_ID", FaultKind.SIGN_IN),
    403: ("HTTP_403", FaultKind.PERMISSION),
    404: ("NOT_FOUND", FaultKind.GONE),
    405: ("METHOD_NOT_ALLOWED", FaultKind.OURS),
    408: ("HTTP_408", FaultKind.AGAIN),
    409: ("HTTP_409", FaultKind.AGAIN),
    410: ("UNSUPPORTED_API_VERSION", FaultKind.STOPPED),
    412: ("PRECONDITION_FAILED", FaultKind.CHANGED),
    413: ("EXCEEDED_MAX_SIZE_REQUEST", FaultKind.TOO_LONG),
    414: ("URI_TOO_LONG", FaultKind.OURS),
    415: ("UNSUPPORTED_MEDIA_TYPE", FaultKind.OURS),
    420: ("HTTP_420", FaultKind.AGAIN),
    428: ("HTTP_428", FaultKind.OURS),
    429: ("HTTP_429", FaultKind.AGAIN),
    431: ("URI_TOO_LONG", FaultKind.OURS),
    502: ("HTTP_502", FaultKind.AGAIN),
    503: ("SERVER_UNAVAILABLE", FaultKind.AGAIN),
    504: ("HTTP_504", FaultKind.AGAIN),
}
"""What a status means when no code is said, or one that is not in the table."""

_CATEGORIES: Mapping[FaultKind, Category] = {
    FaultKind.AGAIN: Category.INTERMITTENT,
    FaultKind.LIMIT: Category.INTERMITTENT,
    FaultKind.SIGN_IN: Category.AUTHENTICATION,
    FaultKind.STOPPED: Category.ACCESS,
    FaultKind.FIELD: Category.ACCESS,
    FaultKind.TOO_LONG: Category.ACCESS,
    FaultKind.DUPLICATE: Category.ACCESS,
    FaultKind.CHANGED: Category.INTERMITTENT,
    FaultKind.WINDOW: Category.INTERMITTENT,
    FaultKind.GONE: Category.ACCESS,
    FaultKind.PERMISSION: Category.ACCESS,
    FaultKind.RULE: Category.ACCESS,
    FaultKind.NEIGHBOUR: Category.OTHER,
    FaultKind.OURS: Category.OTHER,
    FaultKind.UNKNOWN: Category.OTHER,
}
_OTHER = frozenset({"CANNOT_UPDATE_CONVERTED_LEAD"})
# With these the server says itself that nothing was written, whatever the status.
_NOTHING_DONE = frozenset(
    {"UNABLE_TO_LOCK_ROW", "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE", "REQUEST_LIMIT_EXCEEDED"}
)
# jsforce leaves these out of its renewals, too: a new token would be refused the same way.
_NOT_FOR_REST = re.compile(r"not valid for use with the (?:REST )?API|not attached to Agent", re.IGNORECASE)
_TOO_SLOW = re.compile(r"timed? ?-?out", re.IGNORECASE)


def fault_of(status: int, body: object, *, writing: bool = False, retry_after: float | None = None) -> Fault:
    """Tell what an answer means. `body` is its JSON, or its text when it is none; `writing`: it may have changed something."""
    said = errors_in(body)
    if not said:
        return _without_code(status, body, writing=writing, retry_after=retry_after)
    first = next((one for one in said if KINDS.get(_code(one)) is not FaultKind.NEIGHBOUR), said[0])
    code, kind = _kind(_code(first), first.message, status)
    return Fault(
        kind=kind,
        category=_category(code, kind),
        code=code,
        message=redact("; ".join(dict.fromkeys(one.message for one in said if one.message))),
        fields=tuple(dict.fromkeys(name for one in said for name in one.fields)),
        status=status,
        maybe_done=writing and status >= 500 and code not in _NOTHING_DONE,
        record_ids=tuple(dict.fromkeys(found for one in said for found in one.record_ids)),
        retry_after=_wait(code, retry_after),
    )


def _code(said: Said) -> str:
    """Give the code in one spelling; OAuth says its own in small letters (RFC 6749 §5.2)."""
    return said.code.upper()


def _kind(code: str, message: str, status: int) -> tuple[str, FaultKind]:
    if code == "INVALID_SESSION_ID" and _NOT_FOR_REST.search(message):
        return "SESSION_NOT_FOR_REST", FaultKind.STOPPED
    if code == "REQUEST_LIMIT_EXCEEDED" and "concurrent" in message.lower():
        return code, FaultKind.AGAIN
    if code == "INVALID_FIELD" and _TOO_SLOW.search(message):
        return code, FaultKind.AGAIN
    kind = KINDS.get(code)
    if kind is None and code.startswith("INSUFFICIENT_ACCESS"):
        kind = FaultKind.PERMISSION
    if kind is None:
        fallback, kind = _STATUSES.get(status, ("", FaultKind.UNKNOWN))
        code = code or fallback or f"HTTP_{status}"
    return code, kind


def _without_code(status: int, body: object, *, writing: bool, retry_after: float | None) -> Fault:
    code, kind = _STATUSES.get(status, (f"HTTP_{status}", FaultKind.UNKNOWN))
    if 200 <= status < 300:
        code, kind = NOT_JSON, FaultKind.AGAIN
    message = page_title(body) if isinstance(body, str) and body else "no reason was given"
    return Fault(
        kind=kind,
        category=_category(code, kind),
        code=code,
        message=message,
        status=status,
        maybe_done=writing and (status >= 500 or status == 408 or 200 <= status < 300),
        retry_after=retry_after,
    )


def local_fault(
    code: str, message: str, *, maybe_done: bool = False, retry_after: float | None = None
) -> Fault:
    """Make the fault of a call that got no answer, or was not made; `code` is one of ours."""
    kind = KINDS.get(code, FaultKind.UNKNOWN)
    return Fault(
        kind=kind,
        category=_category(code, kind),
        code=code,
        message=redact(message),
        maybe_done=maybe_done,
        retry_after=retry_after,
    )


def sign_in_fault(status: int, body: object, *, retry_after: float | None = None) -> Fault:
    """Tell what an answer of the token endpoint means (RFC 6749 §5.2); nothing was written by it."""
    fault = fault_of(status, body, retry_after=retry_after)
    temporary = status >= 500 or status in (408, 420, 429) or fault.kind is FaultKind.AGAIN
    kind = FaultKind.AGAIN if temporary else FaultKind.SIGN_IN
    category = Category.INTERMITTENT if temporary else Category.AUTHENTICATION
    return Fault(kind, category, fault.code, fault.message, status=status, retry_after=fault.retry_after)


def _category(code: str, kind: FaultKind) -> Category:
    return Category.OTHER if code in _OTHER else _CATEGORIES[kind]


def _wait(code: str, retry_after: float | None) -> float | None:
    if code == "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE":
        return max(MAINTENANCE_WAIT, retry_after or 0.0)
    return retry_after


def renewable(fault: Fault) -> bool:
    """Tell whether a new token may help: once."""
    return fault.kind is FaultKind.SIGN_IN and fault.status == 401


def words_key(fault: Fault) -> str:
    """Give the key under which the explanation is found: by code, else by kind of fault."""
    grant = _grant_key(fault)
    by_code = f"fault.{fault.code.lower()}"
    if fault.code == "REQUEST_LIMIT_EXCEEDED" and fault.kind is FaultKind.AGAIN:
        by_code = "fault.request_limit_exceeded.concurrent"
    for key in (grant, by_code):
        if key in EXPLANATIONS:
            return key
    return f"fault.kind.{fault.kind.value}"


_GRANTS = (
    ("hasn't approved", "approve"),
    ("not approved", "approve"),
    ("ip restricted", "ip"),
    ("inactive user", "inactive_user"),
    ("inactive organization", "inactive_org"),
    ("expired access/refresh token", "expired"),
    ("audience", "audience"),
    ("assertion", "assertion"),
    ("no client credentials user", "run_as"),
)


def _grant_key(fault: Fault) -> str:
    """Tell invalid_grant's reasons apart by their description, as Salesforce does."""
    if fault.code not in ("INVALID_GRANT", "INVALID_APP_ACCESS"):
        return ""
    message = fault.message.lower()
    return next((f"fault.invalid_grant.{key}" for words, key in _GRANTS if words in message), "")


def explanation(fault: Fault, texts: Mapping[str, str] | None = None) -> str:
    """Say in plain words what happened and what to do.

    `texts` are translations by key; English is given where they have none.
    """
    key = words_key(fault)
    return (texts or {}).get(key) or EXPLANATIONS[key]
