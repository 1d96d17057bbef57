"""A template of subjects with a typing slip is told."""

from pathlib import Path

from tests.support.settings import GOOD, told


def test_what_only_looks_like_a_placeholder(tmp_path: Path) -> None:
    """A warning with its place names it and those that there are; known ones and other braces are fine."""
    wrong = GOOD.replace("users:", 'logging: {subject: "{recipent}: {subject}"}\nusers:')
    right = GOOD.replace("users:", 'logging: {subject: "{{activity_type}} {X} {} {mailbox}"}\nusers:')
    (problem,) = [one for one in told(tmp_path, wrong) if "logging.subject" in one]
    assert problem.startswith("10:20 logging.subject: {recipent} is no placeholder; there are {subject}, ")
    assert not any("logging.subject" in one for one in told(tmp_path, right))
