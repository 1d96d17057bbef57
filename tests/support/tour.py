"""Play the README's tour with real programs, and print what it really gives into README.md.

Run as `python -m tests.support.tour` (needs swaks, curl and openssl); a test plays it again and compares, apart from what
differs each time: numbers, queue ids, app passwords, links.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from relay.demo.service import free_ports

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "README.md"
_PORTS = (2587, 2526, 9600, 8025, 8443)
"""The ports that the README names; the tour takes free ones and shows these."""
_LIMIT = 60.0
_BLOCK = re.compile(r"(<!-- tour: (?P<name>[a-z ]+) -->\n).*?(<!-- /tour -->\n)", re.DOTALL)

_SWAKS = "swaks --server 127.0.0.1:2587 --tls --auth PLAIN --auth-user ana --auth-password {ana}"
_CLEO = "swaks --server 127.0.0.1:2587 --tls --auth PLAIN --auth-user cleo --auth-password {cleo}"
_OFFER = "--from ana@example.com --to kim@buyer.example --header 'Subject: {subject}' | tail -4"
STEPS: dict[str, tuple[str, ...]] = {
    "check": ("relay check", "echo 'limts: {recipients: many}' >> config.yaml; relay check", "sed -i '$d' config.yaml"),
    "rep": (
        "echo emailtosalesforce@a1b2c3.le.salesforce.com |"
        " relay user add ana --address ana@example.com --email-to-salesforce - --token-name Laptop",
    ),
    "send": (f"{_SWAKS} \\\n    {_OFFER.format(subject='Our offer')}",),
    "trace": ("relay trace offer",),
    "api": (
        "relay reload",
        "relay user add cleo --address cleo@example.com --mode api --token-name Laptop | head -4",
        "relay user sync-salesforce --as cleo --apply",
    ),
    "record": (
        f"{_CLEO} \\\n"
        "    --from cleo@example.com --to kim@buyer.example --header 'Subject: Next steps' | grep 250.*Queued",
        "relay records list --all",
    ),
    "explain": (
        "printf 'From: cleo@example.com\\nTo: kim@buyer.example, lee@buyer.example\\nSubject: Prices\\n\\nHere they are.\\n' |\n"
        "    relay explain - --as cleo",
    ),
    "page": ("relay user set ana --web-role admin > /dev/null; relay user invite ana",),
    "reminders": (
        "relay reminders sync --as cleo --on > /dev/null",
        "relay reminders add --as cleo --title 'Call Kim' --due 2026-12-01 --priority high",
        "relay reminders list --as cleo",
    ),
    "wrong password": (
        "swaks --server 127.0.0.1:2587 --tls --auth PLAIN --auth-user ana --auth-password guess --quit-after AUTH | grep 535",
        "relay log --event auth.failed",
    ),
    "hop gone": (
        "kill %1  # the next hop goes away",
        f"{_SWAKS} \\\n    {_OFFER.format(subject='Later')}",
        "relay queue list",
    ),
}  # fmt: skip


def normal(text: str) -> str:
    """Take out of a text what differs each time."""
    text = re.sub(r"(Message-ID +)<[^>]+>", r"\1<ID>", text)
    text = re.sub(r"\b[0-9A-HJKMNP-TV-Z]{13}\b", "QUEUEID", text)
    text = re.sub(r"\b(?:[a-z0-9]{6}-){4}[a-z0-9]{6}\b", "APPPASSWORD", text)
    text = re.sub(r"(choose-password/)\S+", r"\1LINK", text)
    return re.sub(r" {2,}", "  ", re.sub(r"\d+", "#", text))


class Tour:
    """One play of the tour in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
        self._organisation = ""
        self._passwords: list[str] = []
        """App passwords, in the order in which they were made: ana's, cleo's."""
        self._environment = dict(os.environ) | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "110",
            "NO_COLOR": "1",
        }

    def _real(self, text: str) -> str:
        for shown, real in self._ports.items():
            text = text.replace(str(shown), str(real))
        return text

    def _shown(self, text: str) -> str:
        for shown, real in self._ports.items():
            text = text.replace(str(real), str(shown))
        return text

    def set_up(self, page: str) -> None:
        """Write the settings that the page shows, and make the certificate as it says."""
        first, organisation = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
        command = re.search(r"^ +(openssl req.*?key\.pem)$", page, re.DOTALL | re.MULTILINE)
        assert command is not None
        (self._folder / "config.yaml").write_text(self._real(first))
        self._organisation = self._real(organisation)
        self._run(command[1])

    def _run(self, command: str) -> str:
        done = subprocess.run(
            self._real(command),
            shell=True,
            executable="/bin/bash",
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=_LIMIT,
            check=False,
        )
        return self._shown(done.stdout).rstrip("\n")

    @contextmanager
    def serving(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run the next hop, the simulated Salesforce and the relay; gives the next hop's process."""
        hop = self._start("-m", "aiosmtpd", "-n", "-l", self._real("127.0.0.1:2526"))
        port = self._real("8443")
        salesforce = self._start("-m", "relay.demo.salesforce", "salesforce", "--port", port, "--people")
        service = self._start("-m", "relay", "serve")
        try:
            self._wait_until_ready()
            yield hop
        finally:
            for process in (service, salesforce, hop):
                process.terminate()
                process.wait(_LIMIT)

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _wait_until_ready(self) -> None:
        ends = time.monotonic() + _LIMIT
        while '"ready":true' not in self._run("curl -s 127.0.0.1:9600/readyz"):
            assert time.monotonic() < ends, "the relay does not become ready"
        while "Kim" not in self._run("curl -sk https://127.0.0.1:8443/__control__/dump/Contact"):
            assert time.monotonic() < ends, "the simulated Salesforce does not answer"

    def play(self, name: str, hop: subprocess.Popen[bytes]) -> str:
        """Run the commands of one step; gives them with what they print, as a terminal shows it."""
        parts = []
        if name == "api":
            with (self._folder / "config.yaml").open("a") as settings:
                settings.write(self._organisation)
        for command in STEPS[name]:
            if command.startswith("kill %1"):
                hop.terminate()
                hop.wait(_LIMIT)
                output = ""
            else:
                output = self._settled(self._filled(command))
            if "--token-name" in command and (found := re.search(r"(?:[a-z0-9]{6}-){4}[a-z0-9]{6}", output)):
                self._passwords.append(found[0])
            shown = self._filled(command)
            if not command.startswith("sed "):  # tidies up behind a step; nothing to show
                parts.append(f"$ {shown}\n{output}".rstrip("\n") + "\n")
        return "```console\n" + "\n".join(parts) + "```\n"

    def _filled(self, command: str) -> str:
        for login, password in zip(("ana", "cleo"), self._passwords, strict=False):
            command = command.replace(f"{{{login}}}", password)
        return command

    def _settled(self, command: str) -> str:
        """Run a command; one that looks at a message is run until its first attempt has ended."""
        ends = time.monotonic() + _LIMIT
        while True:
            output = self._run(command)
            pending = ("trace" in command and "closed     not yet" in output) or (
                "queue list" in command and "deferred" not in output
            )
            pending |= "records list" in command and "sent" not in output
            pending |= "reminders list" in command and "linked" not in output
            if not pending or time.monotonic() > ends:
                return output


def played() -> dict[str, str]:
    """Play the whole tour and the demonstration; gives what each block of the page shows."""
    folder = Path(tempfile.mkdtemp(prefix="relay-tour-"))
    try:
        tour = Tour(folder)
        tour.set_up(PAGE.read_text("utf-8"))
        with tour.serving() as hop:
            blocks = {name: tour.play(name, hop) for name in STEPS}
    finally:
        shutil.rmtree(folder)
    done = subprocess.run(
        [sys.executable, "-m", "relay", "demo"],
        capture_output=True,
        encoding="utf-8",
        timeout=5 * _LIMIT,
        check=True,
        env=dict(os.environ) | {"NO_COLOR": "1"},
    )
    blocks["demo"] = f"```text\n{done.stdout}```\n"
    return blocks


def blocks_of(page: str) -> dict[str, str]:
    """Give what each block of a page shows now."""
    return {found["name"]: found[0][len(found[1]) : -len(found[3])] for found in _BLOCK.finditer(page)}


def page_with(page: str, blocks: dict[str, str]) -> str:
    """Give the page with its blocks made anew."""
    return _BLOCK.sub(lambda found: found[1] + blocks[found["name"]] + found[3], page)


if __name__ == "__main__":
    PAGE.write_text(page_with(PAGE.read_text("utf-8"), played()), "utf-8")
