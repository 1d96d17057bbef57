"""`relay reminders` with and without a running service, at the simulated Salesforce."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from relay.demo.salesforce.faults import Action, Injected
from relay.demo.salesforce.simulator import Simulator
from relay.storage.sqlite import DATABASE_NAME, SqliteDatabase
from tests.support.command import Ran, relay
from tests.support.eventually import eventually
from tests.support.reminders import configured
from tests.support.running import running_relay
from tests.support.salesforce import rep, salesforce, settings

__all__ = ["salesforce"]

TWO_WAY = "reminders: {sync: two_way}\n"


@pytest.fixture
def config(salesforce: Simulator, tmp_path: Path) -> Path:
    """Settings with reminders in step, and an empty store."""
    configured(salesforce, tmp_path, TWO_WAY)
    (tmp_path / "state").mkdir(mode=0o700)
    asyncio.run(_make(tmp_path / "state"))
    return tmp_path / "config.yaml"


async def _make(folder: Path) -> None:
    await (await SqliteDatabase.open(folder / DATABASE_NAME, create=True)).close()


def _ok(*arguments: str | Path) -> Ran:
    ran = relay("reminders", *arguments)
    assert ran.code == 0, ran.err
    return ran


def test_commands_without_a_service(salesforce: Simulator, config: Path) -> None:
    """add, edit, done, reopen, delete and sync do without a service what they do with one."""
    made = _ok(
        "add", "-c", config, "--as", "ana", "--title", "Call Anna", "--due", "2026-11-30", "--json"
    ).json
    assert (made["sync"], made["due"], made["priority"]) == ("pending", "2026-11-30", "normal")
    which = str(made["id"])
    told = _ok("sync", "-c", config, "--as", "ana").json
    counts = {name: told[name] for name in ("pulled", "pushed", "deleted", "conflicts", "errors")}
    assert counts == {"pulled": 0, "pushed": 1, "deleted": 0, "conflicts": 0, "errors": 0}
    (task,) = salesforce.rows("Task")
    assert (task["Subject"], task["ActivityDate"]) == ("Call Anna", "2026-11-30")
    (item,) = _ok("list", "-c", config, "--as", "ana", "--json").items
    assert (item["sync"], item["salesforce_id"]) == ("linked", task["Id"])
    _ok("edit", which, "-c", config, "--priority", "high", "--due", "none", "--details", "soon")
    _ok("done", which, "-c", config)
    assert not _ok("list", "-c", config, "--as", "ana", "--json").items
    assert _ok("sync", "-c", config, "--as", "ana").json["pushed"] == 1
    (task,) = salesforce.rows("Task")
    assert (task["Priority"], task["ActivityDate"], task["Status"]) == ("High", None, "Completed")
    _ok("reopen", which, "-c", config)
    _ok("delete", which, "-c", config)
    assert _ok("sync", "-c", config, "--as", "ana").json["deleted"] == 1
    assert not salesforce.rows("Task")


def test_what_stood_here_before_stays_here(salesforce: Simulator, config: Path) -> None:
    """Reminders from before the switch are never pushed, unless sent one by one."""
    text = config.read_text()
    config.write_text(text.replace(TWO_WAY, ""))
    before = _ok("add", "-c", config, "--as", "ana", "--title", "Old", "--json").json
    assert before["sync"] == "off"
    assert relay("reminders", "sync", "-c", config, "--as", "ana").code == 1
    config.write_text(text)
    assert _ok("sync", "-c", config, "--as", "ana").json["pushed"] == 0
    assert _ok("list", "-c", config, "--as", "ana", "--json").items[0]["sync"] == "never_push"
    _ok("send", str(before["id"]), "-c", config)
    assert _ok("sync", "-c", config, "--as", "ana").json["pushed"] == 1
    assert len(salesforce.rows("Task")) == 1


def test_wrong_use_is_told(config: Path) -> None:
    """What cannot be is refused with its exit code."""
    assert relay("reminders", "add", "-c", config, "--as", "ana", "--title", "  ").code == 2
    assert relay("reminders", "add", "-c", config, "--as", "ana", "--title", "x", "--due", "soon").code == 2
    assert relay("reminders", "add", "-c", config, "--as", "ana", "--title", "x", "--person", "1").code == 2
    assert relay("reminders", "add", "-c", config, "--as", "nobody", "--title", "x").code == 1
    assert relay("reminders", "done", "7", "-c", config).code == 1


def test_salesforce_away_is_told_and_nothing_lost(salesforce: Simulator, config: Path) -> None:
    """With Salesforce down `sync` exits with 75, and the reminder goes out later."""
    _ok("add", "-c", config, "--as", "ana", "--title", "Call Anna")
    salesforce.inject(Injected(Action.RESET_BEFORE, times=None))
    assert relay("reminders", "sync", "-c", config, "--as", "ana").code == 75
    assert _ok("list", "-c", config, "--as", "ana", "--json").items[0]["sync"] == "pending"


def test_many_deletions_ask_first(salesforce: Simulator, config: Path) -> None:
    """`sync` says that deletions wait, with exit code 75, until somebody keeps or confirms them."""
    config.write_text(config.read_text().replace("sync: two_way", "sync: two_way, deletions: 2"))
    user = next(str(row["Id"]) for row in salesforce.rows("User") if str(row["Username"]).startswith("ana@"))
    tasks = [salesforce.add("Task", Subject=f"Task {number}", OwnerId=user) for number in range(4)]
    assert _ok("sync", "-c", config, "--as", "ana").json["pulled"] == 4
    for task in tasks[:3]:
        salesforce.remove("Task", task)
    asked = relay("reminders", "sync", "-c", config, "--as", "ana")
    assert (asked.code, asked.json["deleted"]) == (75, 0)
    assert "confirm" in asked.json["trouble"]
    assert len(_ok("list", "-c", config, "--as", "ana", "--json").items) == 4
    _ok("sync", "-c", config, "--as", "ana", "--keep-deleted")
    items = _ok("list", "-c", config, "--as", "ana", "--json").items
    assert sorted(item["sync"] for item in items) == ["linked", "never_push", "never_push", "never_push"]


def _serving(salesforce: Simulator, folder: Path) -> dict[str, Any]:
    user = rep(salesforce)
    changes: dict[str, Any] = yaml.safe_load(settings(salesforce, folder) + TWO_WAY)
    changes["users"] = [
        {"login": "ana", "addresses": ["ana@example.com"], "salesforce_user_id": user}
        | {"email_to_salesforce": "emailtosalesforce@a1b2.le.salesforce.com"}
    ]
    return changes


def test_a_running_service_sends_at_once(salesforce: Simulator, tmp_path: Path) -> None:
    """A command's change goes out at once; sync is carried out by the service, which also takes what is new there."""
    with running_relay(tmp_path, _serving(salesforce, tmp_path)) as running:

        def command(*arguments: str) -> dict[str, Any]:
            ran = running.service.run("reminders", *arguments)
            assert ran.returncode == 0, ran.stderr
            found: dict[str, Any] = json.loads(ran.stdout)
            return found

        made = command("add", "--as", "ana", "--title", "Call Anna", "--json")
        eventually(lambda: len(salesforce.rows("Task")) == 1)
        user = str(salesforce.rows("Task")[0]["OwnerId"])
        salesforce.add("Task", Subject="From there", OwnerId=user)
        assert command("sync", "--as", "ana")["pulled"] == 1
        titles = {item["title"] for item in command("list", "--as", "ana", "--json")["items"]}
        assert titles == {"Call Anna", "From there"}
        command("done", str(made["id"]), "--json")
        eventually(lambda: any(task["Status"] == "Completed" for task in salesforce.rows("Task")))
