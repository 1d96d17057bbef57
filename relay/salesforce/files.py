"""Which parts of a mail are its text, which are attached files, and which are neither.

Pure.
"""

from relay.salesforce.composed import Attachment
from relay.salesforce.mime import Part, Structure, decoded, decoded_size
from relay.salesforce.mime_fields import MAXIMUM_NAME

MAXIMUM_ATTACHMENTS = 100
_TEXTS = frozenset({"text/plain", "text/html"})
_SIGNATURES = frozenset(
    {"application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"}
)
_ENDINGS = {
    "text/plain": "txt",
    "text/html": "html",
    "text/calendar": "ics",
    "message/rfc822": "eml",
    "application/pdf": "pdf",
    "image/jpeg": "jpg",
    "image/png": "png",
}


def is_body(part: Part) -> bool:
    """Say whether a part is text that is read as the mail's own."""
    return part.type in _TEXTS and part.disposition != "attachment" and not part.name


def is_attachment(part: Part) -> bool:
    """Say whether a part is a file that somebody attached; pictures that HTML shows and signatures are none."""
    if is_body(part) or part.type in _SIGNATURES or part.type.startswith("multipart/"):
        return False
    if part.disposition == "attachment":
        return True
    related = "multipart/related" in part.within
    if part.type.startswith("image/") and (part.content_id or (related and part.disposition == "inline")):
        return False
    return bool(part.name) or part.type not in _TEXTS


def attachments_of(octets: bytes, found: Structure, room: int, problems: list[str]) -> tuple[Attachment, ...]:
    """Give the attached files; their data while there is room, for the first of them first.

    `problems` is told of those that were left out.
    """
    attachments: list[Attachment] = []
    files = room > 0
    for part in found.parts:
        if not is_attachment(part):
            continue
        if len(attachments) == MAXIMUM_ATTACHMENTS:
            problems.append(f"it has more than {MAXIMUM_ATTACHMENTS} attachments: the rest is left out")
            break
        name = part.name or _made_name(part, len(attachments) + 1)
        size = decoded_size(octets, part)
        data = decoded(octets, part, part.end - part.start) if files and size <= room else None
        if data is not None:
            room -= size
        elif files:
            problems.append(f"{name} is left out: the files are larger together than may be recorded")
        attachments.append(Attachment(name, part.type, size, data))
    return tuple(attachments)


def _made_name(part: Part, number: int) -> str:
    ending = _ENDINGS.get(part.type, "bin")
    return f"attachment-{number}.{ending}"[:MAXIMUM_NAME]


def size_words(octets: int) -> str:
    """Give a size for people: "82 kB"."""
    if octets < 1000:
        return f"{octets} B"
    if octets < 999_500:
        return f"{round(octets / 1000)} kB"
    return f"{octets / 1_000_000:.1f} MB"
