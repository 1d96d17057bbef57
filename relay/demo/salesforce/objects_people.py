"""The fields of the people and of the sales objects that mail is related to.

Pure.
"""

from relay.demo.salesforce.fields import Kind, SObject, field, flag, reference, sobject
from relay.demo.salesforce.toggles import Toggles

_STAGES = (
    "Prospecting",
    "Qualification",
    "Needs Analysis",
    "Value Proposition",
    "Id. Decision Makers",
    "Perception Analysis",
    "Proposal/Price Quote",
    "Negotiation/Review",
    "Closed Won",
    "Closed Lost",
)
_LEAD_STATUSES = (
    "Open - Not Contacted",
    "Working - Contacted",
    "Closed - Converted",
    "Closed - Not Converted",
)
_OWNER = reference("OwnerId", ("User",), "cud")
_LAST_ACTIVITY = field("LastActivityDate", Kind.DATE, 0, "n")


def people(toggles: Toggles) -> tuple[SObject, ...]:
    """Give Contact, Lead, Account, User, Opportunity, its contact roles, Case, Campaign and Organization."""
    return (
        _contact(toggles),
        _LEAD,
        _account(toggles),
        _USER,
        _OPPORTUNITY,
        _ROLE,
        _CASE,
        _CAMPAIGN,
        _ORGANIZATION,
    )


def _contact(toggles: Toggles) -> SObject:
    persons = (flag("IsPersonAccount", "d"),) if toggles.person_accounts else ()
    return sobject("Contact", "003", (*_NAMES, *_CONTACT, *persons))


def _account(toggles: Toggles) -> SObject:
    persons = (
        (
            flag("IsPersonAccount", "d"),
            reference("PersonContactId", ("Contact",), "n"),
            field("PersonEmail", Kind.EMAIL, 80),
        )
        if toggles.person_accounts
        else ()
    )
    return sobject("Account", "001", (*_ACCOUNT, *persons))


_NAMES = (
    field("LastName", Kind.STRING, 80, "cu"),
    field("FirstName", Kind.STRING, 40),
    field("Name", Kind.STRING, 121, "n"),
    field("Email", Kind.EMAIL, 80, id_lookup=True),
    field("Title", Kind.STRING, 128),
    field("Phone", Kind.PHONE, 40),
    field("Description", Kind.TEXTAREA, 32_000),
    _OWNER,
    _LAST_ACTIVITY,
)
_CONTACT = (
    reference("AccountId", ("Account",)),
    reference("ReportsToId", ("Contact",)),
    field("Department", Kind.STRING, 80),
    field("MobilePhone", Kind.PHONE, 40),
    field("LeadSource", Kind.PICKLIST, 255),
    field("EmailBouncedReason", Kind.STRING, 255),
    field("EmailBouncedDate", Kind.DATETIME),
)
_LEAD = sobject(
    "Lead",
    "00Q",
    (
        *_NAMES,
        field("Company", Kind.STRING, 255, "cu"),
        field("Website", Kind.URL, 255),
        field("LeadSource", Kind.PICKLIST, 255),
        field("Status", Kind.PICKLIST, 255, "cud", picklist=_LEAD_STATUSES, default=_LEAD_STATUSES[0]),
        flag("IsConverted", "d"),
        field("ConvertedDate", Kind.DATE, 0, "n"),
        reference("ConvertedContactId", ("Contact",), "n"),
        reference("ConvertedAccountId", ("Account",), "n"),
        reference("ConvertedOpportunityId", ("Opportunity",), "n"),
    ),
)
_ACCOUNT = (
    field("Name", Kind.STRING, 255, "cu"),
    field("Type", Kind.PICKLIST, 255),
    field("Website", Kind.URL, 255),
    field("Phone", Kind.PHONE, 40),
    field("Description", Kind.TEXTAREA, 32_000),
    reference("ParentId", ("Account",)),
    _OWNER,
    _LAST_ACTIVITY,
)
_USER = sobject(
    "User",
    "005",
    (
        field("Username", Kind.STRING, 80, "cu", id_lookup=True),
        field("LastName", Kind.STRING, 80, "cu"),
        field("FirstName", Kind.STRING, 40),
        field("Name", Kind.STRING, 121, "n"),
        field("Email", Kind.EMAIL, 128, "cu", id_lookup=True),
        field("SenderEmail", Kind.EMAIL, 80),
        field("Alias", Kind.STRING, 8, "cu"),
        flag("IsActive"),
        field("UserType", Kind.PICKLIST, 40, "d", default="Standard"),
        field("TimeZoneSidKey", Kind.PICKLIST, 40, "cud", default="Europe/Berlin"),
        field("LanguageLocaleKey", Kind.PICKLIST, 40, "cud", default="en_US"),
        field("LocaleSidKey", Kind.PICKLIST, 40, "cud", default="en_US"),
        field("FederationIdentifier", Kind.STRING, 512),
        field("EmployeeNumber", Kind.STRING, 20),
        reference("ManagerId", ("User",)),
    ),
    deletable=False,
)
_OPPORTUNITY = sobject(
    "Opportunity",
    "006",
    (
        field("Name", Kind.STRING, 120, "cu"),
        reference("AccountId", ("Account",)),
        field("StageName", Kind.PICKLIST, 255, "cu", picklist=_STAGES),
        field("CloseDate", Kind.DATE, 0, "cu"),
        field("Amount", Kind.CURRENCY),
        field("Probability", Kind.DOUBLE),
        field("Type", Kind.PICKLIST, 255),
        field("Description", Kind.TEXTAREA, 32_000),
        flag("IsClosed", "d"),
        flag("IsWon", "d"),
        _OWNER,
        _LAST_ACTIVITY,
    ),
)
_ROLE = sobject(
    "OpportunityContactRole",
    "00K",
    (
        reference("OpportunityId", ("Opportunity",), "c"),
        reference("ContactId", ("Contact",), "cu"),
        field("Role", Kind.PICKLIST, 255),
        flag("IsPrimary"),
    ),
)
_CASE = sobject(
    "Case",
    "500",
    (
        field("CaseNumber", Kind.STRING, 30, "d"),
        field("Subject", Kind.STRING, 255),
        field("Status", Kind.PICKLIST, 255, "cud", picklist=("New", "Working", "Closed"), default="New"),
        reference("ContactId", ("Contact",)),
        reference("AccountId", ("Account",)),
        flag("IsClosed", "d"),
        _OWNER,
    ),
)
_CAMPAIGN = sobject(
    "Campaign",
    "701",
    (field("Name", Kind.STRING, 80, "cu"), flag("IsActive"), _OWNER),
)
_ORGANIZATION = sobject(
    "Organization",
    "00D",
    (
        field("Name", Kind.STRING, 80, "un"),
        flag("IsSandbox", "d"),
        field("OrganizationType", Kind.PICKLIST, 40, "n"),
        field("InstanceName", Kind.PICKLIST, 5, "n"),
        field("TimeZoneSidKey", Kind.PICKLIST, 40, "un"),
        field("DefaultLocaleSidKey", Kind.PICKLIST, 40, "un"),
        field("LanguageLocaleKey", Kind.PICKLIST, 40, "un"),
    ),
    createable=False,
    deletable=False,
)
