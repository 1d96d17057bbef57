"""`python -m relay.demo.salesforce`: a simulated organisation for anyone to try."""

import signal
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

import yaml

from relay.demo.service import free_ports

_LIMIT = 60.0


def test_it_runs_by_itself_and_says_how_to_reach_it(tmp_path: Path) -> None:
    """At the port and with the people asked for; the settings that it prints lead to its certificate and its secret."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "relay.demo.salesforce", "organisation", "--port", str(port), "--people"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdout is not None
        try:
            told = "".join(iter(process.stdout.readline, "\n")) + "".join(iter(process.stdout.readline, "\n"))
            settings = yaml.safe_load(told.partition("\n")[2])["salesforce"]
            assert settings["instance"] == f"https://127.0.0.1:{port}"
            secret = tmp_path / settings["auth"]["client_secret"]["file"]
            assert secret.read_text()
            assert secret.stat().st_mode & 0o077 == 0
            context = ssl.create_default_context(cafile=tmp_path / settings["tls_ca"])
            contacts = f"{settings['instance']}/__control__/dump/Contact"
            with urllib.request.urlopen(contacts, context=context, timeout=_LIMIT) as answer:
                assert b"kim@buyer.example" in answer.read()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(_LIMIT)
    assert process.returncode == 0
