"""Reminders: to-dos of reps, kept in step with Salesforce Tasks where that is switched on."""
