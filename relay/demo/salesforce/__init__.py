"""The simulated Salesforce: what the relay needs of one, on loopback and as strict as the real one."""
