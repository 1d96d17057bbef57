"""An SMTP relay that gets sales mail into Salesforce without anybody noticing."""
