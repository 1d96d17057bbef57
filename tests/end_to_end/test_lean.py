"""A relay in mode bcc carries nothing of what others need: records, reminders, the page, the command line."""

import re
from pathlib import Path

import pytest

from relay.demo.capture import Capture
from tests.support.running import PASSWORD, prepare

LIBRARIES = {
    "argon2", "click", "difflib", "dns", "http.client", "httpx", "jinja2", "jwt", "prometheus_client", "requests", "rich",
    "simple_salesforce", "starlette", "typer", "urllib3", "uvicorn", "zeep",
}  # fmt: skip
PARTS = re.compile(
    r"relay\.(cli\.(?!straight$)|demo|doctor|reminders|reminding|salesforce|web\.(?!listening$))"
)


def test_a_relay_in_mode_bcc_loads_no_other_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start, a mail by a rep who signs in, and stop bring in no library or part that only others need."""
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    with Capture() as hop:
        relay = prepare(tmp_path, hop)
        relay.service.start()
        with relay.client("ana", PASSWORD) as client:
            client.submit("ana@example.com", ["buyer@customer.example"], b"Subject: offer\r\n\r\nhello\r\n")
        relay.mail_for("buyer@customer.example")
        relay.service.stop()
    loaded = set(
        re.findall(r"^import time: .*\| +([\w.]+)$", relay.service.log.read_text("utf-8"), re.MULTILINE)
    )
    assert "relay.submission.listener" in loaded  # it is looked at rightly
    assert not loaded & LIBRARIES
    assert not {one for one in loaded if PARTS.match(one)}
