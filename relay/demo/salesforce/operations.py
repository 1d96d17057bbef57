"""What a request to the REST API is called: the operation and the object, told from method and path.

Pure.
"""

from collections.abc import Sequence

_SINGLE = {"POST": "create", "GET": "get", "PATCH": "update", "DELETE": "delete"}
_COLLECTION = {"POST": "create", "GET": "get", "PATCH": "update", "DELETE": "delete"}
_NAMED = {"describe", "updated", "deleted"}


def operation_of(method: str, resource: Sequence[str]) -> tuple[str, str]:
    """Give operation and object of a resource below /services/data/v67.0; what is not known is called by its name."""
    match list(resource):
        case []:
            return "resources", ""
        case ["sobjects"]:
            return "describe_global", ""
        case ["sobjects", name]:
            return ("create" if method == "POST" else "metadata"), name
        case ["sobjects", name, last] if last in _NAMED:
            return last, name
        case ["sobjects", name, _]:
            return _SINGLE.get(method, "other"), name
        case ["sobjects", name, _, "VersionData" | "Body"]:
            return "file", name
        case ["sobjects", name, _, _]:
            return {"PATCH": "upsert", "GET": "get_by", "DELETE": "delete_by"}.get(method, "other"), name
        case ["query" | "queryAll", _]:
            return "query_more", ""
        case ["composite", "sobjects"]:
            return f"collection_{_COLLECTION.get(method, 'other')}", ""
        case ["composite", "sobjects", name]:
            return f"collection_{'get' if method in ('GET', 'POST') else 'other'}", name
        case ["composite", "sobjects", name, _]:
            return "collection_upsert", name
        case ["composite", name, *_]:
            return name, ""
        case [name, *_]:
            return name, ""
        case _:
            return "other", ""
