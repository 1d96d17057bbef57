"""The schema of the simulated organisation: all objects, as its toggles leave them.

Pure.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from relay.demo.salesforce.fields import Schema, SObject
from relay.demo.salesforce.objects_activity import activities
from relay.demo.salesforce.objects_email import email_objects
from relay.demo.salesforce.objects_files import FILES
from relay.demo.salesforce.objects_people import people
from relay.demo.salesforce.toggles import Toggles

_EVERYTHING = Toggles(
    enhanced_email=True,
    shared_activities=True,
    person_accounts=True,
    relay_key_field=True,
    email_to_case=True,
)


def schema_of(toggles: Toggles) -> Schema:
    """Give the schema, built once for each state of the toggles that matter to it."""
    return _built(
        toggles.enhanced_email,
        toggles.email_to_case,
        toggles.shared_activities,
        toggles.person_accounts,
        toggles.relay_key_field,
        tuple(toggles.task_type_values),
        toggles.task_type_restricted,
        tuple(toggles.status_values),
        tuple(toggles.priority_values),
        frozenset(toggles.hidden_fields),
        frozenset(toggles.read_only_fields),
        frozenset(toggles.required_fields),
    )


@lru_cache(maxsize=64)
def _built(
    enhanced_email: bool,
    email_to_case: bool,
    shared_activities: bool,
    person_accounts: bool,
    relay_key_field: bool,
    task_type_values: tuple[str, ...],
    task_type_restricted: bool,
    status_values: tuple[tuple[str, bool], ...],
    priority_values: tuple[tuple[str, bool], ...],
    hidden: frozenset[str],
    read_only: frozenset[str],
    required: frozenset[str],
) -> Schema:
    toggles = Toggles(
        enhanced_email=enhanced_email,
        email_to_case=email_to_case,
        shared_activities=shared_activities,
        person_accounts=person_accounts,
        relay_key_field=relay_key_field,
        task_type_values=task_type_values,
        task_type_restricted=task_type_restricted,
        status_values=status_values,
        priority_values=priority_values,
    )
    objects = [_shaped(one, _lower(hidden), _lower(read_only), _lower(required)) for one in _objects(toggles)]
    return _with_gaps({one.name.lower(): one for one in objects})


def _objects(toggles: Toggles) -> Iterable[SObject]:
    return (*activities(toggles), *email_objects(toggles), *people(toggles), *FILES)


def _lower(names: frozenset[str]) -> frozenset[str]:
    return frozenset(name.lower() for name in names)


def _shaped(
    one: SObject, hidden: frozenset[str], read_only: frozenset[str], required: frozenset[str]
) -> SObject:
    fields = []
    for field in one.fields:
        name = f"{one.name}.{field.name}".lower()
        if name in hidden:
            continue
        if name in read_only:
            field = replace(field, createable=False, updateable=False)
        if name in required:
            field = replace(field, nillable=False, defaulted=False)
        fields.append(field)
    return one.with_fields(fields) if hidden or read_only or required else one


def _with_gaps(objects: dict[str, SObject]) -> Schema:
    """Note what toggles took away, so that who asks for it is not blamed."""
    missing: set[str] = set()
    hidden: set[tuple[str, str]] = set()
    for full in _objects(_EVERYTHING):
        here = objects.get(full.name.lower())
        if here is None:
            missing.add(full.name.lower())
            continue
        hidden.update(
            (full.name.lower(), field.name.lower()) for field in full.fields if not here.find(field.name)
        )
    return Schema(objects, frozenset(missing), frozenset(hidden))
