"""Build every part of the service from the settings, start them in order, and stop them in reverse."""
