"""What happened to each message, as a closed set of events."""
