"""What keeps recording from going on is said once, wherever somebody looks, and ends as soon as it is mended."""

import asyncio
import shutil
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from relay.demo.salesforce.faults import Action, Injected, over_limit
from relay.demo.salesforce.simulator import Simulator
from relay.queue.model import State
from tests.support.admin_socket import answering
from tests.support.command import relay
from tests.support.recording_house import RecordingHouse, recording_house
from tests.support.salesforce import people
from tests.support.salesforce import salesforce as salesforce

REASON = "Salesforce: SERVER_UNAVAILABLE: The server is unavailable; tried again at 2"


def pauses(house: RecordingHouse) -> list[tuple[str, str]]:
    """Give who pauses, and by which code."""
    status = house.recording.status()
    assert status is not None
    return [(one["identity"], one["code"]) for one in status["paused"]]  # type: ignore[attr-defined]


async def test_everybody_pauses_once(tmp_path: Path, salesforce: Simulator) -> None:
    """A pause of everybody is told once, not once for each rep who signs in; that of one rep is that rep's."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, kind="jwt", reps=30) as house:
        await house.recorded(await house.accept())
        salesforce.inject(over_limit())
        await house.wait_for(await house.accept(), State.DEFERRED)
        assert pauses(house) == [("*", "REQUEST_LIMIT_EXCEEDED")]


@pytest.mark.parametrize("kind", ["client_credentials", "jwt"])
async def test_a_secret_is_mended(tmp_path: Path, salesforce: Simulator, kind: str) -> None:
    """A reload with the right content of the same file ends the pause, and what was put off is tried at once."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, kind=kind, start=False) as house:
        secret = tmp_path / "salesforce.secret"
        right = secret.read_text()
        secret.write_text("wrong" if kind == "client_credentials" else new_key())
        house.reload()
        house.start()
        message = await house.accept()
        await house.wait_for(message, State.DEFERRED)
        house.reload()
        assert pauses(house)
        secret.write_text(right)
        house.reload()
        await house.recorded(message)
        assert pauses(house) == []
        assert len(salesforce.rows("EmailMessage")) == 1


def settings_with(house: RecordingHouse, before: str, after: str) -> None:
    """Have the settings file say something else in one place."""
    path = house.configuration.path
    text = path.read_text()
    assert text.count(before) == 1
    path.write_text(text.replace(before, after))


async def test_the_authority_is_mended(tmp_path: Path, salesforce: Simulator) -> None:
    """New content of the same `tls_ca` file is enough: what was put off is tried at the reload."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, start=False) as house:
        authority = tmp_path / "authority.pem"
        authority.write_bytes(trustme.CA().cert_pem.bytes())
        settings_with(house, f"tls_ca: {salesforce.ca_file}", "tls_ca: authority.pem")
        house.reload()
        house.start()
        message = await house.accept()
        assert "TLS_FAILED" in (await house.tried(message)).reason
        shutil.copyfile(salesforce.ca_file, authority)
        house.reload()
        await house.recorded(message)
        assert pauses(house) == []


async def test_the_user_name_of_a_rep_is_mended(tmp_path: Path, salesforce: Simulator) -> None:
    """Who could not sign in as whom the settings named is tried at once as whom they name now."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, kind="jwt", start=False) as house:
        settings_with(house, "salesforce_username: ana@example.com.crm", "salesforce_username: anna@typo.crm")
        house.reload()
        house.start()
        message = await house.accept()
        assert "INVALID_GRANT" in (await house.wait_for(message, State.DEFERRED)).reason
        settings_with(house, "salesforce_username: anna@typo.crm", "salesforce_username: ana@example.com.crm")
        house.reload()
        await house.recorded(message)
        assert pauses(house) == []


def new_key() -> str:
    """Give a private key that nobody knows."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kept = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, *kept).decode()


async def test_what_waits_for_a_salesforce_that_is_gone_says_so(
    tmp_path: Path, salesforce: Simulator
) -> None:
    """A mail whose first attempt falls into an absence has the service's reason wherever it is shown, stored nowhere."""
    people(salesforce, 1)
    async with recording_house(tmp_path, salesforce, space=None) as house:
        salesforce.inject(Injected(Action.ANSWER, status=503, times=None))
        for _ in range(4):
            await house.wait_for(await house.accept(), State.DEFERRED)
        message = await house.accept()
        await house.wait_for(message, State.ACTIVE)

        async def told(*command: str) -> str:
            ran = await asyncio.to_thread(relay, *command, "-c", str(house.configuration.path))
            return ran.out + ran.err

        commands = [(*one, message) for one in (("records", "list"), ("records", "show"), ("trace",))]
        commands += [("queue", "list", message), ("queue", "show", message)]
        for one in commands:
            assert REASON not in await told(*one)
        with answering(tmp_path, {"salesforce": house.recording.status()}):
            for one in commands:
                assert REASON in " ".join((await told(*one)).split())
            assert f"recording pauses for everybody: {REASON}" in await told("queue", "why")
            assert f"recording pauses for everybody: {REASON}" in await told("log")
        assert (await house.delivery(message)).reason == ""
