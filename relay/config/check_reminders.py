"""Check the settings of reminders: whether there is a Salesforce to keep them in step with, and who the rep is there.

Pure.
"""

from collections.abc import Iterator

from relay.config.draft import Draft
from relay.config.explain import Finding


def check_reminders(draft: Draft) -> Iterator[Finding]:
    """Warn of reminders that cannot be kept in step as they are set."""
    settings = draft.settings
    for number, user in enumerate(settings.users):
        own = user.reminders is not None and user.reminders.sync == "two_way"
        if own or (user.reminders is None and settings.reminders.sync == "two_way"):
            path = ("users", number, "reminders", "sync") if own else ("reminders", "sync")
            given = (("salesforce",), ("users", number, "salesforce_user_id"))
            if settings.salesforce is None:
                yield Finding(path, "two_way does nothing without salesforce:", "warning", given=given)
                return
            if user.salesforce_user_id is None:
                text = f"two_way does nothing for {user.login} without salesforce_user_id"
                yield Finding(path, text, "warning", given=given)
