"""Turn templates and values into HTML. Only this file imports jinja2; every value is escaped."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from relay.web.access import PageRoute
from relay.web.sentences import markup, plain
from relay.web.static import Static

if TYPE_CHECKING:
    from relay.web.asking import Ask

STATE = Markup('<span class="state {}">{}</span>')
"""A mark and a word, as the macro `state` of parts.html writes them."""
_FOLDER = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class MenuItem:
    """A page in a menu."""

    path: str
    text: str
    current: bool


class Renderer:
    """The templates, read once; what every page shows around its own."""

    def __init__(self, static: Static, routes: Sequence[PageRoute]) -> None:
        self._static = static
        self._paths = {route.path for route in routes}
        self._entries = [route for route in routes if route.entry is not None]
        self._environment = Environment(
            loader=FileSystemLoader(_FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals["static"] = static.path
        self._environment.filters["code"] = _code

    def render(self, template: str, ask: "Ask", values: Mapping[str, object]) -> str:
        """Give the HTML of a page, or of a part of one."""
        said = ask.query("said")
        around: dict[str, object] = {
            "ask": ask,
            "t": ask.words,
            "say": partial(markup, ask.words),
            "plain": partial(plain, ask.words),
            "moment": ask.moment,
            "stamp": partial(_stamp, ask),
            "form_token": ask.token,
            "menu": self._menus(ask),
            "said": ask.words(f"said.{said}") if ask.words.has(f"said.{said}") else "",
        }
        return self._environment.get_template(template).render({**around, **values})

    def has(self, path: str) -> bool:
        """Tell whether there is such a page."""
        return path in self._paths

    def first_page(self, ask: "Ask", menu: str = "main") -> str:
        """Give the path of the first page in a menu that this person may see; "" when there is none."""
        items = self._menus(ask)(menu)
        return items[0].path if items else ""

    def _menus(self, ask: "Ask") -> Callable[[str], list[MenuItem]]:
        here = ask.request.url.path
        # /admin/queue is within /admin, too: the longest path is where somebody is.
        within = [route.path for route in self._entries if _within(here, route.path)]
        current = max(within, key=len, default="")

        def menu(name: str) -> list[MenuItem]:
            return [
                MenuItem(route.path, ask.words(route.entry.key), route.path == current)
                for route in self._entries
                if route.entry is not None and route.entry.menu == name and route.access.allows(ask.role)
            ]

        return menu


def _code(text: str) -> Markup:
    """Show as code what stands between backticks in advice."""
    marked = (
        Markup("<code>{}</code>").format(part) if at % 2 else escape(part)
        for at, part in enumerate(text.split("`"))
    )
    return Markup("").join(marked)


def _stamp(ask: "Ask", instant: int | None) -> Markup:
    """Write an instant for a list: briefly, with the whole of it to point at."""
    when, now = ask.local(instant), ask.local(ask.now)
    if when is None or now is None:
        return Markup("<span>{}</span>").format(ask.moment(None))
    exact, whole = when.isoformat(timespec="minutes"), ask.words.moment(when)
    # Not by Markup.format, which takes five times as long: a list has a hundred of these.
    brief = escape(ask.words.brief(when, now))
    return Markup(f'<time datetime="{exact}" title="{escape(whole)}">{brief}</time>')  # noqa: S704 - escaped here


def _within(here: str, path: str) -> bool:
    return here == path or (path != "/" and here.startswith(f"{path}/"))
