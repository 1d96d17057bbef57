"""Mail of one sender domain goes by MX: DNS is asked, a host that is away is passed over, the log copy goes by the smarthost."""

import json
import tempfile
from pathlib import Path

from relay.demo.capture import Capture
from tests.support.dns import running_dns
from tests.support.eventually import eventually
from tests.support.running import BCC, RunningRelay, prepare

_CONTENT = b"From: ana@example.com\r\nTo: kim@buyer.example\r\nSubject: By MX\r\n\r\nHello\r\n"
_RECORDS = {
    "buyer.example MX": ["10 away.buyer.example.", "20 here.buyer.example."],
    "away.buyer.example A": ["127.0.0.9"],
    "here.buyer.example A": ["127.0.0.1"],
    "never.example MX": ["0 ."],
    "unsure.example !": ["SERVFAIL"],
}


def _submit(relay: RunningRelay, *recipients: str) -> str:
    with relay.client() as client:
        answer = client.submit("ana@example.com", recipients, _CONTENT)
        assert answer.startswith(b"250"), answer
        return answer.split()[-1].decode()


def test_mail_goes_by_mx(tmp_path: Path) -> None:
    """Every recipient domain is looked up, and each outcome is told in its own words."""
    with (
        Capture() as exchanger,
        Capture() as smarthost,
        running_dns(_RECORDS) as dns,
        tempfile.TemporaryDirectory(prefix="relay-") as short,
    ):
        crm = BCC.partition("@")[2].partition(".")[2]
        upstream = {
            "default": "direct",
            "routes": {"direct": {"kind": "mx", "port": exchanger.port, "limits": {"connections": 2}}},
            "select": [{"recipient_domain": f"*.{crm}", "route": "main"}],
            "resolver": {"nameservers": ["127.0.0.1"], "port": dns.port, "timeout": "5s"},
        }
        changes = {"server": {"state_dir": f"{short}/state"}, "upstream": upstream}
        relay = prepare(tmp_path, smarthost, changes)
        relay.service.start()
        try:
            queue_id = _submit(
                relay, "kim@buyer.example", "lee@buyer.example", "x@never.example", "y@unsure.example"
            )
            (mail,) = exchanger.wait_for(1)
            assert sorted(mail.addresses) == ["kim@buyer.example", "lee@buyer.example"]
            assert mail.content.endswith(_CONTENT)
            assert relay.mail_for(BCC).addresses == (BCC,)  # the report to ana may come before it
            wanted = {
                "kim@buyer.example": "sent",
                "lee@buyer.example": "sent",
                "x@never.example": "bounced",
                "y@unsure.example": "deferred",
            }
            assert eventually(lambda: wanted.items() <= relay.states(queue_id).items())
            shape = json.loads(relay.service.run("queue", "shape", "--json").stdout)
            assert [(row["domain"], row["total"]) for row in shape["items"]] == [("unsure.example", 1)]
            why = json.loads(relay.service.run("queue", "why", "--json").stdout)
            assert [cause["kind"] for cause in why["items"]] == ["DNS"]
            assert [hop["host"].partition(":")[0] for hop in why["hops"]] == ["away.buyer.example"]
        finally:
            relay.service.stop()
