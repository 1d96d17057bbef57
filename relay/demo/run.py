"""The demonstration: a relay, a next hop, a simulated Salesforce and some mails; what came of them is shown and checked.

Nothing leaves this machine and nothing outside a temporary folder is written.
"""

import json
import shutil
import signal
import smtplib
import ssl
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from relay.demo.capture import Capture, Captured
from relay.demo.organisation import Watch, furnish
from relay.demo.report import Finding, failed, on_arrival, on_records, on_report
from relay.demo.salesforce.simulator import Simulator, started
from relay.demo.salesforce.sink_server import handing_over
from relay.demo.samples import REPS, DemoMessage, messages
from relay.demo.service import Service, ServiceFailed
from relay.demo.stage import DEFAULT_BASE, Stage, set_up

_LIMIT = 30.0
"""Seconds that anything may take to arrive."""

_FINAL = {"sent", "bounced", "expired", "cancelled", "skipped"}


def run(*, keep: bool, base: int = DEFAULT_BASE) -> int:
    """Play the whole demonstration and give the exit code: 0 when everything arrived as said."""
    console = Console(highlight=False, soft_wrap=True)
    folder = Path(tempfile.mkdtemp(prefix="relay-demo-"))
    try:
        with _playing(folder, base) as house:
            findings = _Demonstration(console, house).play()
            code = _conclude(console, findings, house.service)
            if keep:
                _stay(console, house)
            return code
    except ServiceFailed as trouble:
        console.print(str(trouble), markup=False, style="red")
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _House:
    """Everything that runs."""

    stage: Stage
    hop: Capture
    service: Service
    salesforce: Simulator


@contextmanager
def _playing(folder: Path, base: int) -> Iterator[_House]:
    certificates = folder / "salesforce"
    certificates.mkdir()
    with started(folder=certificates) as salesforce:
        stage = set_up(folder, base, salesforce, furnish(salesforce))
        service = Service(stage.config, [stage.submission, stage.submissions], folder / "relay.log")
        with Capture(handing_over(salesforce.sink), port=stage.upstream) as hop:
            service.start()
            try:
                yield _House(stage, hop, service, salesforce)
            finally:
                service.stop()


class _Demonstration:
    """One play: sends each message, waits for what must come of it, shows and checks it."""

    def __init__(self, console: Console, house: _House) -> None:
        self._console = console
        self._stage, self._hop, self._service = house.stage, house.hop, house.service
        self._salesforce = house.salesforce
        self._watch = Watch(house.salesforce)

    def play(self) -> list[Finding]:
        """Send the messages and give everything that was found."""
        self._introduce()
        findings = []
        for number, message in enumerate(messages(), 1):
            findings += self._show(number, message)
        return findings + self._tell(self._afterwards())

    def _afterwards(self) -> list[Finding]:
        """Check what holds for all mails together."""
        self._line("\n[bold]All in all[/]")
        secrets = [self._salesforce.client_secret, *(rep.email_to_salesforce for rep in REPS)]
        leaks = any(secret in self._service.logs() for secret in secrets)
        findings = [Finding(not leaks, "no log address and no secret stands in the relay's own logs")]
        through_api = sum(each.rep.mode == "api" for each in messages())
        counted = Counter(call.operation for call in self._salesforce.calls)
        text = (
            f"{counted.total()} calls of Salesforce's API for {through_api} mails, none refused: "
            + ", ".join(f"{count} {operation}" for operation, count in counted.items())
        )
        findings.append(Finding(not self._salesforce.refused, text))
        return findings

    def _introduce(self) -> None:
        stage, line = self._stage, self._line
        line("[bold]relay demo[/]: everything runs on this machine and is gone afterwards\n")
        line(f"  relay      127.0.0.1:{stage.submission} (STARTTLS) and :{stage.submissions} (TLS)")
        line(f"  next hop   127.0.0.1:{stage.upstream}, keeps what it is given; refuses refuse…@")
        line("  Salesforce a simulated one: contact Kim Lund with an open opportunity, lead Lee Moreau")
        for rep in REPS:
            line(f"  rep        {rep.login:<6} {rep.addresses[0]:<18} mode {rep.mode}")

    def _line(self, text: str) -> None:
        self._console.print(text)

    def _plain(self, text: str) -> None:
        self._console.print(text, markup=False)

    def _show(self, number: int, message: DemoMessage) -> list[Finding]:
        self._line(f"\n[bold]{number}. {message.title}[/]")
        self._plain(f"   {message.rep.login} sends as {message.sender} to {', '.join(message.recipients)}")
        seen = len(self._hop.messages)
        answer = _send(self._stage, message)
        self._plain(f"   answer: {answer}")
        wanted = message.refusal or "250"
        findings = [Finding(answer.startswith(wanted), f"answered {wanted}")]
        findings += self._arrivals(message, seen)
        findings.append(Finding(message.rep.email_to_salesforce not in answer, "the answer keeps the secret"))
        self._tell(findings[1:-1] + failed(findings[:1] + findings[-1:]))
        findings += self._tell(self._trace(message))
        return findings + self._tell(on_records(message, self._watch.news()))

    def _arrivals(self, message: DemoMessage, seen: int) -> list[Finding]:
        expected = 0 if message.refusal else 1 + bool(message.reported)
        try:
            new = self._hop.wait_for(seen + expected, _LIMIT)[seen:]
        except TimeoutError:
            new = self._hop.messages[seen:]
        mail = next((each for each in new if each.sender), None)
        findings = on_arrival(message, mail)
        if message.reported:
            findings += on_report(message, _report_in(new))
        return findings

    def _trace(self, message: DemoMessage) -> list[Finding]:
        """Show `relay trace` of the message once all its deliveries have ended."""
        wanted = message.content.partition(b"Message-ID: ")[2].partition(b"\r\n")[0].decode()
        if message.refusal:
            return self._refusal(message)
        ended = _wait_for_end(self._service, wanted)
        shown = self._service.run("trace", wanted)
        self._plain("".join(f"     {line}\n" for line in shown.stdout.splitlines()).rstrip())
        kept = message.rep.email_to_salesforce not in shown.stdout + shown.stderr
        findings = [
            Finding(shown.returncode == 0 and ended, "relay trace tells what became of it"),
            Finding(kept, "the trace keeps the secret"),
        ]
        return failed(findings)

    def _refusal(self, message: DemoMessage) -> list[Finding]:
        """Show the event of a refusal: nothing of the message was kept, but that it was refused is."""
        ends = time.monotonic() + _LIMIT
        shown = ""
        while message.sender not in shown and time.monotonic() < ends:
            shown = self._service.run("log", "--event", "message.refused", "--lines", "1").stdout
        self._plain(f"     {shown.strip()}")
        return failed([Finding(message.sender in shown, "relay log tells of the refusal")])

    def _tell(self, findings: list[Finding]) -> list[Finding]:
        for finding in findings:
            mark = "[green]ok[/]  " if finding.holds else "[bold red]NOT[/] "
            self._console.print(f"   {mark}", end="")
            self._plain(finding.text)
        return findings


def _report_in(new: list[Captured]) -> Captured | None:
    return next((each for each in new if not each.sender), None)


def _send(stage: Stage, message: DemoMessage) -> str:
    """Send one message as a mail client does, and give the last answer."""
    trusting = ssl.create_default_context(cafile=str(stage.certificate))
    options = ["SMTPUTF8", "BODY=8BITMIME"] if message.smtputf8 else []
    with smtplib.SMTP("localhost", stage.submission, "laptop.example.com", timeout=_LIMIT) as client:
        client.starttls(context=trusting)
        client.login(message.rep.login, stage.passwords[message.rep.login])
        client.ehlo_or_helo_if_needed()
        answer = client.mail(message.sender, options)
        for recipient in message.recipients:
            if answer[0] == 250:
                answer = client.rcpt(recipient)
        if answer[0] == 250:
            answer = client.data(message.content)
    return f"{answer[0]} {answer[1].decode()}"


def _wait_for_end(service: Service, query: str) -> bool:
    """Wait until every delivery of the message has ended, as `relay trace --json` shows it."""
    ends = time.monotonic() + _LIMIT
    while time.monotonic() < ends:
        shown = service.run("trace", query, "--json")
        if shown.returncode == 0 and _all_ended(shown.stdout):
            return True
        time.sleep(0.2)
    return False


def _all_ended(text: str) -> bool:
    items = json.loads(text)["items"]
    return bool(items) and all(each["state"] in _FINAL for item in items for each in item["deliveries"])


def _conclude(console: Console, findings: list[Finding], service: Service) -> int:
    wrong = failed(findings)
    if not wrong:
        console.print(
            f"\n[bold green]Everything arrived as said[/]: {len(messages())} mails, {len(findings)} statements checked."
        )
        return 0
    console.print(
        f"\n[bold red]{len(wrong)} of {len(findings)} statements do not hold.[/] The relay's log ends with:"
    )
    console.print(service.tail(), markup=False)
    return 1


def _stay(console: Console, house: _House) -> None:
    """Leave everything running until Ctrl-C, and say how to use it."""
    stage, service, salesforce = house.stage, house.service, house.salesforce
    password, of_cleo = stage.passwords["ana"], stage.passwords["cleo"]
    console.print(
        f"""
Still running. Ctrl-C stops it.

  swaks         swaks --server 127.0.0.1:{stage.submission} --tls --auth PLAIN --auth-user ana \\
                  --auth-password {password} --from ana@example.com --to kim@buyer.example
                the same in mode api: --auth-user cleo --auth-password {of_cleo} --from cleo@example.com
  Thunderbird   outgoing server 127.0.0.1, port {stage.submission}, STARTTLS, normal password,
                user name ana, password {password}
                (it asks once about the certificate, which is this demonstration's own)
  settings      {stage.config}
  ask it        relay -c {stage.config} queue list
                relay -c {stage.config} log --follow
                relay -c {stage.config} records list --all
  page          http://127.0.0.1:{stage.web}/, user name ana, password {stage.page_password}
  Salesforce    {salesforce.url}
                curl --cacert {salesforce.ca_file} {salesforce.url}/__control__/dump/Task
  metrics       curl http://127.0.0.1:{stage.metrics}/metrics
""",
        markup=False,
    )
    stopped = threading.Event()
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # shells have what they start in the background ignore SIGINT
        signal.signal(number, signal.default_int_handler)
    try:
        while service.running and not stopped.wait(1.0):
            pass
    except KeyboardInterrupt:
        console.print("Stopping.")
