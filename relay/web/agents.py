"""Name the browser and the system that a User-Agent field tells of, so that people know their own sessions.

Pure. Such fields name others, too, for old sites' sake: the first that fits is meant (RFC 9110 §10.1.5).
"""

_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def agent_name(field: str) -> str:
    """Give such as "Firefox · Windows"; the field as it is when it tells of no browser that is known."""
    browser = next((name for mark, name in _BROWSERS if mark in field), "")
    system = next((name for mark, name in _SYSTEMS if mark in field), "")
    return " · ".join(part for part in (browser, system) if part) if browser else field
