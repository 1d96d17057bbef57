"""TLS contexts for listeners and for next hops."""
