"""Days, texts and ids of reminders."""

from datetime import UTC, date, datetime

from relay.reminders.model import clean_details, clean_title, long_id, today_of, tomorrow_of


def test_today_is_the_reps() -> None:
    """The same instant is another day elsewhere, also where the clocks change."""
    late = int(datetime(2026, 11, 22, 23, 30, tzinfo=UTC).timestamp()) * 1_000_000
    assert today_of(late, "UTC") == date(2026, 11, 22)
    assert today_of(late, "Europe/Stockholm") == date(2026, 11, 23)
    assert today_of(late, "America/Los_Angeles") == date(2026, 11, 22)
    change = int(datetime(2026, 10, 25, 0, 30, tzinfo=UTC).timestamp()) * 1_000_000
    assert tomorrow_of(today_of(change, "Europe/Stockholm")) == date(2026, 10, 26)


def test_texts_are_as_salesforce_keeps_them() -> None:
    """Titles have one line of 255 characters, details LF and 32,000."""
    assert clean_title(" a\r\nb  c ") == "a  b  c"
    assert clean_title("x" * 300) == "x" * 255
    assert clean_details(" a\r\nb\rc\n") == "a\nb\nc"
    assert len(clean_details("x" * 40_000)) == 32_000


def test_long_ids() -> None:
    """15 characters become 18; 18 stay."""
    assert long_id("00530000003T2PG") == "00530000003T2PGAA0"
    assert long_id("00530000003T2PGAA0") == "00530000003T2PGAA0"
