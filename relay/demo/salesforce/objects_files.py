"""The fields of files: a version, the document it belongs to, and where the document is shown.

Pure.
"""

from relay.demo.salesforce.fields import Kind, field, flag, reference, sobject

LINKABLE = (
    "Task",
    "EmailMessage",
    "Contact",
    "Lead",
    "Account",
    "Opportunity",
    "Case",
    "Campaign",
    "User",
    "Organization",
)

FILES = (
    sobject(
        "ContentVersion",
        "068",
        (
            field("Title", Kind.STRING, 255),
            field("PathOnClient", Kind.STRING, 500, "c"),
            field("VersionData", Kind.BASE64, 0, "cn"),
            field("Description", Kind.TEXTAREA, 1000),
            reference("ContentDocumentId", ("ContentDocument",), "cn"),
            reference("FirstPublishLocationId", LINKABLE, "cn"),
            reference("OwnerId", ("User",), "cud"),
            field("Origin", Kind.PICKLIST, 40, "cd", picklist=("C", "H"), default="C", restricted=True),
            field("ContentSize", Kind.INT, 0, "n"),
            field("FileExtension", Kind.STRING, 40, "n"),
            field("FileType", Kind.STRING, 20, "n"),
            field("Checksum", Kind.STRING, 50, "n"),
            field("VersionNumber", Kind.STRING, 20, "n"),
            flag("IsLatest", "d"),
        ),
        deletable=False,
    ),
    sobject(
        "ContentDocument",
        "069",
        (
            field("Title", Kind.STRING, 255, "u"),
            field("FileExtension", Kind.STRING, 40, "n"),
            field("FileType", Kind.STRING, 20, "n"),
            field("ContentSize", Kind.INT, 0, "n"),
            reference("LatestPublishedVersionId", ("ContentVersion",), "n"),
            reference("OwnerId", ("User",), "ud"),
        ),
        createable=False,
    ),
    sobject(
        "ContentDocumentLink",
        "06A",
        (
            reference("ContentDocumentId", ("ContentDocument",), "c"),
            reference("LinkedEntityId", LINKABLE, "c"),
            field(
                "ShareType", Kind.PICKLIST, 40, "cud", picklist=("V", "C", "I"), default="V", restricted=True
            ),
            field(
                "Visibility",
                Kind.PICKLIST,
                40,
                "cud",
                picklist=("AllUsers", "InternalUsers", "SharedUsers"),
                default="AllUsers",
                restricted=True,
            ),
        ),
    ),
)
