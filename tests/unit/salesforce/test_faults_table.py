"""Tests for relay.salesforce.faults_table: what each answer of Salesforce means."""

import pytest

from relay.salesforce.fault_words import EXPLANATIONS
from relay.salesforce.faults_table import (
    KINDS,
    explanation,
    fault_of,
    local_fault,
    renewable,
    sign_in_fault,
    words_key,
)
from relay.salesforce.model import Category, Fault, FaultKind


def error(code: str, message: str = "", **more: object) -> list[dict[str, object]]:
    """Make the body of a refusal."""
    return [{"errorCode": code, "message": message, **more}]


CATALOGUE = [
    # code, status, message, kind, category (salesforce.md §4.4, product.md §3)
    ("INVALID_SESSION_ID", 401, "Session expired or invalid", FaultKind.SIGN_IN, Category.AUTHENTICATION),
    ("REQUEST_LIMIT_EXCEEDED", 403, "TotalRequests Limit exceeded.", FaultKind.LIMIT, Category.INTERMITTENT),
    (
        "REQUEST_LIMIT_EXCEEDED",
        403,
        "ConcurrentRequests Limit exceeded.",
        FaultKind.AGAIN,
        Category.INTERMITTENT,
    ),
    (
        "REQUEST_LIMIT_EXCEEDED",
        403,
        "ConcurrentPerOrgLongTxn Limit exceeded.",
        FaultKind.AGAIN,
        Category.INTERMITTENT,
    ),
    ("UNABLE_TO_LOCK_ROW", 400, "", FaultKind.AGAIN, Category.INTERMITTENT),
    ("SERVER_UNAVAILABLE", 503, "", FaultKind.AGAIN, Category.INTERMITTENT),
    ("UNKNOWN_EXCEPTION", 500, "", FaultKind.UNKNOWN, Category.OTHER),
    ("REQUEST_RUNNING_TOO_LONG", 400, "", FaultKind.AGAIN, Category.INTERMITTENT),
    ("QUERY_TIMEOUT", 400, "", FaultKind.AGAIN, Category.INTERMITTENT),
    ("FAILED_WRITE", 500, "", FaultKind.AGAIN, Category.INTERMITTENT),
    ("TXN_SECURITY_METERING_ERROR", 400, "", FaultKind.AGAIN, Category.INTERMITTENT),
    ("INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE", 503, "", FaultKind.AGAIN, Category.INTERMITTENT),
    ("EXCEEDED_ID_LIMIT", 400, "", FaultKind.WINDOW, Category.INTERMITTENT),
    ("INVALID_REPLICATION_DATE", 400, "", FaultKind.WINDOW, Category.INTERMITTENT),
    ("INVALID_QUERY_LOCATOR", 400, "", FaultKind.AGAIN, Category.INTERMITTENT),
    ("STRING_TOO_LONG", 400, "", FaultKind.TOO_LONG, Category.ACCESS),
    ("MAX_TASK_DESCRIPTION_EXCEEEDED", 400, "", FaultKind.TOO_LONG, Category.ACCESS),
    (
        "INVALID_FIELD",
        400,
        "No such column 'Foo__c' on sobject of type Task",
        FaultKind.FIELD,
        Category.ACCESS,
    ),
    ("INVALID_FIELD", 400, "Read timed out", FaultKind.AGAIN, Category.INTERMITTENT),
    ("INVALID_FIELD_FOR_INSERT_UPDATE", 400, "", FaultKind.FIELD, Category.ACCESS),
    ("REQUIRED_FIELD_MISSING", 400, "", FaultKind.RULE, Category.ACCESS),
    ("FIELD_CUSTOM_VALIDATION_EXCEPTION", 400, "", FaultKind.RULE, Category.ACCESS),
    ("FIELD_FILTER_VALIDATION_EXCEPTION", 400, "", FaultKind.RULE, Category.ACCESS),
    ("FIELD_INTEGRITY_EXCEPTION", 400, "", FaultKind.RULE, Category.ACCESS),
    ("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", 400, "", FaultKind.RULE, Category.ACCESS),
    ("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", 400, "", FaultKind.RULE, Category.ACCESS),
    ("INVALID_EMAIL_ADDRESS", 400, "", FaultKind.RULE, Category.ACCESS),
    ("INVALID_CROSS_REFERENCE_KEY", 400, "", FaultKind.RULE, Category.ACCESS),
    ("CANNOT_UPDATE_CONVERTED_LEAD", 400, "", FaultKind.RULE, Category.OTHER),
    ("INACTIVE_OWNER_OR_USER", 400, "", FaultKind.RULE, Category.ACCESS),
    ("LIMIT_EXCEEDED", 400, "", FaultKind.RULE, Category.ACCESS),
    ("STORAGE_LIMIT_EXCEEDED", 400, "", FaultKind.PERMISSION, Category.ACCESS),
    ("ENTITY_IS_LOCKED", 400, "", FaultKind.RULE, Category.ACCESS),
    ("ENTITY_IS_ARCHIVED", 400, "", FaultKind.RULE, Category.ACCESS),
    ("MALFORMED_ID", 400, "", FaultKind.OURS, Category.OTHER),
    ("MALFORMED_QUERY", 400, "", FaultKind.OURS, Category.OTHER),
    ("INVALID_TYPE", 400, "", FaultKind.PERMISSION, Category.ACCESS),
    ("DUPLICATES_DETECTED", 400, "", FaultKind.DUPLICATE, Category.ACCESS),
    ("DUPLICATE_VALUE", 400, "", FaultKind.DUPLICATE, Category.ACCESS),
    ("DUPLICATE_EXTERNAL_ID", 400, "", FaultKind.DUPLICATE, Category.ACCESS),
    ("INSUFFICIENT_ACCESS_OR_READONLY", 400, "", FaultKind.PERMISSION, Category.ACCESS),
    ("INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", 400, "", FaultKind.PERMISSION, Category.ACCESS),
    ("INSUFFICIENT_ACCESS_OF_A_NEW_KIND", 403, "", FaultKind.PERMISSION, Category.ACCESS),
    ("ENTITY_IS_DELETED", 404, "", FaultKind.GONE, Category.ACCESS),
    ("NOT_FOUND", 404, "", FaultKind.GONE, Category.ACCESS),
    ("API_DISABLED_FOR_ORG", 403, "", FaultKind.STOPPED, Category.ACCESS),
    ("API_CURRENTLY_DISABLED", 403, "", FaultKind.STOPPED, Category.ACCESS),
    ("TXN_SECURITY_NO_ACCESS", 403, "", FaultKind.STOPPED, Category.ACCESS),
    ("ALL_OR_NONE_OPERATION_ROLLED_BACK", 400, "", FaultKind.NEIGHBOUR, Category.OTHER),
    ("PROCESSING_HALTED", 400, "", FaultKind.NEIGHBOUR, Category.OTHER),
    ("ILLEGAL_QUERY_PARAMETER_VALUE", 400, "", FaultKind.OURS, Category.OTHER),
    ("JSON_PARSER_ERROR", 400, "", FaultKind.OURS, Category.OTHER),
    ("METHOD_NOT_ALLOWED", 405, "", FaultKind.OURS, Category.OTHER),
    ("UNSUPPORTED_MEDIA_TYPE", 415, "", FaultKind.OURS, Category.OTHER),
    ("EXCEEDED_MAX_SIZE_REQUEST", 413, "", FaultKind.TOO_LONG, Category.ACCESS),
    ("FILE_EXTENSION_NOT_ALLOWED", 400, "", FaultKind.RULE, Category.ACCESS),
    ("AUTHENTICATION_FAILURE", 401, "", FaultKind.SIGN_IN, Category.AUTHENTICATION),
    ("EXPIRED_ACCESS", 401, "", FaultKind.SIGN_IN, Category.AUTHENTICATION),
    ("INACTIVE_ORGANIZATION", 400, "", FaultKind.SIGN_IN, Category.AUTHENTICATION),
    ("INACTIVE_USER", 400, "", FaultKind.SIGN_IN, Category.AUTHENTICATION),
    ("A_CODE_OF_NEXT_YEAR", 400, "", FaultKind.UNKNOWN, Category.OTHER),
    ("A_CODE_OF_NEXT_YEAR", 503, "", FaultKind.AGAIN, Category.INTERMITTENT),
]


@pytest.mark.parametrize(("code", "status", "message", "kind", "category"), CATALOGUE)
def test_every_code_of_the_catalogue(
    code: str, status: int, message: str, kind: FaultKind, category: Category
) -> None:
    """Each code means what the catalogue says, is in its category, and is explained."""
    fault = fault_of(status, error(code, message))
    assert (fault.code, fault.kind, fault.category) == (code, kind, category)
    assert explanation(fault)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (300, FaultKind.DUPLICATE),
        (302, FaultKind.UNKNOWN),
        (400, FaultKind.UNKNOWN),
        (401, FaultKind.SIGN_IN),
        (403, FaultKind.PERMISSION),
        (404, FaultKind.GONE),
        (408, FaultKind.AGAIN),
        (410, FaultKind.STOPPED),
        (412, FaultKind.CHANGED),
        (413, FaultKind.TOO_LONG),
        (414, FaultKind.OURS),
        (420, FaultKind.AGAIN),
        (429, FaultKind.AGAIN),
        (431, FaultKind.OURS),
        (500, FaultKind.UNKNOWN),
        (502, FaultKind.AGAIN),
        (503, FaultKind.AGAIN),
        (504, FaultKind.AGAIN),
    ],
)
@pytest.mark.parametrize("body", ["", "<html><title>Oops</title>", [], {}, None, 5, [1, None]])
def test_every_status_without_a_code(status: int, kind: FaultKind, body: object) -> None:
    """Where no code is said the status decides, whatever the body is."""
    assert fault_of(status, body).kind is kind


@pytest.mark.parametrize(
    ("status", "code", "done"),
    [
        (503, "SERVER_UNAVAILABLE", True),
        (500, "UNKNOWN_EXCEPTION", True),
        (503, "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE", False),
        (400, "UNABLE_TO_LOCK_ROW", False),
        (403, "REQUEST_LIMIT_EXCEEDED", False),
        (401, "INVALID_SESSION_ID", False),
    ],
)
def test_what_may_have_been_done(status: int, code: str, done: bool) -> None:
    """After a 5xx a write may have happened, unless the answer says that nothing did; a read never did anything."""
    assert fault_of(status, error(code), writing=True).maybe_done is done
    assert fault_of(status, error(code)).maybe_done is False


def test_collections_say_status_code() -> None:
    """An item of a collection has statusCode where plain requests have errorCode."""
    item = {
        "success": False,
        "errors": [{"statusCode": "STRING_TOO_LONG", "message": "x", "fields": ["Subject"]}],
    }
    fault = fault_of(400, item)
    assert (fault.kind, fault.fields) == (FaultKind.TOO_LONG, ("Subject",))


def test_neighbours_are_passed_over() -> None:
    """Of several errors the one that is the cause counts."""
    fault = fault_of(400, [*error("PROCESSING_HALTED"), *error("REQUIRED_FIELD_MISSING", "x")])
    assert fault.kind is FaultKind.RULE


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        ("No such column 'Relay_Key__c' on sobject of type Task", ("Relay_Key__c",)),
        ("Unable to create/update fields: TaskSubtype, Type. Please check", ("TaskSubtype", "Type")),
        ("Required fields are missing: [LastName, Company]", ("LastName", "Company")),
        ("something else", ()),
    ],
)
def test_fields_are_read_from_the_message(message: str, fields: tuple[str, ...]) -> None:
    """Where Salesforce leaves `fields` out, the message names them."""
    assert fault_of(400, error("INVALID_FIELD", message)).fields == fields


def test_duplicates_are_named() -> None:
    """The records that a duplicate rule found, and the one whose key is taken, are in the fault."""
    found = {"matchResults": [{"matchRecords": [{"record": {"Id": "00Q000000000001AAA"}}]}]}
    rule = fault_of(400, error("DUPLICATES_DETECTED", "Use one of these records?", duplicateResult=found))
    key = fault_of(
        400,
        error(
            "DUPLICATE_VALUE",
            "duplicate value found: Relay_Key__c duplicates value on record with id: 00T000000000002",
        ),
    )
    assert rule.record_ids == ("00Q000000000001AAA",)
    assert key.record_ids == ("00T000000000002",)


def test_messages_are_redacted_and_cut() -> None:
    """Addresses, Email to Salesforce addresses, tokens and queries are not in what is kept and shown."""
    text = (
        "ann.a@customer.test to emailtosalesforce@a1b2.le.salesforce.com with 00D000000000001!AQ.x_y and "
        "Bearer abc\n" + "x" * 5000
    )
    message = fault_of(400, error("FIELD_CUSTOM_VALIDATION_EXCEPTION", text)).message
    assert "…@customer.test" in message
    for secret in ("ann.a", "a1b2", "AQ.x", "abc", "\n"):
        assert secret not in message
    assert len(message) <= 500


@pytest.mark.parametrize(
    ("body", "code", "key"),
    [
        ({"error": "invalid_grant", "error_description": "user hasn't approved this consumer"}, "INVALID_GRANT", "approve"),
        ({"error": "invalid_grant", "error_description": "ip restricted"}, "INVALID_GRANT", "ip"),
        ({"error": "invalid_grant", "error_description": "inactive user"}, "INVALID_GRANT", "inactive_user"),
        ({"error": "invalid_grant", "error_description": "expired access/refresh token"}, "INVALID_GRANT", "expired"),
        ({"error": "invalid_grant", "error_description": "audience is invalid"}, "INVALID_GRANT", "audience"),
        ({"error": "invalid_grant", "error_description": "invalid assertion"}, "INVALID_GRANT", "assertion"),
        ({"error": "invalid_grant", "error_description": "no client credentials user enabled"}, "INVALID_GRANT", "run_as"),
        ({"error": "invalid_client", "error_description": "x"}, "INVALID_CLIENT", ""),
        ({"error": "unsupported_grant_type"}, "UNSUPPORTED_GRANT_TYPE", ""),
        ({"error": "something_new"}, "SOMETHING_NEW", ""),
    ],
)  # fmt: skip
def test_the_token_endpoint(body: dict[str, str], code: str, key: str) -> None:
    """Each refusal of the token endpoint is a matter of signing in, with the very setting to change."""
    fault = sign_in_fault(400, body)
    assert (fault.kind, fault.category, fault.code) == (FaultKind.SIGN_IN, Category.AUTHENTICATION, code)
    assert words_key(fault).endswith(key)


@pytest.mark.parametrize(("status", "body"), [(503, "x"), (429, ""), (400, {"error": "rate_limit_exceeded"})])
def test_the_token_endpoint_for_a_moment(status: int, body: object) -> None:
    """Trouble of a moment at the token endpoint is not taken for a refusal."""
    assert sign_in_fault(status, body).kind is FaultKind.AGAIN


def test_what_a_new_token_helps() -> None:
    """Only a 401 is worth a new token, and not when the session is of the wrong kind."""
    assert renewable(fault_of(401, "<html>"))
    assert not renewable(fault_of(401, error("INVALID_SESSION_ID", "session is not attached to Agent")))
    assert not renewable(sign_in_fault(400, {"error": "invalid_grant"}))


def test_retry_after() -> None:
    """What Retry-After asks for is in the fault; maintenance waits ten minutes at least."""
    assert fault_of(503, "", retry_after=7.0).retry_after == 7.0
    code = "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE"
    assert fault_of(503, error(code), retry_after=7.0).retry_after == 600.0


def test_every_kind_and_code_is_explained() -> None:
    """Each kind has words, so each code has; what there are words for is a code, or a variant of one."""
    for code in (*KINDS, "NEVER_HEARD_OF"):
        assert explanation(local_fault(code, "")).endswith(".")
    for kind in FaultKind:
        assert f"fault.kind.{kind.value}" in EXPLANATIONS
    known = {code.lower() for code in KINDS}
    for key in EXPLANATIONS:
        word = key.removeprefix("fault.").split(".")[0]
        assert word in known | {"kind"}, key


def test_explanations_in_another_language() -> None:
    """Translations are found under the same key, English stands in."""
    fault = Fault(FaultKind.AGAIN, Category.INTERMITTENT, "UNABLE_TO_LOCK_ROW", "")
    assert explanation(fault, {"fault.unable_to_lock_row": "Raden var låst."}) == "Raden var låst."
    assert explanation(fault, {}) == explanation(fault)
