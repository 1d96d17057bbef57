"""The program log on standard error: text on a terminal, JSON elsewhere."""
