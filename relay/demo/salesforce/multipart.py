"""Reading a multipart/form-data body: the record beside the file that belongs to it.

Pure. Source: REST API Developer Guide, "Insert or Update Blob Data"; RFC 7578.
"""

import json
import re

from relay.demo.salesforce.refusals import bad_json, refused

_BOUNDARY = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)
_NAME = re.compile(rb'\bname="([^"]*)"', re.IGNORECASE)
_RECORD = "entity_"


def parts(content_type: str, body: bytes) -> tuple[dict[str, object], bytes | None]:
    """Give the record and the file's octets. Raises Refusal."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise refused(400, "INVALID_MULTIPART_REQUEST", "no boundary")
    record: dict[str, object] | None = None
    data: bytes | None = None
    for name, content in _split(body, found[1].encode()):
        if name.startswith(_RECORD):
            record = _json(content)
        else:
            data = content
    if record is None:
        raise refused(400, "INVALID_MULTIPART_REQUEST", "the record's part is missing: entity_content")
    return record, data


def _split(body: bytes, boundary: bytes) -> list[tuple[str, bytes]]:
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary)
    if len(pieces) < 3 or not pieces[-1].startswith(b"--"):
        raise refused(400, "INVALID_MULTIPART_REQUEST", "the body ends early")
    found = []
    for piece in pieces[1:-1]:
        head, blank, content = piece.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if not blank or name is None:
            raise refused(400, "INVALID_MULTIPART_REQUEST", "a part without a name")
        found.append((name[1].decode("utf-8", "replace"), content))
    return found


def _json(content: bytes) -> dict[str, object]:
    try:
        found = json.loads(content)
    except ValueError as error:
        raise bad_json(f"Unexpected character or end of input: {error}") from error
    if not isinstance(found, dict):
        raise bad_json("The record is required to be a JSON object")
    return found
