"""Make records in Salesforce with few calls, and what hangs on them: their sender, leads beside contacts, files.

Few records and their relations go in one composite request; many in collections, and their relations in one more. What
Salesforce refuses for an optional field or a length is mended once. A partial failure is that record's alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from relay.salesforce.composed import Attachment, Follow, FollowUp, Intended
from relay.salesforce.exchange import MAXIMUM_COLLECTION, MAXIMUM_COMPOSITE, NewRecord, SubAnswer, SubRequest
from relay.salesforce.lengths import cut
from relay.salesforce.model import Fault, FaultKind, Json, Made, Row, Written
from relay.salesforce.org_shape import KEY_FIELD
from relay.salesforce.soql import listed

MAXIMUM_OCTETS = 20_000_000
"""Characters of text in one call: Salesforce takes 50 MB (REST guide, request limits), and a character is up to two."""
_TEXTS = ("TextBody", "HtmlBody", "Description", "Subject", "ToAddress", "CcAddress", "BccAddress")
_LINKS = 100
"""Records of which one query asks what hangs on them."""


class Client(Protocol):
    """What is needed of relay.salesforce.client.SalesforceClient."""

    async def create(self, identity: str, records: Sequence[NewRecord]) -> list[Written]:
        """Make records; one call for up to 200."""
        ...

    async def composite(self, identity: str, requests: Sequence[SubRequest]) -> list[SubAnswer]:
        """Make up to 25 requests in one call."""
        ...

    async def upload(self, identity: str, fields: Mapping[str, Json], name: str, data: bytes) -> Written:
        """Store a file."""
        ...

    async def query(self, soql: str, *, identity: str = "") -> list[Row]:
        """Give all rows. Raises SalesforceError."""
        ...

    def forget(self, object: str | None = None) -> None:
        """Describe this object anew the next time."""
        ...


@dataclass(slots=True)
class Making:
    """One record under way."""

    intended: Intended
    fields: Mapping[str, Json]
    attachments: Sequence[Attachment] = ()
    written: Written | None = None
    missing: list[FollowUp] = field(default_factory=list)
    """What hangs on it and is not there yet."""
    again: Fault | None = None
    """Why what is missing should be tried again; None: it need not."""
    remarks: list[str] = field(default_factory=list)
    """What could not be done about it, in plain words."""

    @property
    def relations(self) -> list[FollowUp]:
        """Give the small records that hang on it."""
        return [one for one in self.missing if one.kind is not Follow.FILE]

    @property
    def files(self) -> list[FollowUp]:
        """Give its files."""
        return [one for one in self.missing if one.kind is Follow.FILE]


def making(intended: Intended, attachments: Sequence[Attachment]) -> Making:
    """Begin with a record."""
    return Making(intended, intended.fields, attachments, missing=list(intended.follow_ups))


async def make(client: Client, identity: str, makings: Sequence[Making]) -> None:
    """Make the records and their relations; what became of each is in `written`. Raises nothing."""
    await _make(client, identity, makings)
    mended = [one for one in makings if _mended(client, one)]
    if mended:
        await _make(client, identity, mended)
    for one in makings:
        _know_our_own(one)


async def hang(client: Client, identity: str, makings: Sequence[Making]) -> None:
    """Add the relations that are missing on records that are there."""
    there = [(one, follow, one.written) for one in makings for follow in one.relations]
    records = [
        (one, follow, NewRecord(follow.object, {**follow.fields, follow.parent_field: made.id}))
        for one, follow, made in there
        if isinstance(made, Made)
    ]
    for start in range(0, len(records), MAXIMUM_COLLECTION):
        portion = records[start : start + MAXIMUM_COLLECTION]
        results = await client.create(identity, [record for _, _, record in portion])
        for (one, hanging, _), result in zip(portion, results, strict=True):
            _hung(one, hanging, result if isinstance(result, Fault) else None)


async def upload(client: Client, identity: str, one: Making) -> None:
    """Store the files that are missing, one after the other; one that fails is a remark."""
    made = one.written
    if not isinstance(made, Made):
        return
    for follow in one.files:
        file = one.attachments[follow.attachment or 0]
        fields = {**follow.fields, follow.parent_field: made.id}
        name = str(follow.fields.get("PathOnClient") or file.name)
        result: Written = await client.upload(identity, fields, name, file.data or b"")
        _hung(one, follow, result if isinstance(result, Fault) else None)


async def see_what_hangs(client: Client, identity: str, makings: Sequence[Making]) -> None:
    """Leave in `missing` only what is not there yet, for records made before. Raises SalesforceError."""
    ids = {made.id[:15]: one for one in makings if isinstance(made := one.written, Made)}
    for start in range(0, len(ids), _LINKS):
        portion = [str(ids[key].written.id) for key in list(ids)[start : start + _LINKS]]  # type: ignore[union-attr]
        if any(ids[one[:15]].relations for one in portion):
            soql = "SELECT EmailMessageId, RelationId, RelationType FROM EmailMessageRelation WHERE EmailMessageId IN "
            for row in await client.query(soql + listed(portion), identity=identity):
                _relation_is_there(ids.get(str(row.get("EmailMessageId"))[:15]), row)
        if any(ids[one[:15]].files for one in portion):
            soql = "SELECT LinkedEntityId, ContentDocument.Title FROM ContentDocumentLink WHERE LinkedEntityId IN "
            for row in await client.query(soql + listed(portion), identity=identity):
                _file_is_there(ids.get(str(row.get("LinkedEntityId"))[:15]), row)


def _relation_is_there(one: Making | None, row: Row) -> None:
    for follow in one.relations if one is not None else ():
        same = str(follow.fields.get("RelationId"))[:15] == str(row.get("RelationId"))[:15]
        if one is not None and same and follow.fields.get("RelationType") == row.get("RelationType"):
            one.missing.remove(follow)
            return


def _file_is_there(one: Making | None, row: Row) -> None:
    document = row.get("ContentDocument")
    title = document.get("Title") if isinstance(document, Mapping) else None
    for follow in one.files if one is not None else ():
        if one is not None and follow.fields.get("Title") == title:
            one.missing.remove(follow)
            return


# Making


async def _make(client: Client, identity: str, makings: Sequence[Making]) -> None:
    for portion in _portions(makings):
        count = sum(1 + len(one.relations) for one in portion)
        if count == 1:
            _take(portion, await client.create(identity, [_record(portion[0])]))
        elif count <= MAXIMUM_COMPOSITE:
            await _together(client, identity, portion)
        else:
            _take(portion, await client.create(identity, [_record(one) for one in portion]))
            await hang(client, identity, [one for one in portion if isinstance(one.written, Made)])


def _portions(makings: Sequence[Making]) -> Iterator[Sequence[Making]]:
    """Share records out over calls, by number and by size; those of one object stand together."""
    portion: list[Making] = []
    octets = 0
    for one in sorted(makings, key=lambda one: one.intended.object):
        size = sum(len(value) for value in one.fields.values() if isinstance(value, str))
        if portion and (len(portion) >= MAXIMUM_COLLECTION or octets + size > MAXIMUM_OCTETS):
            yield portion
            portion, octets = [], 0
        portion.append(one)
        octets += size
    if portion:
        yield portion


def _record(one: Making) -> NewRecord:
    return NewRecord(one.intended.object, one.fields)


def _take(makings: Sequence[Making], results: Sequence[Written]) -> None:
    for one, result in zip(makings, results, strict=True):
        one.written = result


async def _together(client: Client, identity: str, makings: Sequence[Making]) -> None:
    """Make records and their relations in one composite request."""
    requests: list[SubRequest] = []
    parts: list[tuple[Making, FollowUp | None]] = []
    for number, one in enumerate(makings):
        mail = f"r{number}"
        requests.append(SubRequest("POST", f"sobjects/{one.intended.object}", mail, one.fields))
        parts.append((one, None))
        for place, follow in enumerate(one.relations):
            body = {**follow.fields, follow.parent_field: f"@{{{mail}.id}}"}
            requests.append(SubRequest("POST", f"sobjects/{follow.object}", f"{mail}f{place}", body))
            parts.append((one, follow))
    answers = await client.composite(identity, requests)
    for (one, part), answer in zip(parts, answers, strict=True):
        if part is None:
            one.written = answer.fault or _made(one, answer)
        elif isinstance(one.written, Made):
            _hung(one, part, answer.fault)


def _made(one: Making, answer: SubAnswer) -> Written:
    if answer.id is not None:
        return Made(answer.id, one.intended.object)
    from relay.salesforce.faults_table import NOT_JSON, local_fault

    return local_fault(NOT_JSON, "the answer names no record", maybe_done=True)


def _hung(one: Making, follow: FollowUp, fault: Fault | None) -> None:
    """Take what became of something that hangs on a record."""
    if fault is not None and fault.kind in _AGAIN:
        one.again = fault
        return
    one.missing.remove(follow)
    if fault is None or fault.kind is FaultKind.DUPLICATE:
        return
    what = f"the file {follow.fields.get('PathOnClient')}" if follow.kind is Follow.FILE else _RELATION
    one.remarks.append(f"{what} could not be added: {fault.code} {fault.message}".rstrip())


_AGAIN = frozenset(
    {FaultKind.AGAIN, FaultKind.LIMIT, FaultKind.SIGN_IN, FaultKind.STOPPED, FaultKind.NEIGHBOUR}
)
_RELATION = "a relation (sender or lead)"


# Mending


def _mended(client: Client, one: Making) -> bool:
    """Leave out or cut what Salesforce refused; tell whether it may be tried again."""
    fault = one.written
    if not isinstance(fault, Fault):
        return False
    if fault.kind is FaultKind.FIELD:
        client.forget(one.intended.object)
        return _without(one, fault)
    if fault.kind is FaultKind.TOO_LONG:
        return _shorter(one, fault)
    return False


def _without(one: Making, fault: Fault) -> bool:
    """Leave out the optional fields that are hidden or unknown."""
    named = set(fault.fields) & set(one.fields)
    if not named or not named <= one.intended.optional:
        return False
    one.fields = {name: value for name, value in one.fields.items() if name not in named}
    one.remarks.append(f"without {', '.join(sorted(named))}: {fault.code}")
    return True


def _shorter(one: Making, fault: Fault) -> bool:
    """Cut to 90 % what was too long; HTML is left out, since cut HTML is broken HTML."""
    named = [name for name in (fault.fields or _TEXTS) if isinstance(one.fields.get(name), str)]
    if not named:
        return False
    shorter = dict(one.fields)
    for name in named:
        text = str(shorter[name])
        shorter[name] = "" if name == "HtmlBody" else cut(text, len(text) * 9 // 10)
    if shorter.get("HtmlBody") == "":
        del shorter["HtmlBody"]
    one.fields = shorter
    one.remarks.append(f"cut: {', '.join(named)} was too long")
    return True


def _know_our_own(one: Making) -> None:
    """A record with our own key that is there already is ours."""
    fault = one.written
    if not isinstance(fault, Fault) or fault.kind is not FaultKind.DUPLICATE or not fault.record_ids:
        return
    if KEY_FIELD in one.fields:
        one.written = Made(fault.record_ids[0], one.intended.object, found=True)
