"""What can be set about the simulated organisation while it runs."""

from dataclasses import dataclass, field
from datetime import timedelta

Status = tuple[str, bool]
"""A label, and whether it closes a Task (of a priority: whether it is high)."""

STATUSES: tuple[Status, ...] = (
    ("Not Started", False),
    ("In Progress", False),
    ("Completed", True),
    ("Waiting on someone else", False),
    ("Deferred", False),
)
INTEGRATION_USERNAME = "integration@relay.demo"
"""Whom client credentials sign in as."""
PRIORITIES: tuple[Status, ...] = (("High", True), ("Normal", False), ("Low", False))


@dataclass(slots=True)
class Toggles:
    """The settings of the organisation; change them at any time, the next call sees it."""

    enhanced_email: bool = True
    email_to_case: bool = False
    """EmailMessage is then visible for cases even without Enhanced Email."""
    shared_activities: bool = False
    """TaskWhoIds, WhoCount, WhatCount and TaskRelation."""
    person_accounts: bool = False
    relay_key_field: bool = False
    """Relay_Key__c, a unique external id, on Task and EmailMessage."""
    task_type_values: tuple[str, ...] = ("Call", "Email", "Meeting", "Other")
    task_type_restricted: bool = True
    status_values: tuple[Status, ...] = STATUSES
    """The rows of TaskStatus in their order; the first open one is the default."""
    priority_values: tuple[Status, ...] = PRIORITIES
    """The rows of TaskPriority in their order; Normal, or else the first that is not high, is the default."""
    api_enabled: bool = True
    """Off: 403 API_DISABLED_FOR_ORG."""
    api_disabled_users: frozenset[str] = frozenset()
    """Usernames that get 403 API_CURRENTLY_DISABLED."""
    unapproved_users: frozenset[str] = frozenset()
    """Usernames that have not approved the app: invalid_grant for JWT bearer."""
    hidden_fields: frozenset[str] = frozenset()
    """`Object.Field` that field-level security hides from everybody."""
    read_only_fields: frozenset[str] = frozenset()
    """`Object.Field` that everybody may read and nobody may write."""
    required_fields: frozenset[str] = frozenset()
    """`Object.Field` that the organisation made required."""
    private_objects: frozenset[str] = frozenset()
    """Objects of which a user who is no administrator sees only his own records."""
    administrators: frozenset[str] = frozenset({INTEGRATION_USERNAME})
    """Usernames that see everything."""
    audit_fields: bool = False
    """Set Audit Fields upon Record Creation: CreatedDate and its like may be given at insert."""
    duplicate_rules: bool = False
    """The standard rules for Contact and Lead: the same Email is a duplicate."""
    strict_email_status: bool = True
    """An EmailMessage that belongs to no case takes Status '3' only."""
    lead_with_what: str = "refuse"
    """What becomes of a Lead together with a WhatId or RelatedToId: refuse | allow."""
    email_case_kept: bool = False
    """Addresses of people are kept as given; otherwise in lower case. Queries find them either way."""
    validation_rule: str = ""
    """A word that no Subject may hold: FIELD_CUSTOM_VALIDATION_EXCEPTION."""
    blocked_extensions: frozenset[str] = frozenset()
    """File extensions that no ContentVersion may have, such as exe."""
    html_uploads: bool = True
    file_size_limit: int = 2 * 1024**3
    storage_limit: int | None = None
    """Octets that all files together may take."""
    request_size_limit: int = 50 * 1024**2
    chaos: bool = False
    """Unrelated subrequests of a collated composite request run in another order."""
    page_size: int = 2000
    """The rows of a page when the caller names no batchSize."""
    query_locator_life: timedelta = timedelta(days=2)
    latency: float = 0.0
    """Seconds that each call takes."""
    daily_limit: int = 100_000
    versions: tuple[str, ...] = tuple(f"{number}.0" for number in range(31, 69))
    retired_versions: tuple[str, ...] = tuple(f"{number}.0" for number in range(21, 31))
    token_life: timedelta = timedelta(hours=2)
    """Without a call for so long a token is dead."""
    token_calls: int | None = None
    """A token is dead after so many calls."""
    rotate_refresh_tokens: bool = False
    consent: str = "allow"
    """What whoever is asked for access does at once: allow | deny; ask: a page asks."""
    signed_in_as: str = ""
    """Whose browser it is that asks for access, by username; empty: the integration user's."""
    users_elsewhere: dict[str, str] = field(default_factory=dict)
    """Users of another organisation, username to its id, for the login address that serves all of them."""
    callback_urls: tuple[str, ...] = ()
    """The callback URLs of the app; empty: any."""
    require_pkce: bool = True
    password_login: bool = False
    replication_lag: timedelta = timedelta()
    """How far latestDateCovered stays behind."""
    replication_cap: int = 600_000
    """More ids than this: EXCEEDED_ID_LIMIT."""
    deletion_log_reach: timedelta = timedelta(days=15)
    e2s_active: bool = True
    advanced_security: bool = False
    sender_checked: str = "both"
    """What Email to Salesforce compares with the acceptable senders: from | envelope | both."""
