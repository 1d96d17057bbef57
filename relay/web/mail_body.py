"""The body of a stored mail as its owner may look at it: read within limits, its HTML made harmless twice.

nh3 takes out all that could run or be fetched, and the frame it is shown in is sandboxed under a policy of its own
(Mailpit does both, too). Nothing is shown of what is encrypted.
"""

import asyncio

from relay.ids import QueueId
from relay.queue.content import read_some
from relay.queue.model import StoredContent
from relay.salesforce.composed import MailParts
from relay.salesforce.reading import Wants, read_mail
from relay.storage.spool import SPOOL_NAME, Spool
from relay.web.asking import House

LARGEST = 16 * 1024 * 1024
"""Octets of a mail that are read for showing it."""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
"""The Content-Security-Policy of a shown body: no script, no fetch, no form, whatever the mail brings."""
_WANTS = Wants(attachments=True)
_TAGS = frozenset(
    [
        "a",
        "abbr",
        "b",
        "blockquote",
        "br",
        "caption",
        "cite",
        "code",
        "col",
        "colgroup",
        "dd",
        "del",
        "div",
        "dl",
        "dt",
        "em",
        "figcaption",
        "figure",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "img",
        "ins",
        "kbd",
        "li",
        "mark",
        "ol",
        "p",
        "pre",
        "q",
        "s",
        "samp",
        "small",
        "span",
        "strong",
        "sub",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "u",
        "ul",
    ]
)
_ATTRIBUTES = {
    "*": {"style", "align", "valign", "width", "height", "bgcolor", "dir", "lang", "title"},
    "a": {"href"},
    "img": {"src", "alt"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
}


async def parts_of(house: House, message: QueueId) -> MailParts | None:
    """Read the parts of a mail; None when its content is kept no more. Raises StorageError."""
    stored = await house.database.read(lambda tx: house.queue.content(tx, message))
    if stored is None:
        return None
    folder = house.configuration.state_dir / SPOOL_NAME
    return await asyncio.to_thread(_read, stored, Spool(folder))


def _read(stored: StoredContent, spool: Spool) -> MailParts:
    return read_mail(read_some(stored, spool, LARGEST), _WANTS)


def harmless(html: str) -> str:
    """Give HTML that shows the same and does nothing: no script, no form, no frame, nothing fetched from elsewhere."""
    import nh3

    return nh3.clean(
        html,
        tags=set(_TAGS),
        clean_content_tags={"script", "style", "title", "noscript", "template", "svg", "math", "object"},
        attributes={name: set(values) for name, values in _ATTRIBUTES.items()},
        url_schemes={"http", "https", "mailto", "tel", "data"},
        link_rel="noopener noreferrer nofollow",
    )
