"""Files: the content of a ContentVersion, the document it belongs to and where that is shown.

Source: Salesforce reference §2.7; Object Reference, ContentVersion.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping

from relay.demo.salesforce.records import Records, Row
from relay.demo.salesforce.refusals import bad_json, refused

_HTML = frozenset({"html", "htm", "xhtml", "xht", "mht", "mhtm", "mhtml", "shtml"})


class Files:
    """The octets of all files, by the id of their version."""

    def __init__(self) -> None:
        self._data: dict[str, bytes] = {}

    def clear(self) -> None:
        """Forget all files."""
        self._data.clear()

    def read(self, version: str) -> bytes | None:
        """Give the octets of a version."""
        return self._data.get(version)

    def opened(
        self, records: Records, body: Mapping[str, object], data: bytes | None
    ) -> tuple[Row, bytes | None]:
        """Take the content out of a new version's fields and check it. Raises Refusal."""
        fields = dict(body)
        name = next((key for key in fields if key.lower() == "versiondata"), None)
        if name is not None and isinstance(fields[name], str):
            data = _decoded(str(fields.pop(name)))
        path = next((str(value) for key, value in fields.items() if key.lower() == "pathonclient"), "")
        if data is not None and path:
            self._check(records, path, data)
        return fields, data

    def _check(self, records: Records, path: str, data: bytes) -> None:
        toggles = records.toggles
        extension = _extension(path)
        if extension in {one.lower() for one in toggles.blocked_extensions}:
            told = f"files of type {extension} are not allowed"
            raise refused(400, "FILE_EXTENSION_NOT_ALLOWED", told, "PathOnClient", provoked=True)
        if not toggles.html_uploads and extension in _HTML:
            told = "HTML files are not allowed"
            raise refused(400, "HTML_FILE_UPLOAD_NOT_ALLOWED", told, "PathOnClient", provoked=True)
        if len(data) > toggles.file_size_limit:
            raise refused(400, "FILE_SIZE_LIMIT_EXCEEDED", "file is too large", "VersionData", provoked=True)
        used = sum(len(one) for one in self._data.values())
        if toggles.storage_limit is not None and used + len(data) > toggles.storage_limit:
            raise refused(400, "STORAGE_LIMIT_EXCEEDED", "storage limit exceeded", provoked=True)

    def store(self, records: Records, given: Row, data: bytes | None, user: str) -> str:
        """Store a version, with its document when it is a new one and its link; give the version's id."""
        if data is None:
            raise refused(
                400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [VersionData]", "VersionData"
            )
        path = str(given["PathOnClient"])
        facts: Row = {
            "Title": given.get("Title") or path.rpartition("/")[2].rpartition(".")[0] or path,
            "FileExtension": _extension(path) or None,
            "FileType": (_extension(path) or "unknown").upper()[:20],
            "ContentSize": len(data),
        }
        known = given.get("ContentDocumentId")
        document = str(known or records.insert("ContentDocument", facts, user=user)["Id"])
        earlier = records.having("ContentVersion", "ContentDocumentId", document)
        for one in earlier:
            records.touch("ContentVersion", str(one["Id"]), {"IsLatest": False})
        own: Row = {
            "ContentDocumentId": document,
            "IsLatest": True,
            "VersionNumber": str(len(earlier) + 1),
            "Checksum": hashlib.md5(data, usedforsecurity=False).hexdigest(),  # as Salesforce gives it
        }
        version = records.insert("ContentVersion", {**facts, **given, **own}, user=user)
        record = str(version["Id"])
        self._data[record] = data
        address = f"/services/data/v67.0/sobjects/ContentVersion/{record}/VersionData"
        records.touch("ContentVersion", record, {"VersionData": address})
        records.touch("ContentDocument", document, {**facts, "LatestPublishedVersionId": record})
        self._link(records, document, given.get("FirstPublishLocationId"), user)
        return record

    def _link(self, records: Records, document: str, place: object, user: str) -> None:
        owner: Row = {"ContentDocumentId": document, "LinkedEntityId": user, "ShareType": "I"}
        linked = {
            one["LinkedEntityId"]
            for one in records.having("ContentDocumentLink", "ContentDocumentId", document)
        }
        if user not in linked:
            records.insert("ContentDocumentLink", owner, user=user)
        if place and place not in linked and place != user:
            records.insert(
                "ContentDocumentLink",
                {**owner, "LinkedEntityId": place, "ShareType": "V"},
                user=user,
            )


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad_json("VersionData: not Base64-encoded") from error


def _extension(path: str) -> str:
    return path.rpartition(".")[2].lower() if "." in path else ""
