"""Put the page together: its parts, its routes, and what stands before them.

Loaded at the first request (relay.page): jinja2 and starlette's forms are not needed to move mail.

How to add a page
-----------------
1. `relay/web/pages/NAME.py`: handlers `async def show(ask: Ask) -> Response`, and
   `def routes() -> Sequence[PageRoute]` made with `get(path, handler, access, entry=Entry("main", "nav.NAME"))` and
   `post(path, handler, access)`; put the module into PAGES below, in the order of the menu.
   - `access` says who may ask (relay.web.access.Access). It is checked before the handler runs, and
     tests/web/test_access.py walks every route with every role. Whose thing it is, the handler looks at itself: what
     belongs to somebody else is `raise ask.refuse()` (404).
   - `ask.rep`, `ask.words("key")`, `ask.moment(instant)`, `ask.field("name")` of the form, `ask.query("name")`,
     `ask.house` with the database, the stores, and `ask.house.actions` (what the service can do).
   - Read: `await ask.house.database.read(lambda tx: …)`; one transaction for what belongs together. Change:
     `await ask.house.database.write(…)` with `ask.audit(tx, "verb", about)` in the same transaction; after a change
     of reps or settings `await ask.house.actions.take_changes()`.
   - Show: `ask.render("NAME.html", value=…)`. After a form: `ask.redirect("/path", said="saved")` (303), which shows
     the text `said.saved`; a form that is wrong is rendered again with status 422.
2. `relay/web/templates/NAME.html` extends `layout.html`: blocks `title`, `heading` (the one h1), `content`. Every
   value is escaped. `{{ t("key", name=value) }}` gives texts, `{{ moment(instant) }}` times. Each form has
   `{{ token() }}` from `parts.html` (`{% from "parts.html" import token with context %}`), a label for each field, and
   works without JavaScript; hx-* attributes only make it smoother. No inline script or style: the policy forbids both.
3. Texts in `relay/locales/{en,sv,es}/NAME.toml`, the same keys and placeholders in all three (tests/web/test_texts.py).
   Salesforce's own labels as Salesforce shows them in that language (`salesforce.toml`).
4. `tests/web/test_NAME.py` with `tests.support.page`: `async with open_page(tmp_path) as page:` then
   `await page.signed_in("ana").get("/path")`; a real browser is the fixture `browser` (marker `peer("chromium")`).
"""

from collections.abc import Sequence
from importlib import import_module
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from relay.clock import Clock
from relay.directory.credentials import Credentials
from relay.directory.throttle import Limits, Throttle
from relay.maillog.store import MailLog
from relay.queue.store import QueueStore
from relay.storage.database import Database
from relay.web.access import PageRoute
from relay.web.actions import Actions
from relay.web.asking import House
from relay.web.guard import Guarded, error_page, somebody
from relay.web.headers import SecurityHeaders
from relay.web.rendering import Renderer
from relay.web.static import Static

PAGES = (
    "relay.web.pages.signing_in",
    "relay.web.pages.oidc",
    "relay.web.pages.password",
    "relay.web.pages.today",
    "relay.web.pages.center",
    "relay.web.pages.reminders",
    "relay.web.pages.reminder_sync",
    "relay.web.pages.attention",
    "relay.web.pages.message",
    "relay.web.pages.try_mail",
    "relay.web.pages.sync_settings",
    "relay.web.pages.connecting",
    "relay.web.pages.addresses",
    "relay.web.pages.exclusions",
    "relay.web.pages.mail_setup",
    "relay.web.pages.everybody",
    "relay.web.pages.diagnostics",
    "relay.web.pages.account",
    "relay.web.pages.admin_house",
    "relay.web.pages.admin_messages",
    "relay.web.pages.admin_queue",
    "relay.web.pages.admin_users",
)
"""The modules of pages, in the order of the menus."""

MAILINGS = Limits(max=10, per=3600.0, block=3600.0)
"""How much mail one network, or for one login, can make the page send without being signed in."""


def all_routes() -> list[PageRoute]:
    """Give every route of every page: the table that access is checked by."""
    return [route for name in PAGES for route in import_module(name).routes()]


def page_app(
    actions: Actions,
    database: Database,
    *,
    credentials: Credentials,
    clock: Clock,
    queue: QueueStore,
    mail_log: MailLog,
) -> ASGIApp:
    """Make the application."""
    static, routes = Static(), all_routes()
    house = House(
        actions,
        database,
        credentials,
        clock,
        queue,
        mail_log,
        Renderer(static, routes),
        Throttle(MAILINGS, clock.monotonic),
    )

    async def file(request: Request) -> Response:
        return static.answer(request.path_params["name"])

    async def wrong(request: Request, exc: Exception) -> Response:
        status = exc.status_code if isinstance(exc, HTTPException) else 500
        return error_page(await somebody(request, house), status)

    mounted: list[BaseRoute] = [Route("/static/{name}", file)]
    mounted += [Route(one.path, Guarded(one, house), methods=[one.method]) for one in routes]
    app = Starlette(routes=mounted, exception_handlers={HTTPException: wrong})
    app.router.redirect_slashes = False
    return SecurityHeaders(app, lambda: known_hosts(house))


def known_hosts(house: House) -> Sequence[str]:
    """Give the names that this host is called by."""
    web, configuration = house.web, house.configuration
    public = urlsplit(web.public_url).hostname if web.public_url else None
    own = (web.address.host, configuration.hostname, "localhost", "127.0.0.1", "[::1]")
    return [name.lower() for name in (*own, *([public] if public else []))]
