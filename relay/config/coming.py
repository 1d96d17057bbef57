"""The settings of what later versions do: they are read and checked, and a warning says that nothing acts on them.

Pure. A field marked `Later` is left out of the sample file; the reference page lists it apart.
"""

from relay.config.types import SecretReference, Settings


class PostgresqlSettings(Settings):
    """The database of several nodes."""

    dsn: SecretReference
    """Where it is and how to sign in, as libpq reads it."""
