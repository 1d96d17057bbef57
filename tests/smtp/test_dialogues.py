"""Conversations with a real listener, one file for each rule."""

from pathlib import Path

import pytest

from tests.support.dialogue import Dialogue, dialogues, perform
from tests.support.submission import open_front

ALL = dialogues()


@pytest.mark.parametrize("dialogue", ALL, ids=[one.name for one in ALL])
async def test_the_conversation_goes_as_written(dialogue: Dialogue, tmp_path: Path) -> None:
    """What the first line of the file says holds."""
    async with open_front(tmp_path) as front:
        await perform(dialogue, front)


def test_every_conversation_states_its_rule() -> None:
    """Every file begins with the sentence that must hold, and says something to the server."""
    assert all(len(one.rule) > 30 and one.steps for one in ALL)
