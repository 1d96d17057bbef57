"""The SMTP server that mail clients talk to."""
