"""Find each rep's Email to Salesforce address in Salesforce, and compare who may send to it with the rep's addresses.

Nothing is written. Object Reference, EmailServicesAddress; that admins can read it was seen in public code, so typing
the address in by hand stays the equal second way.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from relay.address import comparable_any_case
from relay.directory.model import BccAddress, Rep, mask_address
from relay.salesforce.client import LOOK_UP, SalesforceClient, SalesforceError
from relay.salesforce.exchange import MAXIMUM_COLLECTION
from relay.salesforce.model import Fault, FaultKind, Row
from relay.salesforce.soql import listed

_LOCAL_PART = "emailtosalesforce"
_SHAPE = re.compile(rf"{_LOCAL_PART}@[a-z0-9.-]{{1,250}}\.salesforce\.(com|mil|example)", re.IGNORECASE)
"""`.example` is what a simulated organisation gives."""
_SEPARATORS = re.compile(r"[\s,;]+")
_NO_ACCESS = (FaultKind.PERMISSION, FaultKind.GONE, FaultKind.FIELD)


@dataclass(frozen=True, slots=True)
class Found:
    """What Salesforce says about one rep."""

    rep: Rep
    user_id: str | None = None
    user_problem: str = ""
    """Why the rep's user in Salesforce is not known."""
    address: BccAddress | None = field(default=None, repr=False)
    senders: tuple[str, ...] = ()
    """My Acceptable Email Addresses: addresses and domains; empty with an address: everyone may send."""
    problem: str = ""
    """Why there is no address."""

    @property
    def address_differs(self) -> bool:
        """Tell whether the relay has another address, or none."""
        ours = self.rep.email_to_salesforce
        return self.address is not None and (
            ours is None or ours.reveal().lower() != self.address.reveal().lower()
        )

    @property
    def user_differs(self) -> bool:
        """Tell whether the relay has another user id, or none."""
        return self.user_id is not None and self.user_id[:15] != (self.rep.salesforce_user_id or "")[:15]

    @property
    def everyone(self) -> bool:
        """Tell whether whoever knows the address may send to it."""
        return self.address is not None and not self.senders

    @property
    def not_accepted(self) -> tuple[str, ...]:
        """Give the rep's addresses whose mail Salesforce will not take."""
        if self.address is None or self.everyone:
            return ()
        taken = {sender.lower() for sender in self.senders}
        return tuple(
            str(address)
            for address in self.rep.addresses
            if comparable_any_case(address).lower() not in taken
            and str(address).rpartition("@")[2].lower() not in taken
        )

    @property
    def only_there(self) -> tuple[str, ...]:
        """Give what Salesforce takes and the relay does not have."""
        ours = {str(address).lower() for address in self.rep.addresses}
        return tuple(sender for sender in self.senders if sender.lower() not in ours)


async def look(client: SalesforceClient, reps: Sequence[Rep]) -> list[Found]:
    """Find out about these reps. Raises SalesforceError when Salesforce cannot be asked at all."""
    users = await _users(client, reps)
    ids = sorted({user for user, _ in users.values() if user is not None})
    rows, fault = await _addresses(client, ids)
    by_user = {str(row.get("RunAsUserId"))[:15]: row for row in rows}
    return [_found(rep, *users[rep.login], by_user, fault) for rep in reps]


def _found(rep: Rep, user: str | None, problem: str, rows: Mapping[str, Row], fault: Fault | None) -> Found:
    if user is None:
        return Found(rep, user_problem=problem, problem=problem)
    if fault is not None:
        return Found(rep, user, problem=f"Salesforce does not show the address ({fault.code})")
    row = rows.get(user[:15])
    if row is None:
        return Found(rep, user, problem="Salesforce knows no active Email to Salesforce address of this user")
    text = f"{row.get('LocalPart')}@{row.get('EmailDomainName')}"
    if not _SHAPE.fullmatch(text):
        return Found(rep, user, problem=f"what Salesforce gives is no such address: {mask_address(text)}")
    senders = row.get("AuthorizedSenders")
    listed_senders = _SEPARATORS.split(senders.strip()) if isinstance(senders, str) else []
    return Found(rep, user, address=BccAddress(text), senders=tuple(one for one in listed_senders if one))


async def _addresses(client: SalesforceClient, users: Sequence[str]) -> tuple[list[Row], Fault | None]:
    rows: list[Row] = []
    for start in range(0, len(users), MAXIMUM_COLLECTION):
        ids = listed(users[start : start + MAXIMUM_COLLECTION])
        soql = (
            "SELECT LocalPart, EmailDomainName, AuthorizedSenders, RunAsUserId FROM EmailServicesAddress "  # noqa: S608 - listed() escapes
            f"WHERE LocalPart = '{_LOCAL_PART}' AND IsActive = true AND RunAsUserId IN {ids}"
        )
        try:
            rows.extend(await client.query(soql))
        except SalesforceError as error:
            if error.fault.kind not in _NO_ACCESS:
                raise
            return [], error.fault
    return rows, None


async def _users(client: SalesforceClient, reps: Sequence[Rep]) -> dict[str, tuple[str | None, str]]:
    """Find each rep's user: by the id that the relay has, by the username, by an address that only one user has."""
    found: dict[str, tuple[str | None, str]] = {}
    for rep in reps:
        if rep.salesforce_user_id:
            found[rep.login] = (rep.salesforce_user_id, "")
        elif rep.salesforce_username:
            found[rep.login] = await _user(client, "Username", (rep.salesforce_username,))
        else:
            found[rep.login] = await _user(client, "Email", [str(address) for address in rep.addresses])
    return found


async def _user(client: SalesforceClient, field: str, values: Sequence[str]) -> tuple[str | None, str]:
    soql = f"SELECT Id FROM User WHERE IsActive = true AND {field} IN {listed(values)} LIMIT 2"  # noqa: S608 - listed() escapes
    rows = await client.query(soql, identity=LOOK_UP)
    match [str(row.get("Id")) for row in rows]:
        case [user]:
            return user, ""
        case []:
            return None, f"no active user in Salesforce has this {field}"
        case _:
            return None, f"several active users in Salesforce have this {field}: set salesforce_user_id"


MANUAL_STEPS = """\
To find the address by hand, as the rep:
  1. In Salesforce open your picture > Settings > Email > My Email to Salesforce.
  2. Under "My Acceptable Email Addresses" list every address that you send from; Save.
  3. Copy "Your Email to Salesforce address" and give it to the relay:
     relay user set LOGIN --email-to-salesforce -
If "My Email to Salesforce" is not there, as an admin:
  Setup > Email > Email to Salesforce > Edit > tick Active > Save."""
"""What people do when the address cannot be read (documented for the user and the admin)."""
