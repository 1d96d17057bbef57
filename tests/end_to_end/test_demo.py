"""`relay demo` works from nothing, tells the truth and leaves nothing behind."""

import json
import os
import re
import signal
import ssl
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.demo.samples import REPS

_LIMIT = 250.0
_DEMO = [sys.executable, "-m", "relay", "demo"]


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short path: pytest's own are too long for a Unix socket in a folder of a folder."""
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        yield Path(folder)


def _environment(folder: Path) -> dict[str, str]:
    return dict(os.environ) | {"TMPDIR": str(folder), "NO_COLOR": "1"}


def test_the_demonstration_succeeds_and_cleans_up(short: Path) -> None:
    """Exit code 0, all mails, no secret address in full, no escape sequences, nothing left in the folder."""
    done = subprocess.run(
        _DEMO, capture_output=True, encoding="utf-8", timeout=_LIMIT, env=_environment(short), check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Everything arrived as said: 8 mails" in done.stdout
    assert "in Salesforce: completed Task on opportunity Press line 4" in done.stdout
    assert "in Salesforce: EmailMessage on contact Kim Lund, opportunity Press line 4" in done.stdout
    assert "NOT" not in done.stdout
    assert "\x1b" not in done.stdout
    for rep in REPS:
        assert rep.email_to_salesforce not in done.stdout + done.stderr
    assert list(short.iterdir()) == []


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_it_can_be_left_running(short: Path, stop: signal.Signals) -> None:
    """--keep says how to go on, what it says works, and Ctrl-C or `kill` ends it cleanly."""
    with subprocess.Popen(
        [*_DEMO, "--keep", "--port-base", "0"],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env=_environment(short),
    ) as process:
        assert process.stdout is not None
        lines = []
        try:
            for line in process.stdout:
                lines.append(line)
                if "metrics" in line:
                    break
            config = re.search(r"settings +(\S+)", "".join(lines))
            assert config is not None, "".join(lines)
            asked = subprocess.run(
                [sys.executable, "-m", "relay", "-c", config[1], "queue", "list", "--json"],
                capture_output=True,
                timeout=_LIMIT,
                check=False,
            )
            assert asked.returncode == 0, asked.stderr
            page = re.search(r"page +(http://\S+), user name (\S+), password (\S+)", "".join(lines))
            assert page is not None, "".join(lines)
            with urllib.request.urlopen(page[1], timeout=_LIMIT) as answer:
                assert b"password" in answer.read()
            curl = re.search(r"curl --cacert (\S+) (https://\S+)", "".join(lines))
            assert curl is not None, "".join(lines)
            context = ssl.create_default_context(cafile=curl[1])
            with urllib.request.urlopen(curl[2], context=context, timeout=_LIMIT) as answer:
                assert any(task["IsClosed"] for task in json.load(answer)["Task"])
        finally:
            process.send_signal(stop)
            process.stdout.read()
            process.wait(_LIMIT)
    assert process.returncode == 0
    assert list(short.iterdir()) == []


@pytest.mark.parametrize("option", [["--port-base", "-1"], ["--nonsense"]])
def test_wrong_usage_is_told(option: list[str]) -> None:
    """Wrong options end with 2."""
    done = subprocess.run([*_DEMO, *option], capture_output=True, timeout=_LIMIT, check=False)
    assert done.returncode == 2
