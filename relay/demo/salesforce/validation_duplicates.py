"""Values that must be unique, and the standard duplicate rules of contacts and leads.

Source: Salesforce reference §3.5.
"""

from relay.demo.salesforce.records import Records, Row
from relay.demo.salesforce.refusals import Refusal, refused
from relay.demo.salesforce.wanted import Wanted

_RULED = ("Contact", "Lead")


def check_unique(records: Records, wanted: Wanted) -> None:
    """Refuse a value that another record has where it must be unique. Raises Refusal DUPLICATE_VALUE."""
    for field in wanted.shape.fields:
        value = wanted.given.get(field.name) if field.unique else None
        if value is None:
            continue
        for row in records.having(wanted.shape.name, field.name, value):
            if row["Id"] != (wanted.before or {}).get("Id"):
                told = f"duplicate value found: {field.name} duplicates value on record with id: {row['Id']}"
                raise refused(400, "DUPLICATE_VALUE", told, field.name)


def check_duplicates(records: Records, wanted: Wanted) -> None:
    """Refuse a new person whose address another has, unless the caller said to save all the same."""
    name = wanted.shape.name
    if name not in _RULED or not records.toggles.duplicate_rules or _may_save(wanted):
        return
    email = wanted.given.get("Email")
    if not email or (wanted.before is not None and "Email" not in wanted.given):
        return
    same = [
        row for row in records.having(name, "Email", email) if row["Id"] != (wanted.before or {}).get("Id")
    ]
    if same:
        raise Refusal(
            400,
            "DUPLICATES_DETECTED",
            "Use one of these records?",
            provoked=True,
            extra={"duplicateResult": _result(name, same)},
        )


def _may_save(wanted: Wanted) -> bool:
    header = wanted.headers.get("sforce-duplicate-rule-header", "")
    return "allowsave=true" in header.lower().replace(" ", "")


def _result(name: str, same: list[Row]) -> Row:
    return {
        "allowSave": True,
        "duplicateRule": f"Standard_{name}_Duplicate_Rule",
        "duplicateRuleEntityType": name,
        "errorMessage": None,
        "matchResults": [
            {
                "entityType": name,
                "matchEngine": "FuzzyMatchEngine",
                "rule": f"Standard_{name}_Match_Rule_v1_0",
                "size": len(same),
                "success": True,
                "errors": [],
                "matchRecords": [
                    {
                        "matchConfidence": 100.0,
                        "additionalInformation": [],
                        "fieldDiffs": [],
                        "record": {
                            "attributes": {
                                "type": name,
                                "url": f"/services/data/v67.0/sobjects/{name}/{row['Id']}",
                            },
                            "Id": row["Id"],
                        },
                    }
                    for row in same
                ],
            }
        ],
    }
