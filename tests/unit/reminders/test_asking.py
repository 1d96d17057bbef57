"""The questions about Tasks."""

from relay.reminders import asking

OWNER = "005000000000001AAA"


def test_texts_are_escaped() -> None:
    """Nobody writes SOQL of their own by a title."""
    assert asking.literal("O'Neil \\ \n") == "'O\\'Neil \\\\ \\n'"


def test_a_poll_fits_into_an_address() -> None:
    """300 owners and as many known ids as there is room for stay below the limit, and leave room for some."""
    owners = [f"005{number:015d}" for number in range(300)]
    room = asking.room_for_known(owners)
    assert room == asking.ROTATION
    known = [f"00T{number:015d}" for number in range(room)]
    assert asking.octets(asking.changes(owners, 0, known)) <= asking.LONGEST
    crowd = [f"005{number:015d}" for number in range(380)]
    few = asking.room_for_known(crowd)
    assert 0 < few < room
    assert asking.octets(asking.changes(crowd, 0, known[:few])) <= asking.LONGEST


def test_portions_hold_all_and_fit() -> None:
    """Every value is in one portion, and no question is too long."""
    values = [f"{number} ä" * 20 for number in range(500)]
    portions = list(asking.portions(values))
    assert [value for portion in portions for value in portion] == values
    assert all(
        asking.octets(asking.by_subjects([OWNER], portion, 0)) <= asking.LONGEST for portion in portions
    )
