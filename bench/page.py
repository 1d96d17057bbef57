"""Puts the measured part into docs/performance.md, between its markers; what was written by hand is kept. Pure."""

BEGIN = "<!-- measured: written by `make bench` -->\n"
END = "<!-- end of what is measured -->\n"


def with_measured(page: str, measured: str) -> str:
    """Give the page with the text between its markers replaced. Raises ValueError when it has no markers."""
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError("the page has no markers for what is measured")
    return f"{head}{BEGIN}\n{measured.strip()}\n\n{END}{tail}"
