"""What the relay answers over HTTP: health and metrics for machines, and the admin socket for its own commands."""
