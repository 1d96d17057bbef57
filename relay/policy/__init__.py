"""What to do with one submitted message: pure decisions."""
