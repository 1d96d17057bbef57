"""A simulated Salesforce: its REST API, strict as the real one, and the mail server of Email to Salesforce."""
