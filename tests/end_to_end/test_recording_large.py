"""Mail as large as it may be, recorded with its files: memory stays bounded, and the mail goes on as it came."""

import base64
import hashlib
import random
from pathlib import Path

import pytest

from relay.demo.salesforce import faults
from relay.demo.salesforce.simulator import Simulator
from tests.support.api_mode import api_mode
from tests.support.eventually import eventually
from tests.support.raw_client import RawClient
from tests.support.running import running_relay
from tests.support.salesforce import people
from tests.support.salesforce import salesforce as salesforce

_MAILS = 10
_FILE = 9 * 1024 * 1024
"""Octets of a file, more than base64 in JSON is used for; two of them make a mail of 25 MB."""
_MEBI = 1024 * 1024
_ROOM = 310 * _MEBI
"""What the memory may grow by: less than half of what the eight mails, their files and the uploads come to."""


def _file(number: int) -> bytes:
    return random.Random(number).randbytes(_FILE)


def _mail(number: int) -> bytes:
    head = (
        f"From: ana@example.com\r\nTo: person{number}@buyer.example\r\nSubject: Plans {number}\r\n"
        f"Message-ID: <plans-{number}@example.com>\r\nDate: Mon, 09 Nov 2026 09:14:03 +0100\r\n"
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: text/plain\r\n\r\n.The plans.\r\n"
    ).encode()
    for which in (0, 1):
        head += (
            f"--b\r\nContent-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n"
            f"Content-Disposition: attachment; filename=plan-{number}-{which}.zip\r\n\r\n"
        ).encode()
        head += base64.encodebytes(_file(2 * number + which)).replace(b"\n", b"\r\n")
    return head + b"--b--\r\n"


@pytest.mark.timeout(300)
def test_mails_of_25_mb_with_their_files(tmp_path: Path, salesforce: Simulator) -> None:
    """All due at once: each arrives byte for byte, each file is in Salesforce whole and once, and memory keeps to its room."""
    people(salesforce, _MAILS)
    changes = api_mode(salesforce, tmp_path, capture={"attachments": "files"})
    with running_relay(tmp_path, changes) as relay:
        with RawClient(relay.gateway) as client:
            client.say("EHLO client.test")
            assert client.submit("ana@example.com", ["warm@buyer.example"], b"From: ana@example.com\r\n\r\n")
        relay.mail_for("warm@buyer.example")
        before = relay.service.peak_memory()
        salesforce.inject(faults.unavailable(times=None))
        sent = {}
        with RawClient(relay.gateway) as client:
            client.say("EHLO client.test")
            for number in range(1, _MAILS + 1):
                mail, address = _mail(number), f"person{number}@buyer.example"
                sent[address] = hashlib.sha256(mail).digest(), len(mail)
                answer = client.submit("ana@example.com", [address], mail)
                assert answer.startswith(b"250"), answer
        for address, (digest, octets) in sent.items():
            assert hashlib.sha256(relay.mail_for(address).content[-octets:]).digest() == digest
        salesforce.clear_faults()
        assert relay.service.run("records", "retry", "--all").returncode == 0
        eventually(lambda: len(salesforce.rows("ContentVersion")) >= 2 * _MAILS, limit=90.0)
        files = {
            str(one["PathOnClient"]): salesforce.file(str(one["Id"]))
            for one in salesforce.rows("ContentVersion")
        }
        for number in range(1, _MAILS + 1):
            for which in (0, 1):
                assert files.pop(f"plan-{number}-{which}.zip") == _file(2 * number + which)
        assert not files
        assert len(salesforce.rows("EmailMessage")) == _MAILS
        grown = relay.service.peak_memory() - before
        assert grown < _ROOM, f"{grown / _MEBI:.0f} MiB"
