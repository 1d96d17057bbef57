"""The checks that go beyond the kind of each value: what does not fit together, or is no address, network or hash.

Pure, but for the names of time zones. Each check gives findings; the loader knows where they stand.
"""

from collections.abc import Callable, Iterator, Sequence

from relay.config.check_crm import check_crm
from relay.config.check_page import check_page
from relay.config.check_receiving import check_receiving
from relay.config.check_reminders import check_reminders
from relay.config.check_salesforce import check_salesforce
from relay.config.check_sending import check_sending
from relay.config.draft import Draft
from relay.config.explain import Finding
from relay.config.model import RelaySettings
from relay.config.outline import Setting, settings_of
from relay.config.tree import Path
from relay.config.types import Settings

_CHECKS: Sequence[Callable[[Draft], Iterator[Finding]]] = (
    check_receiving,
    check_sending,
    check_crm,
    check_reminders,
    check_page,
    check_salesforce,
)


def check(draft: Draft, reported: Sequence[Finding]) -> list[Finding]:
    """Run every check; what stands at, above or below a place that was reported already is left out."""
    taken = {finding.path for finding in reported} | {finding.meant for finding in reported if finding.meant}
    above = {path[:length] for path in taken for length in range(1, len(path) + 1)}
    found = [finding for one in _CHECKS for finding in one(draft)] + _coming(draft)
    return [
        finding
        for finding in found
        if not any(_touches(path, taken, above) for path in (finding.path, *finding.given))
    ]


def _touches(path: Path, taken: set[Path], above: set[Path]) -> bool:
    return path in above or any(path[:length] in taken for length in range(1, len(path)))


def _coming(draft: Draft) -> list[Finding]:
    """Warn of settings that this version does not act on, once for each however many reps have it."""
    found: dict[Path, Path] = {}
    for path, setting in _later(draft.settings, RelaySettings, ()):
        found.setdefault(tuple("*" if isinstance(step, int) else step for step in path), path)
        del setting
    return [
        Finding(path, "is for a later version; this one does not act on it", "warning", at_key=True)
        for path in found.values()
    ]


def _later(values: Settings, group: type[Settings], above: Path) -> Iterator[tuple[Path, Setting]]:
    written = values.model_fields_set
    for setting in settings_of(group):
        if setting.field not in written:
            continue
        value = getattr(values, setting.field)
        path = (*above, setting.name)
        if setting.later:
            if value != setting.default:
                yield path, setting
        elif setting.group is not None:
            yield from _later_below(value, setting, path)


def _later_below(value: object, setting: Setting, path: Path) -> Iterator[tuple[Path, Setting]]:
    assert setting.group is not None
    if isinstance(value, Settings):
        yield from _later(value, setting.group, path)
    elif isinstance(value, tuple):
        for number, item in enumerate(value):
            yield from _later(item, setting.group, (*path, number))
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _later(item, setting.group, (*path, name))
