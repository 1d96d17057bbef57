-- readable since: 1
-- The records that are made in Salesforce, and what is known of people there.

-- Since when an attempt has left a delivery held; what somebody holds by hand has none, and does not expire.
ALTER TABLE delivery ADD COLUMN held_at INTEGER;

-- Only a record that waits for the rest of the recipients, once one has the mail, has an instant here.
CREATE INDEX delivery_waiting ON delivery (next_attempt_at) WHERE state = 'waiting' AND next_attempt_at IS NOT NULL;

-- The refresh token that Salesforce gave in place of the one before (rotation): only the newest one works, so it must
-- not be lost. It counts as long as the settings hold the token whose digest `origin` is; another one there begins anew.
CREATE TABLE salesforce_token (
    identity TEXT PRIMARY KEY,
    origin TEXT NOT NULL,
    refresh_token TEXT NOT NULL,
    replaced_at INTEGER NOT NULL
) STRICT;
