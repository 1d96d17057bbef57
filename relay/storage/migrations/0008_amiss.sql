-- readable since: 1
-- The logging that did not work, or not yet: the page asks for it all the time. Logging that works never enters it.
CREATE INDEX delivery_amiss ON delivery (message, role, state)
    WHERE role <> 'recipient' AND state IN ('held', 'deferred', 'bounced', 'expired');
