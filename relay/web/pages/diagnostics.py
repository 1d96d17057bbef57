"""*Diagnostics*: every mail that Salesforce did not take, or not yet, by category, with what it means and what happens next."""

from collections import Counter
from collections.abc import Sequence

from starlette.responses import Response

from relay.web.access import Access, Entry, PageRoute, get
from relay.web.asking import Ask
from relay.web.pages.attention import troubles_of


def routes() -> Sequence[PageRoute]:
    """Give the route; what can be done stands with *Needs attention*."""
    return (get("/diagnostics", diagnostics, Access.SIGNED_IN, entry=Entry("settings", "nav.diagnostics")),)


async def diagnostics(ask: Ask) -> Response:
    """Show every trouble as a row: admins and auditors see everybody's."""
    everybody = ask.role in ("admin", "auditor")
    found = await troubles_of(ask, everybody=everybody)
    wanted = ask.query("category")
    return ask.render(
        "diagnostics.html",
        200,
        found=[one for one in found if not wanted or one.category == wanted],
        categories=Counter(one.category for one in found),
        wanted=wanted,
        everybody=everybody,
    )
