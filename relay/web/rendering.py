"""Turn templates and values into HTML. Only this file imports jinja2; every value is escaped."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

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

    def render(self, template: str, ask: "Ask", values: Mapping[str, object]) -> str:
        """Give the HTML of a page, or of a part of one."""
        said = ask.query("said")
        around: dict[str, object] = {
            "ask": ask,
            "t": ask.words,
            "say": partial(markup, ask.words),
            "plain": partial(plain, ask.words),
            "moment": ask.moment,
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


def _within(here: str, path: str) -> bool:
    return here == path or (path != "/" and here.startswith(f"{path}/"))
