"""Print the map of the house - every file of relay/ with its first sentence - into ARCHITECTURE.md.

Run as `python -m tests.support.house`; a test checks that the map is current.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "ARCHITECTURE.md"
BEGIN, END = "<!-- house: made by `make docs` -->\n", "<!-- /house -->\n"


def first_sentence(path: Path) -> str:
    """Give the first paragraph of a file's docstring, on one line."""
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    return " ".join(docstring.split("\n\n")[0].split())


def house() -> str:
    """Give the map: one table for each folder."""
    parts: list[str] = []
    folders = sorted(
        {path.parent for path in (ROOT / "relay").rglob("*.py")}, key=lambda folder: folder.as_posix()
    )
    for folder in folders:
        name = folder.relative_to(ROOT).as_posix()
        parts.append(
            f"\n### {name}/\n\n{first_sentence(folder / '__init__.py')}\n\n| file | what it is for |\n|---|---|\n"
        )
        for path in sorted(folder.glob("*.py")):
            if path.name != "__init__.py":
                parts.append(f"| `{path.name}` | {first_sentence(path)} |\n")
    return "".join(parts) + "\n"


def page_with_house(text: str) -> str:
    """Give the page with the map between its marks made anew."""
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return before + BEGIN + house() + END + after


if __name__ == "__main__":
    PAGE.write_text(page_with_house(PAGE.read_text()))
