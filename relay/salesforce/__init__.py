"""Salesforce: who somebody is there, and writing what was sent to them."""
