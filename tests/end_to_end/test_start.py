"""`relay serve` that cannot start says why in one line."""

import socket
from pathlib import Path

import pytest
import yaml

from relay.demo.capture import Capture
from relay.demo.service import ServiceFailed
from tests.support.running import prepare


def test_a_port_in_use_is_told_in_one_line(tmp_path: Path) -> None:
    """The line names the port; there is no traceback, and nothing else was opened for good."""
    with Capture() as hop:
        relay = prepare(tmp_path, hop)
        with socket.create_server(("127.0.0.1", relay.submissions)) as taken:
            done = relay.service.run("serve")
            assert taken.getsockname()[1] == relay.submissions
    assert done.returncode in {69, 75, 78}
    assert f"127.0.0.1:{relay.submissions}" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_a_key_that_is_not_there_is_told_with_its_setting(tmp_path: Path) -> None:
    """Exit code 78 and one line that says where to look."""
    with Capture() as hop:
        relay = prepare(tmp_path, hop)
        settings = yaml.safe_load(relay.service.config.read_text("utf-8"))
        settings["tls"]["private_key"] = {"file": "nowhere.pem"}
        relay.service.config.write_text(yaml.safe_dump(settings, allow_unicode=True), "utf-8")
        done = relay.service.run("serve")
    assert done.returncode == 78
    assert "\nrelay: tls.private_key: cannot read " in "\n" + done.stderr


def test_two_services_never_share_a_folder(tmp_path: Path) -> None:
    """A second `relay serve` over the same state_dir ends with 75 and leaves the first alone."""
    with Capture() as hop:
        relay = prepare(tmp_path, hop)
        relay.service.start()
        try:
            done = relay.service.run("serve")
            assert done.returncode == 75, done.stderr
            assert "Traceback" not in done.stderr
            assert relay.service.running
        finally:
            relay.service.stop()


def test_a_service_that_cannot_start_is_told_to_its_starter(tmp_path: Path) -> None:
    """What starts services for the demonstration and tests gives the end of the log."""
    with Capture() as hop:
        relay = prepare(tmp_path, hop, {"upstream": {"default": "nowhere"}})
        with pytest.raises(ServiceFailed, match="nowhere"):
            relay.service.start()
