"""Taking out of texts what Salesforce refuses or stores as rubbish, and making text of HTML.

Pure. Everything here runs once over its text, whatever is in it: a parser that builds a tree can be made to build one
of the square of the text's length (a new copy of all open elements at each paragraph, HTML Standard §13.2.4.3).
"""

import html
import re

# JSON_PARSER_ERROR or rubbish: controls but tab and line feed, lone surrogates, what is no character.
_NOT_STORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_NOT_IN_LINES = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]+"
)
_WHITE = re.compile(r"[ \t\n\r\f\xa0]+")
_TAG = re.compile(r"</?([a-zA-Z][a-zA-Z0-9]{0,20})|<!--|<[!?/]")
_UNSEEN = frozenset(
    {"style", "script", "head", "title", "template", "noscript", "textarea", "iframe", "object"}
)
_BREAKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "br",
        "dd",
        "div",
        "dl",
        "dt",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tr",
        "ul",
    ]
)
_PARAGRAPHS = frozenset(["p", "h1", "h2", "h3", "h4", "h5", "h6", "table", "ul", "ol", "blockquote"])
_CELLS = frozenset({"td", "th"})


def storable(text: str) -> str:
    """Give a text with LF line ends and without characters that cannot be stored."""
    return _NOT_STORABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def one_line(text: str) -> str:
    """Give a text in one line: line breaks and controls become one space."""
    return _NOT_IN_LINES.sub(" ", text)


def text_of_html(source: str) -> str:
    """Give what a reader of the HTML would read: blocks as lines, list items with a dash, no styles and scripts."""
    lines = _Lines()
    at, end = 0, len(source)
    while at < end:
        tag = _TAG.search(source, at)
        lines.add(html.unescape(source[at : tag.start() if tag else end]))
        if tag is None:
            break
        name = (tag[1] or "").lower()
        closing = tag[0].startswith("</")
        if not closing and name in _UNSEEN:
            at = _behind(source, tag.end(), f"</{name}")
        else:
            at = _after(source, ">", tag.end()) if tag[0] != "<!--" else _after(source, "-->", tag.end())
            lines.mark(name, closing=closing)
    return lines.text()


def _after(source: str, sought: str, start: int) -> int:
    """Give the place behind what is sought; the end of the text when it is not there."""
    at = source.find(sought, start)
    return len(source) if at < 0 else at + len(sought)


def _behind(source: str, start: int, closing: str) -> int:
    """Give the place behind the closing tag of an element whose content is not read."""
    found = re.compile(re.escape(closing), re.IGNORECASE).search(source, start)
    return len(source) if found is None else _after(source, ">", found.end())


class _Lines:
    """Collects text as a reader would see it: white space becomes one space, and never stands at a line's end."""

    def __init__(self) -> None:
        self._done: list[str] = []
        self._line: list[str] = []
        self._space = False

    def add(self, text: str) -> None:
        """Add text that stands in a line."""
        collapsed = _WHITE.sub(" ", text)
        if not collapsed:
            return
        inner = collapsed.strip(" ")
        self._space = self._space or collapsed[0] == " "
        if not inner:
            return
        if self._space and self._line:
            self._line.append(" ")
        self._line.append(inner)
        self._space = collapsed[-1] == " "

    def mark(self, name: str, *, closing: bool) -> None:
        """Go on after a tag: in the same line, in a new one, or after an empty one."""
        if name == "li":
            self._end()
            if not closing:
                self._line.append("- ")
        elif name in _CELLS:
            self._space = True
        elif name in _BREAKS:
            self._end(always=name == "br")
            if name in _PARAGRAPHS and self._done and self._done[-1]:
                self._done.append("")

    def _end(self, *, always: bool = False) -> None:
        if self._line or (always and self._done[-1:] != [""]):
            self._done.append("".join(self._line))
        self._line, self._space = [], False

    def text(self) -> str:
        """Give everything."""
        self._end()
        return "\n".join(self._done).strip("\n")
