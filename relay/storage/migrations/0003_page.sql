-- readable since: 1
-- The page: what people changed there, who is signed in, what was mailed to them, and who did what.
-- `login_key` is a rep's compared login, whether the rep stands in the settings or in `rep`; '' stands for all reps.
-- Secrets that travel (session ids, codes, links) are kept as SHA-256 only.

-- A setting that somebody changed: of one rep ("mode"), or of all (login_key '', "logging.mode"). `value` is JSON.
CREATE TABLE changed_setting (
    login_key   TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    value       TEXT    NOT NULL,
    changed_at  INTEGER NOT NULL,
    changed_by  TEXT    NOT NULL,
    PRIMARY KEY (login_key, key)
) STRICT, WITHOUT ROWID;

-- What an admin keeps reps from changing, such as "mode".
CREATE TABLE locked_setting (
    key         TEXT    PRIMARY KEY,
    locked_at   INTEGER NOT NULL,
    locked_by   TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- An acceptable address that its rep proved by a mailed code.
CREATE TABLE verified_address (
    compared    TEXT    PRIMARY KEY,
    login_key   TEXT    NOT NULL,
    address     TEXT    NOT NULL,
    verified_at INTEGER NOT NULL
) STRICT;

CREATE INDEX verified_address_of ON verified_address (login_key);

-- An app password made on the page by a rep of the settings; those of other reps are in rep_token.
CREATE TABLE page_token (
    sha256      TEXT    PRIMARY KEY,
    login_key   TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    UNIQUE (login_key, name)
) STRICT;

-- An app password that works no more, though it may still stand in the settings.
CREATE TABLE revoked_token (
    sha256      TEXT    PRIMARY KEY,
    login_key   TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    revoked_at  INTEGER NOT NULL,
    revoked_by  TEXT    NOT NULL
) STRICT;

-- The password that a rep of the settings chose on the page, in place of that in the settings.
CREATE TABLE page_password (
    login_key   TEXT    PRIMARY KEY,
    encoded     TEXT    NOT NULL,
    changed_at  INTEGER NOT NULL
) STRICT;

-- Somebody who is signed in. The id is known by its SHA-256; it is a new one at each sign-in.
CREATE TABLE page_session (
    id_hash     TEXT    PRIMARY KEY,
    login_key   TEXT    NOT NULL,
    how         TEXT    NOT NULL,
    client      TEXT    NOT NULL,
    agent       TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    seen_at     INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL
) STRICT;

CREATE INDEX page_session_of ON page_session (login_key);

-- A code or link that was mailed (or printed for an admin): it proves one thing, once, for a while.
CREATE TABLE page_code (
    code_hash   TEXT    PRIMARY KEY,
    purpose     TEXT    NOT NULL,
    login_key   TEXT    NOT NULL,
    subject     TEXT    NOT NULL DEFAULT '',
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    tries       INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX page_code_of ON page_code (login_key, purpose);

-- A sign-in at an identity provider that has begun: taken away when it ends, so that it works once.
CREATE TABLE page_flow (
    state_hash  TEXT    PRIMARY KEY,
    kind        TEXT    NOT NULL,
    browser     TEXT    NOT NULL,
    nonce       TEXT    NOT NULL,
    verifier    TEXT    NOT NULL,
    destination TEXT    NOT NULL,
    expires_at  INTEGER NOT NULL
) STRICT;

-- Who somebody is at an identity provider.
CREATE TABLE page_identity (
    issuer      TEXT    NOT NULL,
    subject     TEXT    NOT NULL,
    login_key   TEXT    NOT NULL,
    linked_at   INTEGER NOT NULL,
    PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;

-- Who did what on the page: changed, read a body, undid. `about` is the rep or the message that it was about.
CREATE TABLE page_audit (
    id          INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL,
    who         TEXT    NOT NULL,
    verb        TEXT    NOT NULL,
    about       TEXT    NOT NULL,
    detail      TEXT    NOT NULL,
    client      TEXT    NOT NULL
) STRICT;

CREATE INDEX page_audit_at ON page_audit (at);

-- A search that somebody kept under a name.
CREATE TABLE page_filter (
    login_key   TEXT    NOT NULL,
    page        TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    query       TEXT    NOT NULL,
    PRIMARY KEY (login_key, page, name)
) STRICT, WITHOUT ROWID;

-- A note that something was done for somebody: a failure dismissed, a digest sent.
CREATE TABLE page_mark (
    login_key   TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    subject     TEXT    NOT NULL,
    marked_at   INTEGER NOT NULL,
    PRIMARY KEY (login_key, kind, subject)
) STRICT, WITHOUT ROWID;

-- A rep's own mail, newest first: the page asks for it all day. Mail of nobody is not in it.
CREATE INDEX message_of_login ON message (login, id) WHERE login IS NOT NULL;
