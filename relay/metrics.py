"""Every metric, declared in one place with its help text."""
