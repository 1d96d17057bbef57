"""One call of Salesforce before it is made, and what came back: the values between the loop and the worker threads.

Pure.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from relay.salesforce.model import Fault, Json

MULTIPART_FROM = 8 * 1024 * 1024
"""Octets from which a file goes as multipart/form-data, which base64 does not make a third larger; 50 MB is the
limit of JSON, 2 GB that of multipart (REST guide, Insert or Update Blob Data)."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file, with the fields of the record that holds it."""

    fields: Mapping[str, Json]
    data: bytes = field(repr=False)

    def into(self, options: dict[str, Any]) -> None:
        """Put the file into the options of a request; done in the worker thread, since encoding takes its time."""
        if len(self.data) < MULTIPART_FROM:
            options["json"] = {**self.fields, "VersionData": base64.b64encode(self.data).decode()}
            return
        # None takes simple-salesforce's Content-Type away, so that requests writes the one with the boundary.
        options["headers"] = {**options["headers"], "Content-Type": None}
        options["files"] = [
            ("entity_content", (None, json.dumps(self.fields), "application/json")),
            ("VersionData", ("file", self.data, "application/octet-stream")),
        ]


@dataclass(frozen=True, slots=True)
class Request:
    """One call: a query, a further page of one, or a path below the version."""

    operation: str
    """What is counted: query, describe, create, … a closed set."""
    method: str = "GET"
    path: str = ""
    soql: str | None = field(default=None, repr=False)
    all_rows: bool = False
    next_page: str | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Json = field(default=None, repr=False)
    upload: Upload | None = None

    @property
    def writing(self) -> bool:
        """Tell whether the call may change something."""
        return self.method != "GET"


@dataclass(frozen=True, slots=True)
class Result:
    """What came back."""

    body: Json = None
    fault: Fault | None = None
    status: int = 0
    limit_info: str | None = None
    last_modified: str | None = None
    server_time: int | None = None
    reached: bool = False
    """Whether the instance answered at all, be it with a refusal."""
    seconds: float = 0.0
    access: str | None = field(default=None, repr=False)
    """The access token it was made with."""
