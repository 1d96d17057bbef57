"""`relay explain` and `relay test`."""

import xml.etree.ElementTree as ET
from pathlib import Path

from relay.demo.salesforce.simulator import Simulator
from tests.support.command import relay
from tests.support.salesforce import people, rep, salesforce, settings
from tests.support.settings import GOOD, written

__all__ = ["salesforce"]
MAIL = "From: ana@example.com\nTo: person1@buyer.example, bo@example.com\nSubject: Offer\n\nHello\n"
EXAMPLES = """\
tests:
  - name: colleagues are not logged
    as: ana
    to: [bo@example.com]
    expect: {outcome: skipped, rule: exclude.internal}
  - name: customers <are>
    as: ana
    to: [buyer@customer.example]
    expect: {outcome: skipped}
"""


def mail(folder: Path) -> Path:
    """Write a mail."""
    path = folder / "mail.eml"
    path.write_text(MAIL)
    return path


def test_the_whole_decision_with_its_records(salesforce: Simulator, tmp_path: Path) -> None:
    """Checks, exclusions, mode with its line, who matches and why, and the payload; nothing is written."""
    user = rep(salesforce)
    (contact,) = people(salesforce, 1)
    text = GOOD.replace("users:", f"logging: {{mode: api}}\n{settings(salesforce, tmp_path)}users:")
    config = written(tmp_path, f"{text}    salesforce_user_id: {user}\n")
    ran = relay("explain", mail(tmp_path), "--as", "ana", "-c", config)
    assert ran.code == 0, ran.err
    assert "[logging.mode (config.yaml:10)]" in ran.out
    assert f"person1@buyer.example: contact {contact}, by Email" in ran.out
    assert f'"{contact}"' in ran.out
    (item,) = relay("explain", mail(tmp_path), "--as", "ana", "--json", "-c", config).items
    assert (item["outcome"], item["records"]["decision"]) == ("log", "record")
    payload = item["records"]["payload"][0]
    assert payload["fields"]["TextBody"] == "Hello"
    assert payload["fields"]["ToAddress"] == "bo@example.com"
    assert not salesforce.rows("EmailMessage")
    assert not salesforce.rows("Task")


def test_without_salesforce(tmp_path: Path) -> None:
    """--no-salesforce tells what the rules decide."""
    text = GOOD.replace(
        "users:",
        "logging: {mode: api}\nsalesforce:\n  instance: https://127.0.0.1:1\n"
        "  auth: {client_id: x, client_secret: {env: RELAY_TEST_SECRET}}\nusers:",
    )
    config = written(tmp_path, f"{text}    salesforce_user_id: 005000000000001AAA\n")
    ran = relay("explain", mail(tmp_path), "--as", "ana", "--no-salesforce", "-c", config)
    assert ran.code == 0, ran.err
    assert "to be recorded in Salesforce" in ran.out
    assert "--no-salesforce" in ran.out


def test_mail_that_would_be_refused(tmp_path: Path) -> None:
    """The exit code says so, and the reply is shown."""
    ran = relay("explain", mail(tmp_path), "--as", "ana", "--from", "x@y.test", "-c", written(tmp_path))
    assert ran.code == 1
    assert "550 5.7.1" in ran.out


def test_the_secret_address_is_not_printed(tmp_path: Path) -> None:
    """In bcc mode the log copy is masked, for people and for programs."""
    for arguments in ((), ("--json",)):
        ran = relay("explain", mail(tmp_path), "--as", "ana", *arguments, "-c", written(tmp_path))
        assert ran.code == 0
        assert "emailtosalesforce@a1b2" not in ran.out


def test_wrong_use(tmp_path: Path) -> None:
    """A file that is not there, a rep who is nobody, an address that is none, a mail to nobody."""
    config, there = written(tmp_path), mail(tmp_path)
    lonely = tmp_path / "lonely.eml"
    lonely.write_text("Subject: x\n\n")
    assert relay("explain", tmp_path / "none.eml", "--as", "ana", "-c", config).code == 2
    assert relay("explain", there, "--as", "nobody", "-c", config).code == 1
    assert relay("explain", there, "--as", "ana", "--rcpt", "nonsense", "-c", config).code == 2
    assert relay("explain", lonely, "--as", "ana", "-c", config).code == 2


def test_rules_are_tested_by_examples(tmp_path: Path) -> None:
    """The file beside the settings is taken; what fails is told, and the exit code says so; JUnit gets it, too."""
    config = written(tmp_path)
    (tmp_path / "relay-tests.yaml").write_text(EXAMPLES)
    report = tmp_path / "report.xml"
    ran = relay("test", "--junit", report, "-c", config)
    assert ran.code == 1
    assert "FAILED  customers <are>  (relay-tests.yaml:6)" in ran.out
    assert "the outcome is log, not skipped" in ran.out
    suite = ET.parse(report).getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    passed = relay("test", "-k", "colleagues", "--json", "-c", config)
    assert passed.code == 0
    assert [one["passed"] for one in passed.items] == [True]


def test_examples_with_mistakes(tmp_path: Path) -> None:
    """A file that cannot be used ends with 78 and the place of every mistake; no example at all is wrong use."""
    config = written(tmp_path)
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("tests: [{as: ana}]\n")
    ran = relay("test", wrong, "-c", config)
    assert ran.code == 78
    assert "wrong.yaml:1:9" in ran.err
    assert relay("test", tmp_path / "none.yaml", "-c", config).code == 2
    (tmp_path / "relay-tests.yaml").write_text(EXAMPLES)
    assert relay("test", "-k", "nothing", "-c", config).code == 2
