"""The simulated Salesforce for tests: one that watches what is refused, people in it, and the settings that lead to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from relay.clock import Clock, SystemClock
from relay.demo.salesforce.messages import Call
from relay.demo.salesforce.simulator import Simulator

REP_USERNAME = "ana@example.com.crm"
_SHOWN = 2000


class WatchedSimulator(Simulator):
    """A simulated Salesforce whose test fails when the relay asks for what Salesforce refuses."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._forgotten: list[Call] = []
        self._expected: list[str] = []

    def expect_refused(self, *codes: str) -> None:
        """Say which refusals belong to the test: each must come, and none beside them."""
        self._expected += codes

    def clear_calls(self) -> None:
        """Forget the calls so far, but not that some were refused."""
        self._forgotten += self.refused
        super().clear_calls()

    def reset(self) -> None:
        """Begin again, but do not forget that calls were refused."""
        self._forgotten += self.refused
        super().reset()

    def check(self) -> None:
        """Raise AssertionError for each fault of the simulator, and for refusals other than those expected."""
        assert not self.crashes, self.crashes
        refusals = self._forgotten + self.refused
        others = [_told(one) for one in refusals if not _codes(one) <= set(self._expected)]
        assert not others, "\n".join(["the relay asked for what Salesforce refuses:", *others])
        missing = set(self._expected) - {code for one in refusals for code in _codes(one)}
        assert not missing, f"refusals that the test expects did not come: {', '.join(sorted(missing))}"


def _codes(call: Call) -> set[str]:
    return set(call.codes) or {str(call.status)}


def _told(call: Call) -> str:
    told = (
        f"  {call.method} {call.path} ({call.operation} {call.object}): {call.status} {', '.join(call.codes)}"
    )
    return f"{told}\n    asked: {str(call.query or call.body)[:_SHOWN]}"


@contextmanager
def watched(clock: Clock | None = None) -> Iterator[WatchedSimulator]:
    """Run a simulated Salesforce, and check at the end that nothing was refused but what the test expects."""
    simulator = WatchedSimulator(clock or SystemClock())
    simulator.start()
    try:
        yield simulator
        simulator.check()
    finally:
        simulator.stop()


@pytest.fixture
def salesforce() -> Iterator[WatchedSimulator]:
    """A running simulated Salesforce with nobody in it but the integration user; refusals fail the test."""
    with watched() as simulator:
        yield simulator


def people(
    salesforce: Simulator, number: int, *, kind: str = "Contact", domain: str = "buyer.example"
) -> list[str]:
    """Seed contacts (or leads) person1@buyer.example and so on; give their ids."""
    more = {"Company": "Buyer Ltd"} if kind == "Lead" else {}
    return [
        salesforce.add(
            kind, FirstName="Person", LastName=f"Number {one}", Email=f"person{one}@{domain}", **more
        )
        for one in range(1, number + 1)
    ]


def rep(salesforce: Simulator, username: str = REP_USERNAME, email: str = "ana@example.com") -> str:
    """Seed the Salesforce user of a rep; give its id."""
    first = email.partition("@")[0].capitalize()
    return salesforce.add(
        "User", Username=username, FirstName=first, LastName="Rep", Email=email, Alias="rep"
    )


def settings(
    salesforce: Simulator, folder: Path, *, kind: str = "client_credentials", username: str | None = None
) -> str:
    """Give the `salesforce:` part of a settings file that signs in at the simulator; its secrets go to `folder`."""
    secret = folder / "salesforce.secret"
    lines = [
        f"  instance: {salesforce.url}",
        f"  tls_ca: {salesforce.ca_file}",
        "  auth:",
        f"    kind: {'refresh_token' if kind.startswith('connect') else kind}",
    ]
    lines.append(f"    client_id: {salesforce.client_id}")
    match kind:
        case "client_credentials":
            secret.write_text(salesforce.client_secret)
            lines.append(f"    client_secret: {{file: {secret}}}")
        case "jwt":
            secret.write_text(salesforce.private_key_pem)
            lines.append(f"    private_key: {{file: {secret}}}")
        case "refresh_token":
            secret.write_text(salesforce.refresh_token(salesforce.integration_user))
            lines.append(f"    refresh_token: {{file: {secret}}}")
        case "connect" | "connect_each":
            secret.write_text(salesforce.client_secret)
            lines.append(f"    client_secret: {{file: {secret}}}")
            lines.append(f"    each_rep: {str(kind == 'connect_each').lower()}")
        case _:
            raise ValueError(kind)
    if username is not None:
        lines.append(f"    username: {username}")
    secret.chmod(0o600)
    return "salesforce:\n" + "\n".join(lines) + "\n"
