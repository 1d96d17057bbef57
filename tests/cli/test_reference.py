"""docs/commands.md is what the commands' own help says."""

from pathlib import Path

from relay.cli.reference import page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "commands.md"


def test_the_page_of_commands_is_current() -> None:
    """`make docs` was run after the last change of a command."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_command_says_what_it_does() -> None:
    """Below its usage there is a sentence, and every option has one, too."""
    for section in page().split("\n## ")[1:]:
        usage, _, rest = section.partition("Usage: ")[2].partition("\n\n")
        assert rest.startswith("  "), usage
        assert not rest.lstrip().startswith("Options:"), usage
