"""What a rep chose is laid over what holds for all."""

from dataclasses import replace

from relay.config.model import LoggingSettings
from relay.config.recording import CaptureSettings
from relay.salesforce.capturing import logging_of
from tests.support.policy import rep


def test_what_a_rep_leaves_out_stays_the_organisations() -> None:
    """The body is the rep's choice; attachments and blind copies stay as they are for all."""
    everybodys = LoggingSettings(capture=CaptureSettings(attachments="files", bcc_recipients=True))
    mine = logging_of(everybodys, replace(rep(), capture=CaptureSettings(body="text"))).capture
    assert (mine.body, mine.attachments, mine.bcc_recipients) == ("text", "files", True)


def test_without_a_choice_nothing_changes() -> None:
    """No rep, or one who chose nothing: the organisation's settings themselves."""
    everybodys = LoggingSettings()
    assert logging_of(everybodys, None) is everybodys
    assert logging_of(everybodys, rep()) is everybodys
