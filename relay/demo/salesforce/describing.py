"""What describe says of an object, in Salesforce's words.

Pure.
"""

from relay.demo.salesforce.fields import TEXTS, Field, Kind, Schema, SObject

_Json = dict[str, object]
_SOAP = {
    Kind.BOOLEAN: "xsd:boolean",
    Kind.INT: "xsd:int",
    Kind.DOUBLE: "xsd:double",
    Kind.CURRENCY: "xsd:double",
    Kind.DATE: "xsd:date",
    Kind.DATETIME: "xsd:dateTime",
    Kind.BASE64: "xsd:base64Binary",
    Kind.ID: "tns:ID",
    Kind.REFERENCE: "tns:ID",
}


def described(shape: SObject, version: str) -> _Json:
    """Give the describe of an object."""
    return {
        **summary(shape, version),
        "fields": [_field(field) for field in shape.fields],
        "childRelationships": [],
        "recordTypeInfos": [],
    }


def summary(shape: SObject, version: str) -> _Json:
    """Give what the global describe says of an object."""
    address = f"/services/data/v{version}/sobjects/{shape.name}"
    return {
        "name": shape.name,
        "label": shape.name,
        "labelPlural": f"{shape.name}s",
        "keyPrefix": shape.prefix,
        "custom": False,
        "createable": shape.createable,
        "updateable": shape.updateable,
        "deletable": shape.deletable,
        "undeletable": shape.deletable,
        "queryable": shape.queryable,
        "retrieveable": True,
        "replicateable": shape.replicateable,
        "searchable": shape.queryable,
        "urls": {
            "sobject": address,
            "describe": f"{address}/describe",
            "rowTemplate": f"{address}/{{ID}}",
        },
    }


def all_described(schema: Schema, version: str) -> _Json:
    """Give the global describe."""
    return {
        "encoding": "UTF-8",
        "maxBatchSize": 200,
        "sobjects": [summary(shape, version) for shape in schema.objects.values()],
    }


def _field(field: Field) -> _Json:
    length = field.length if field.kind in TEXTS or field.kind in (Kind.ID, Kind.REFERENCE) else 0
    return {
        "name": field.name,
        "label": field.name,
        "type": "reference" if field.kind is Kind.IDS else field.kind.value,
        "soapType": "urn:JunctionIdListNames"
        if field.kind is Kind.IDS
        else _SOAP.get(field.kind, "xsd:string"),
        "length": length,
        "byteLength": length * 3,
        "createable": field.createable,
        "updateable": field.updateable,
        "nillable": field.nillable,
        "defaultedOnCreate": field.defaulted,
        "defaultValue": field.default,
        "filterable": field.filterable,
        "sortable": field.filterable,
        "groupable": field.filterable and field.kind not in (Kind.DATETIME, Kind.DOUBLE),
        "externalId": field.external_id,
        "idLookup": field.id_lookup,
        "unique": field.unique,
        "custom": field.custom,
        "restrictedPicklist": field.restricted,
        "picklistValues": [
            {"value": value, "label": value, "active": True, "defaultValue": value == field.default}
            for value in field.picklist
        ],
        "referenceTo": list(field.references),
        "relationshipName": field.relationship,
        "polymorphicForeignKey": len(field.references) > 1,
    }
