"""Files in the simulator: one call makes version, document and link, and what is not allowed is refused."""

import base64
import json
from functools import partial

import pytest
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceMalformedRequest

from relay.demo.salesforce.simulator import Simulator
from tests.support.salesforce_plain import connected, refusal, session
from tests.support.salesforce_plain import salesforce as salesforce

_OFFER = base64.b64encode(b"%PDF-1").decode()


@pytest.fixture
def plain(salesforce: Simulator) -> Salesforce:
    """simple-salesforce, signed in as the integration user."""
    return connected(salesforce)


def test_one_call_makes_version_document_and_link(salesforce: Simulator, plain: Salesforce) -> None:
    """The file is found on the record it was published at, and its octets come back."""
    task = salesforce.add("Task", Subject="x")
    fields = {
        "Title": "offer",
        "PathOnClient": "offer.pdf",
        "VersionData": _OFFER,
        "FirstPublishLocationId": task,
    }
    version = plain.ContentVersion.create(fields)["id"]
    (document,) = salesforce.rows("ContentDocument")
    assert (document["Title"], document["FileExtension"], document["ContentSize"]) == ("offer", "pdf", 6)
    soql = f"SELECT ContentDocumentId FROM ContentDocumentLink WHERE LinkedEntityId = '{task}'"
    assert plain.query(soql)["records"][0]["ContentDocumentId"] == document["Id"]
    assert salesforce.file(version) == b"%PDF-1"
    address = plain.ContentVersion.get(version)["VersionData"]
    with session(salesforce) as http:
        http.headers["Authorization"] = f"Bearer {plain.session_id}"
        assert http.get(salesforce.url + address, timeout=10).content == b"%PDF-1"


def test_a_file_may_come_as_multipart(salesforce: Simulator, plain: Salesforce) -> None:
    """The record beside the octets, which may hold anything."""
    octets = bytes(range(256)) + b"\r\n--not-the-boundary\r\n"
    record = json.dumps({"Title": "all", "PathOnClient": "all.bin"})
    with session(salesforce) as http:
        http.headers["Authorization"] = f"Bearer {plain.session_id}"
        answer = http.post(
            f"{salesforce.url}/services/data/v67.0/sobjects/ContentVersion/",
            files={
                "entity_content": (None, record, "application/json"),
                "VersionData": ("all.bin", octets, "application/octet-stream"),
            },
            timeout=10,
        )
    assert answer.status_code == 201
    assert salesforce.file(answer.json()["id"]) == octets


def test_a_second_version_stays_with_its_document(salesforce: Simulator, plain: Salesforce) -> None:
    """ContentDocumentId makes it a version of the same file."""
    first = plain.ContentVersion.create({"PathOnClient": "a.txt", "VersionData": _OFFER})["id"]
    document = salesforce.row(first)["ContentDocumentId"]
    fields = {"PathOnClient": "a.txt", "VersionData": _OFFER, "ContentDocumentId": document}
    second = plain.ContentVersion.create(fields)["id"]
    assert len(salesforce.rows("ContentDocument")) == 1
    assert (salesforce.row(first)["IsLatest"], salesforce.row(second)["IsLatest"]) == (False, True)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"PathOnClient": "a.txt", "VersionData": "%%%"}, "JSON_PARSER_ERROR"),
        ({"PathOnClient": "a.txt"}, "REQUIRED_FIELD_MISSING"),
        ({"VersionData": _OFFER}, "REQUIRED_FIELD_MISSING"),
        ({"PathOnClient": "a.EXE", "VersionData": _OFFER}, "FILE_EXTENSION_NOT_ALLOWED"),
        ({"PathOnClient": "a.html", "VersionData": _OFFER}, "HTML_FILE_UPLOAD_NOT_ALLOWED"),
        ({"PathOnClient": "a.txt", "VersionData": _OFFER * 100}, "FILE_SIZE_LIMIT_EXCEEDED"),
        ({"PathOnClient": "a.txt", "VersionData": _OFFER, "Title": "x" * 256}, "STRING_TOO_LONG"),
    ],
)
def test_a_file_that_is_not_allowed_is_refused(
    salesforce: Simulator, plain: Salesforce, fields: dict[str, object], code: str
) -> None:
    """With its code, and nothing is stored."""
    salesforce.toggles.blocked_extensions = frozenset({"exe"})
    salesforce.toggles.html_uploads = False
    salesforce.toggles.file_size_limit = 100
    assert refusal(SalesforceMalformedRequest, partial(plain.ContentVersion.create, fields))[0] == code
    assert salesforce.rows("ContentDocument") == []


def test_storage_runs_out(salesforce: Simulator, plain: Salesforce) -> None:
    """What fits is stored, what does not is refused."""
    salesforce.toggles.storage_limit = 10
    fields = {"PathOnClient": "a.txt", "VersionData": _OFFER}
    plain.ContentVersion.create(fields)
    assert (
        refusal(SalesforceMalformedRequest, partial(plain.ContentVersion.create, fields))[0]
        == "STORAGE_LIMIT_EXCEEDED"
    )
