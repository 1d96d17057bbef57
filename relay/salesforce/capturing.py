"""Say how one rep's mail is captured: the organisation's settings, with what the rep chose laid over them.

Pure.
"""

from relay.config.model import LoggingSettings
from relay.directory.model import Rep


def logging_of(settings: LoggingSettings, rep: Rep | None) -> LoggingSettings:
    """Give the settings that hold for a rep's mail; what the rep's own choice leaves out stays the organisation's."""
    if rep is None or rep.capture is None:
        return settings
    chosen = {name: getattr(rep.capture, name) for name in rep.capture.model_fields_set}
    return settings.model_copy(update={"capture": settings.capture.model_copy(update=chosen)})
