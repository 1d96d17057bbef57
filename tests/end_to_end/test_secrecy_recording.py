"""Mode api, whatever the relay signs in with and whatever goes wrong: no secret is in its logs or in what it prints."""

import hashlib
from pathlib import Path

import pytest

from relay.demo.salesforce import faults
from relay.demo.salesforce.faults import Action, Injected
from relay.demo.salesforce.simulator import Simulator
from tests.support.api_mode import api_mode
from tests.support.eventually import eventually
from tests.support.running import BCC, PASSWORD, RunningRelay, running_relay, with_changes
from tests.support.salesforce import people
from tests.support.salesforce import salesforce as salesforce

_SECRET_PART = BCC.partition("@")[2].partition(".")[0]
_QUOTED = "SELECT Id FROM Contact WHERE Email IN ('person1@buyer.example')\n ^\nERROR at Row:1: unexpected token: 00D000000000001!AQ1.x"
_FATES = ("log.succeeded", "log.failed", '"delivery.deferred"')
_COMMANDS = (
    ("salesforce", "whoami"), ("salesforce", "limits", "--json"), ("salesforce", "describe", "Task"),
    ("config", "show"), ("check",), ("status",), ("user", "list", "--json"), ("log", "--json"),
    ("records", "list", "--all", "--json"), ("records", "retry", "--all", "--json"),
)  # fmt: skip


def _submit(relay: RunningRelay, name: str) -> None:
    """Submit a mail, and wait until something has become of its record."""
    content = (
        f"From: ana@example.com\r\nTo: person1@buyer.example\r\nSubject: a private subject\r\n"
        f"Message-ID: <{name}@example.com>\r\nDate: Mon, 09 Nov 2026 09:14:03 +0100\r\n\r\nThe body is private.\r\n"
    )
    with relay.client() as client:
        answer = client.submit("ana@example.com", ["person1@buyer.example"], content.encode())
    assert answer.startswith(b"250"), answer
    message = answer.decode().split()[-1]

    def told() -> bool:
        lines = [line for line in relay.service.logs().splitlines() if message in line]
        return any(said in line for line in lines for said in _FATES)

    eventually(told, limit=60.0)


def _recorded(relay: RunningRelay, salesforce: Simulator, *names: str) -> None:
    """Have what waits tried, until all of these are in Salesforce."""
    wanted = {f"<{name}@example.com>" for name in names}

    def there() -> bool:
        assert relay.service.run("records", "retry", "--all").returncode == 0
        return wanted <= {str(row["MessageIdentifier"]) for row in salesforce.rows("EmailMessage")}

    eventually(there, limit=60.0)


def _trouble() -> dict[str, Injected]:
    """Give what goes wrong, by the name of the mail that meets it."""
    assertion = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJyZWxheSJ9.c2lnbmVk"
    sign_in = {"error": "invalid_grant", "error_description": f"assertion {assertion} is bad"}
    return {
        "quoting": Injected(Action.ANSWER, status=400, code="MALFORMED_QUERY", message=_QUOTED, times=2),
        "page": faults.html(503),
        "broken": Injected(Action.RESET_AFTER_COMMIT, path=r"/composite/?$", nth=2),
        "signing-in": Injected(Action.ANSWER, operation="token", status=400, body=sign_in),
    }


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["client_credentials", "jwt", "refresh_token"])
def test_no_secret_is_told(tmp_path: Path, salesforce: Simulator, kind: str) -> None:
    """At level debug: no token, client secret, key, assertion, BCC address, password, query, subject or body."""
    people(salesforce, 1)
    changes = with_changes(
        api_mode(salesforce, tmp_path, kind),
        {
            "logs": {"level": "debug"},
            "retry": {"logging": {"schedule": ["1s"]}},
            "salesforce": {"timeout": "2s"},
        },
    )
    changes["users"][0] |= {
        "email_to_salesforce": BCC,
        "tokens": [{"name": "Laptop", "sha256": _sha(PASSWORD)}],
    }
    printed = ""
    with running_relay(tmp_path, changes) as relay:
        _submit(relay, "plain")
        for name, fault in _trouble().items():
            salesforce.expire_tokens()
            salesforce.inject(fault)
            _submit(relay, name)
            salesforce.clear_faults()
        for command in _COMMANDS:
            done = relay.service.run(*command)
            printed += f"{command}\n{done.stdout}{done.stderr}"
        _recorded(relay, salesforce, "plain", *_trouble())
        logs = relay.service.logs()
    assert "log.succeeded" in logs
    key = salesforce.private_key_pem.splitlines()[1]
    for secret in (
        salesforce.client_secret,
        key,
        "5Aep861relay",
        "!AQ",
        "eyJ",
        "Bearer",
        _SECRET_PART,
        PASSWORD,
    ):
        assert secret not in logs
        assert secret not in printed
    for private in ("SELECT ", "Email IN", "a private subject", "The body is private"):
        assert private not in logs


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
