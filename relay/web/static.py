"""Give stylesheet and scripts: a fixed table of files read once, each under a name with its hash in it.

A request never becomes the path of a file.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import Response

_FOLDER = Path(__file__).parent / "static"
_KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class _File:
    octets: bytes
    kind: str


class Static:
    """The files that belong to the page."""

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}
        self._names: dict[str, str] = {}
        for path in sorted(_FOLDER.iterdir()):
            if path.suffix in _KINDS:
                octets = path.read_bytes()
                name = f"{path.stem}.{hashlib.sha256(octets).hexdigest()[:16]}{path.suffix}"
                self._files[name] = _File(octets, _KINDS[path.suffix])
                self._names[path.name] = name

    def path(self, name: str) -> str:
        """Give the path that a file is asked for under; it changes with the file. Raises KeyError."""
        return f"/static/{self._names[name]}"

    def answer(self, name: str) -> Response:
        """Answer with a file, to be kept for ever; 404 for any other name."""
        file = self._files.get(name)
        if file is None:
            raise HTTPException(404)
        return Response(file.octets, media_type=file.kind, headers={"cache-control": _FOR_EVER})
