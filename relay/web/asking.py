"""One request with all that a page needs to answer it: who asks, in which language, and the parts of the house."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from relay.clock import Clock
from relay.config.loader import Configuration
from relay.config.page import OidcSettings, WebSettings
from relay.config.page_address import page_address
from relay.directory.change_store import ChangeStore
from relay.directory.credentials import Credentials
from relay.directory.model import Rep, login_key
from relay.directory.store import DirectoryStore
from relay.directory.throttle import Throttle
from relay.maillog.store import MailLog
from relay.queue.store import QueueStore
from relay.storage.database import Database, Transaction
from relay.texts import Words
from relay.web.actions import Actions
from relay.web.cookies import Cookies, form_token
from relay.web.leads import Leads
from relay.web.rendering import Renderer
from relay.web.store import PageStore, Session

if TYPE_CHECKING:
    from relay.web.oidc import Provider

_SEE_OTHER = 303
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class House:
    """The parts of the service that pages work with."""

    actions: Actions
    database: Database
    credentials: Credentials
    clock: Clock
    queue: QueueStore
    mail_log: MailLog
    renderer: Renderer
    mailings: Throttle
    """Counts the mail that people who are not signed in make the page send."""
    store: PageStore = field(default_factory=PageStore)
    changes: ChangeStore = field(default_factory=ChangeStore)
    reps: DirectoryStore = field(default_factory=DirectoryStore)
    providers: "dict[OidcSettings, Provider]" = field(default_factory=dict)
    """The identity provider that the settings name, once it was used."""
    leads: Leads = field(default_factory=Leads)

    @property
    def configuration(self) -> Configuration:
        """Give the settings in force."""
        return self.actions.configuration()

    @property
    def web(self) -> WebSettings:
        """Give the page's own settings."""
        return self.configuration.settings.web or WebSettings()

    @property
    def mailed_address(self) -> str:
        """Give what links in mail begin with, without a slash at its end; "" where the settings do not tell it."""
        return page_address(self.web, self.configuration.settings.server.hostname)

    def own_address(self, request: Request) -> str:
        """Give where this browser reaches the page, without a slash at its end.

        For what the same browser follows or its person copies; not for mail, since whoever asks chooses Host.
        """
        if self.web.public_url:
            return self.web.public_url.rstrip("/")
        return f"{request.url.scheme}://{request.headers.get('host', '')}"


class Ask:
    """One request. A page's handler gets it and gives a Response."""

    def __init__(
        self,
        request: Request,
        house: House,
        words: Words,
        cookies: Cookies,
        *,
        secure: bool,
        session: Session | None = None,
        rep: Rep | None = None,
    ) -> None:
        self.request = request
        self.house = house
        self.words = words
        self.cookies = cookies
        self.secure = secure
        self.session = session
        self.someone = rep
        """Who is signed in; None: nobody."""
        self.form: FormData = FormData()
        """What a form brought; empty for GET."""
        self.now = house.clock.now()

    @property
    def rep(self) -> Rep:
        """Give who is signed in; only for pages that ask for it."""
        assert self.someone is not None, "the route lets anybody in"
        return self.someone

    @property
    def key(self) -> str:
        """Give the compared login of who is signed in."""
        return login_key(self.rep.login)

    @property
    def role(self) -> str | None:
        """Give rep, admin or auditor; None for nobody."""
        return None if self.someone is None else self.someone.web_role

    @property
    def client(self) -> str:
        """Give the address that the request came from; behind a trusted proxy: the one it names."""
        return self.request.client.host if self.request.client else ""

    # What came along

    def path(self, name: str) -> str:
        """Give a part of the path."""
        return str(self.request.path_params[name])

    def query(self, name: str, otherwise: str = "") -> str:
        """Give a part of the query."""
        return self.request.query_params.get(name, otherwise)[:1000]

    def field(self, name: str, limit: int = 1000) -> str:
        """Give a field of the form without white space around it; "" when it was not sent or is a file."""
        value = self.form.get(name, "")
        return "" if isinstance(value, UploadFile) else value[:limit].strip()

    def fields(self, name: str) -> list[str]:
        """Give all values of a field that may be there several times."""
        return [value[:1000].strip() for value in self.form.getlist(name) if isinstance(value, str)]

    @property
    def enhanced(self) -> bool:
        """Tell whether htmx asks, for a part of a page."""
        return self.request.headers.get("hx-request") == "true"

    # Answers

    def render(self, template: str, status: int = 200, **values: object) -> HTMLResponse:
        """Answer with a page: the template gets `ask`, `t` (the words) and the values."""
        html = self.house.renderer.render(template, self, values)
        return HTMLResponse(html, status)

    def redirect(self, path: str, said: str = "", **query: str) -> RedirectResponse:
        """Send the browser to one of our own paths (303); `said` is the key below `said.` of what it shows there."""
        assert path.startswith("/"), "only our own paths"
        if said:
            query["said"] = said
        return RedirectResponse(path + (f"?{urlencode(query)}" if query else ""), _SEE_OTHER)

    def refuse(self, status: int = 404) -> HTTPException:
        """Make what a handler raises for what is not there, or is somebody else's (the same: 404)."""
        return HTTPException(status)

    @property
    def token(self) -> str:
        """Give the token for forms."""
        return form_token(self.cookies.bound)

    # Time as this person reads it

    def local(self, instant: int | None) -> datetime | None:
        """Give an instant in the rep's time zone."""
        if instant is None:
            return None
        return (_EPOCH + timedelta(microseconds=instant)).astimezone(self.zone)

    @property
    def zone(self) -> ZoneInfo:
        """Give the time zone of who asks; UTC for nobody."""
        try:
            return ZoneInfo(self.someone.time_zone if self.someone else "UTC")
        except (ZoneInfoNotFoundError, ValueError):
            return ZoneInfo("UTC")

    def moment(self, instant: int | None) -> str:
        """Write an instant in the rep's time zone and language."""
        return self.words.moment(self.local(instant))

    # Store

    def audit(self, tx: Transaction, verb: str, about: str = "", **detail: object) -> None:
        """Keep in this transaction that who is signed in did something; nothing secret may stand in it."""
        who = self.someone.login if self.someone else ""
        self.house.store.audit(tx, self.now, who, verb, about or who, detail, self.client)


Values = Mapping[str, Any]


def answer_with_cookie(response: Response, cookie: str) -> Response:
    """Set a cookie along with an answer."""
    response.headers.append("set-cookie", cookie)
    return response
