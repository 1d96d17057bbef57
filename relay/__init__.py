"""An SMTP relay that gets sales mail into Salesforce without anybody noticing."""

from relay import compiled

FORM = compiled.use()
"""How the modules on the path of mail run in this process."""
