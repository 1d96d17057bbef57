"""The fields of EmailMessage, of its relations and of the addresses of Email to Salesforce.

Pure.
"""

from relay.demo.salesforce.fields import Field, Kind, SObject, field, flag, reference, sobject
from relay.demo.salesforce.objects_activity import WHAT, relay_key
from relay.demo.salesforce.toggles import Toggles

PEOPLE = ("Contact", "Lead", "User")
RELATION_TYPES = ("ToAddress", "CcAddress", "BccAddress", "FromAddress", "OtherAddress")
_STATUSES = ("0", "1", "2", "3", "4", "5")
_BODY = 131_072


def email_objects(toggles: Toggles) -> tuple[SObject, ...]:
    """Give EmailMessage and EmailMessageRelation where the organisation has them, and the services' addresses."""
    if not (toggles.enhanced_email or toggles.email_to_case):
        return _SERVICES
    return (sobject("EmailMessage", "02s", _email(toggles)), _RELATION, *_SERVICES)


def _email(toggles: Toggles) -> tuple[Field, ...]:
    # With Email-to-Case alone the relations are there, and not for writing (Enhanced Email considerations).
    relations = "cun" if toggles.enhanced_email else "n"
    return (
        *_TEXTS,
        field("ToIds", Kind.IDS, 0, relations, references=PEOPLE),
        field("CcIds", Kind.IDS, 0, relations, references=PEOPLE),
        field("BccIds", Kind.IDS, 0, relations, references=PEOPLE),
        reference("RelatedToId", WHAT, relations),
        reference("ParentId", ("Case",), "cun"),
        reference("FromId", ("User", "Contact", "Lead"), "cn"),
        reference("ActivityId", ("Task",), "cn"),
        field("ContentDocumentIds", Kind.IDS, 0, "cun", references=("ContentDocument",)),
        *((relay_key(),) if toggles.relay_key_field else ()),
    )


_TEXTS = (
    field("Subject", Kind.STRING, 3000),
    field("TextBody", Kind.TEXTAREA, _BODY),
    field("HtmlBody", Kind.TEXTAREA, _BODY),
    field("Headers", Kind.TEXTAREA, 32_000),
    field("Name", Kind.STRING, 255, "n"),
    field("FromName", Kind.STRING, 1000),
    field("FromAddress", Kind.EMAIL, 1000),
    field("ValidatedFromAddress", Kind.PICKLIST, 255),
    field("ToAddress", Kind.TEXTAREA, 4000),
    field("CcAddress", Kind.TEXTAREA, 4000),
    field("BccAddress", Kind.TEXTAREA, 4000),
    field("Status", Kind.PICKLIST, 40, "cud", picklist=_STATUSES, default="5", restricted=True),
    flag("Incoming"),
    flag("IsClientManaged"),
    flag("IsExternallyVisible"),
    flag("IsPrivateDraft"),
    flag("HasAttachment", "d"),
    flag("IsTracked", "d"),
    flag("IsOpened", "d"),
    field("FirstOpenedDate", Kind.DATETIME, 0, "n"),
    field("LastOpenedDate", Kind.DATETIME, 0, "n"),
    field("MessageDate", Kind.DATETIME),
    field("MessageIdentifier", Kind.STRING, 765, id_lookup=True),
    field("ThreadIdentifier", Kind.STRING, 765),
    field("ClientThreadIdentifier", Kind.STRING, 765),
    reference("ReplyToEmailMessageId", ("EmailMessage",)),
    field("Source", Kind.PICKLIST, 40),
)

_RELATION = sobject(
    "EmailMessageRelation",
    "0CZ",
    (
        reference("EmailMessageId", ("EmailMessage",), "c"),
        reference("RelationId", PEOPLE),
        field("RelationAddress", Kind.STRING, 255),
        field("RelationType", Kind.PICKLIST, 40, "c", picklist=RELATION_TYPES, restricted=True),
        field("RelationObjectType", Kind.STRING, 40, "n"),
    ),
)

_ACTIONS = ("UseSystemDefault", "Bounce", "Discard", "Requeue")

_SERVICES = (
    sobject(
        "EmailServicesAddress",
        "093",
        (
            field("DeveloperName", Kind.STRING, 80, "cun"),
            field("LocalPart", Kind.EMAIL, 64, "cu", id_lookup=True),
            field("EmailDomainName", Kind.STRING, 255, "n"),
            field("AuthorizedSenders", Kind.TEXTAREA, 4000, filterable=True),
            reference("FunctionId", ("EmailServicesFunction",)),
            flag("IsActive"),
            reference("RunAsUserId", ("User",), "cu"),
        ),
    ),
    sobject(
        "EmailServicesFunction",
        "091",
        (
            field("FunctionName", Kind.STRING, 64, "cu"),
            flag("IsActive"),
            flag("IsAuthenticationRequired"),
            flag("IsErrorRoutingEnabled"),
            field("ErrorRoutingAddress", Kind.EMAIL, 80),
            *(
                field(name, Kind.PICKLIST, 40, "cud", picklist=_ACTIONS, default="UseSystemDefault")
                for name in (
                    "AuthorizationFailureAction",
                    "AuthenticationFailureAction",
                    "AddressInactiveAction",
                    "FunctionInactiveAction",
                    "OverLimitAction",
                )
            ),
        ),
    ),
)
