-- readable since: 1
-- Which organisation the relay is connected to, by the app and login address (`origin`, as in salesforce_token): the
-- first one that an admin connected. Where one address serves all organisations, nobody connects another one beside it.
CREATE TABLE salesforce_organization (
    origin       TEXT    PRIMARY KEY,
    organization TEXT    NOT NULL,
    pinned_at    INTEGER NOT NULL
) STRICT;
