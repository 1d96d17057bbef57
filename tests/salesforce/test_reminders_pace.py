"""How often the service asks Salesforce: no rep's trouble makes it ask for the others more often than is set."""

from pathlib import Path

from relay.config.loader import Configuration
from relay.demo.salesforce.simulator import Simulator
from relay.directory.model import Directory
from relay.reminding import Reminding
from relay.salesforce.client import SalesforceClient
from tests.support.reminders import BO, configured, desk, directory_of
from tests.support.salesforce import salesforce
from tests.support.settings import loaded

__all__ = ["salesforce"]

TWO_WAY = "reminders: {sync: two_way}\n"


async def test_a_rep_without_a_user_makes_nobody_poll_more_often(
    salesforce: Simulator, tmp_path: Path
) -> None:
    """Polls come every 5 minutes although somebody's first run can never begin, and something of theirs waits."""
    _, users = configured(salesforce, tmp_path, TWO_WAY)
    text = (tmp_path / "config.yaml").read_text().replace(f"    salesforce_user_id: {users[BO]}\n", "")
    configuration = loaded(tmp_path, text)
    (tmp_path / "state").mkdir()
    async with desk(salesforce, tmp_path / "other") as at:
        client = at.client
        assert isinstance(client, SalesforceClient)

        async def going_by() -> tuple[Configuration, Directory]:
            return configuration, directory_of(configuration)

        reminding = Reminding(at.database, at.clock, going_by, lambda: client)
        await reminding.step()
        await at.add("Waits", BO)
        calls = len(salesforce.calls)
        for _ in range(20):
            pause = await reminding.step()
            assert pause >= 50
            at.clock.advance(1)
        assert len(salesforce.calls) == calls
