"""Look people and their open opportunities up by address: few calls, shared by all reps, remembered for a while.

One composite request asks for contacts, leads, users and opportunities of a whole batch of addresses at once; Salesforce
counts it as one call (REST guide, Composite). An address that somebody is asking for already is not asked for again.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from relay.clock import Clock
from relay.config.recording import MatchSettings
from relay.salesforce.keeping import Kept
from relay.salesforce.lookup_rows import Asking, Rows, room_of
from relay.salesforce.matching import Explicit
from relay.salesforce.model import Opportunity, Person, PersonKind, Row
from relay.salesforce.people_queries import (
    GROUPED,
    Query,
    activity_counts,
    converted_to,
    counts_of,
    exists,
    opportunities_by_contact,
    opportunity_of,
    people_by_id,
    people_queries,
    person_of,
)
from relay.salesforce.person_choice import needs_activity_counts
from relay.salesforce.recipients import address_key, written_forms
from relay.salesforce.soql import MAXIMUM_EMAIL, portions

FOUND_FOR = 600.0
"""Seconds for which it is remembered who has an address."""
NOBODY_FOR = 120.0
"""Seconds for which it is remembered that nobody has it."""
MAXIMUM_KEPT = 20_000
_KINDS = {"Contact": PersonKind.CONTACT, "Lead": PersonKind.LEAD, "User": PersonKind.USER}
_OBJECTS = {"003": "Contact", "00Q": "Lead"}
_RELATED = {"001": "Account", "006": "Opportunity", "500": "Case", "701": "Campaign"}

_People = tuple[Person, ...]


class Lookup:
    """Finds people and opportunities. For one event loop."""

    def __init__(self, client: Asking, clock: Clock, rules: MatchSettings) -> None:
        self._rows = Rows(client)
        self._rules = rules
        self._people: Kept[_People] = Kept(clock.monotonic, MAXIMUM_KEPT)
        self._roles: Kept[tuple[Opportunity, ...]] = Kept(clock.monotonic, MAXIMUM_KEPT)
        self._asked: dict[str, asyncio.Task[dict[str, _People]]] = {}

    def use(self, rules: MatchSettings) -> None:
        """Go by other settings from now on; what was found by the former ones is forgotten."""
        if rules != self._rules:
            self._rules = rules
            self._people.clear()
            self._roles.clear()

    async def people(
        self, addresses: Collection[str], *, background: bool = False
    ) -> Mapping[str, Sequence[Person]]:
        """Give contacts, leads and active users by `address_key` of each address. Raises SalesforceError."""
        found: dict[str, _People] = {}
        waiting: set[asyncio.Task[dict[str, _People]]] = set()
        missing: list[str] = []
        for key in dict.fromkeys(map(address_key, addresses)):
            kept = self._people.get(key)
            if len(key) > MAXIMUM_EMAIL:
                found[key] = ()
            elif kept is not None:
                found[key] = kept
            elif key in self._asked:
                waiting.add(self._asked[key])
            else:
                missing.append(key)
        waiting.update(self._ask(missing, background=background))
        for task in waiting:
            found.update(await asyncio.shield(task))
        return {key: found.get(key, ()) for key in map(address_key, addresses)}

    async def opportunities(
        self, contact_ids: Collection[str], *, background: bool = False
    ) -> Mapping[str, Sequence[Opportunity]]:
        """Give the open opportunities on which each of these contacts has a role. Raises SalesforceError.

        After `people` they are known already.
        """
        if self._rules.opportunities == "off":
            return {}
        kept = {one: self._roles.get(one) for one in dict.fromkeys(contact_ids)}
        missing = [one for one, known in kept.items() if known is None]
        if missing:
            query = opportunities_by_contact(self._rows.hidden)
            answers = await self._rows.of((query,), missing, background=background)
            self._keep_roles(missing, answers["OpportunityContactRole"])
        return {one: self._roles.get(one) or () for one in kept}

    async def by_ids(self, ids: Collection[str], *, background: bool = False) -> Explicit:
        """Find records by id: people, and what activities may be about. Raises SalesforceError.

        A lead that was converted is the contact that it became. Of several that are no people the first is given; one
        of an object that is not known here is given as it is.
        """
        people: list[Person] = []
        present: set[str] = set()
        for object, wanted in _by_object(ids, _OBJECTS | _RELATED).items():
            rows = await self._by_id(object, wanted, background=background)
            present.update(_short(one) for one in map(_id_of, rows))
            if object in _KINDS:
                people += await self._named_people(object, rows, background=background)
        unknown = {one for one in ids if one[:3] not in _OBJECTS | _RELATED}
        there = [one for one in ids if one in unknown or _short(one) in present]
        related = [one for one in there if one[:3] not in _OBJECTS]
        return Explicit(
            people=tuple({one.id: one for one in people}.values()),
            related_to=related[0] if related else None,
            missing=tuple(one for one in ids if one not in there),
        )

    def forget(self, addresses: Collection[str]) -> None:
        """Look these addresses up anew when they are next asked for."""
        for key in map(address_key, addresses):
            for one in self._people.get(key) or ():
                self._roles.forget(one.id)
            self._people.forget(key)

    async def close(self) -> None:
        """End the look-ups that are under way."""
        tasks = set(self._asked.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # Asking by address

    def _ask(self, keys: Sequence[str], *, background: bool) -> Iterable[asyncio.Task[dict[str, _People]]]:
        """Begin to ask, in as few requests as the addresses fit into; the tasks are kept until they end."""
        for portion in portions(keys, room_of(self._queries()), written_forms):
            task = asyncio.get_running_loop().create_task(self._answers(portion, background=background))
            self._asked.update(dict.fromkeys(portion, task))
            task.add_done_callback(self._answered)
            yield task

    def _answered(self, task: asyncio.Task[dict[str, _People]]) -> None:
        for key in [key for key, one in self._asked.items() if one is task]:
            del self._asked[key]
        if not task.cancelled():
            task.exception()  # whoever waits gets it; with nobody waiting it is no news

    def _queries(self) -> tuple[Query, ...]:
        return people_queries(self._rules, self._rows.hidden)

    async def _answers(self, keys: Sequence[str], *, background: bool) -> dict[str, _People]:
        """Ask for these addresses, and keep what is found."""
        written = [form for key in keys for form in written_forms(key)]
        rows = await self._rows.of(self._queries(), written, background=background)
        found: dict[str, list[Person]] = {key: [] for key in keys}
        for object, kind in _KINDS.items():
            for row in rows.get(object, ()):
                person = None if converted_to(row) is not None else person_of(row, kind)
                if person is not None:
                    found.setdefault(address_key(person.email), []).append(person)
        if "OpportunityContactRole" in rows:
            contacts = [one.id for group in found.values() for one in group if one.kind is PersonKind.CONTACT]
            self._keep_roles(contacts, rows["OpportunityContactRole"])
        await self._follow_converted(rows.get("Lead", ()), found, background=background)
        await self._count(found, background=background)
        answered = {key: tuple(people) for key, people in found.items()}
        for key, people in answered.items():
            self._people.put(key, people, FOUND_FOR if people else NOBODY_FOR)
        return answered

    async def _follow_converted(
        self, leads: Sequence[Row], found: dict[str, list[Person]], *, background: bool
    ) -> None:
        """Put the contact that a lead became where the lead's address still finds nobody else."""
        became = {
            address_key(str(row.get("Email"))): contact for row in leads if (contact := converted_to(row))
        }
        open_ended = {key: contact for key, contact in became.items() if not _outsiders(found.get(key, ()))}
        if not open_ended or "contact" not in self._rules.objects:
            return
        rows = await self._by_id("Contact", sorted(set(open_ended.values())), background=background)
        contacts = {one.id: one for row in rows if (one := person_of(row, PersonKind.CONTACT))}
        for key, contact in open_ended.items():
            if contact in contacts:
                found.setdefault(key, []).append(contacts[contact])

    async def _count(self, found: dict[str, list[Person]], *, background: bool) -> None:
        """Ask for the numbers of activities where the choice hangs on them."""
        several = [people for people in found.values() if needs_activity_counts(people, self._rules)]
        ids = [one.id for people in several for one in people if one.kind is not PersonKind.USER]
        if not ids:
            return
        rows = await self._rows.of((activity_counts(),), ids, after=GROUPED, background=background)
        counts = counts_of(rows["Task"])
        for people in several:
            people[:] = [replace(one, activities=counts.get(one.id, 0)) for one in people]

    def _keep_roles(self, contacts: Iterable[str], rows: Sequence[Row]) -> None:
        roles: defaultdict[str, list[Opportunity]] = defaultdict(list)
        for row in rows:
            one = opportunity_of(row)
            if one is not None:
                roles[one.contact_id].append(one)
        for contact in contacts:
            self._roles.put(contact, tuple(roles[contact]), FOUND_FOR)

    # Asking by id

    async def _by_id(self, object: str, ids: Sequence[str], *, background: bool) -> Sequence[Row]:
        known = object in _KINDS
        query = people_by_id(object, self._rules, self._rows.hidden) if known else exists(object)
        return (await self._rows.of((query,), ids, background=background))[object]

    async def _named_people(self, object: str, rows: Sequence[Row], *, background: bool) -> list[Person]:
        became = sorted({contact for row in rows if (contact := converted_to(row))})
        if became:
            rows = [row for row in rows if converted_to(row) is None]
            more = await self._by_id("Contact", became, background=background)
            contacts = [person_of(row, PersonKind.CONTACT) for row in more]
        else:
            contacts = []
        people = [person_of(row, _KINDS[object]) for row in rows]
        return [one for one in (*people, *contacts) if one is not None]


def _outsiders(people: Iterable[Person]) -> list[Person]:
    return [one for one in people if one.kind is not PersonKind.USER]


def _by_object(ids: Iterable[str], objects: Mapping[str, str]) -> dict[str, list[str]]:
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for one in ids:
        if one[:3] in objects:
            groups[objects[one[:3]]].append(one)
    return groups


def _id_of(row: Row) -> str:
    value = row.get("Id")
    return value if isinstance(value, str) else ""


def _short(id: str) -> str:
    """Give the 15 characters by which ids are compared."""
    return id[:15]
