"""Durable storage: one database interface, SQLite behind it, and the spool for large content."""
