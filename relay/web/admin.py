"""Ask a running service something over its admin socket; for commands, without a web framework."""

import http.client
import json
import socket
from pathlib import Path

from relay.errors import CommandError
from relay.web.listening import SOCKET_NAME

_NOT_REACHABLE = 69
_NOT_PERMITTED = 77
_LONGEST_ANSWER = 1_048_576


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, limit: float) -> None:
        super().__init__("localhost", timeout=limit)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def ask(state_dir: Path, method: str, target: str, limit: float = 5.0) -> dict[str, object]:
    """Send one request and give the answer's JSON object.

    Raises CommandError: 69 when no service is there or it does not answer within `limit` seconds, 77 when that is
    not for this user to know.
    """
    connection = _Connection(state_dir / SOCKET_NAME, limit)
    try:
        connection.request(method, target)
        response = connection.getresponse()
        body = response.read(_LONGEST_ANSWER)
        answer = json.loads(body) if response.status == 200 else None
    except PermissionError as exc:
        text = f"{state_dir} is not yours to work in; run this as its owner, as in `sudo -u relay relay …`"
        raise CommandError(text, _NOT_PERMITTED) from exc
    except (OSError, http.client.HTTPException, ValueError) as exc:
        raise CommandError(f"no running service answers in {state_dir}", _NOT_REACHABLE) from exc
    finally:
        connection.close()
    if not isinstance(answer, dict):
        raise CommandError(f"the running service answered {response.status} to {target}", _NOT_REACHABLE)
    return answer


def wake(state_dir: Path) -> bool:
    """Tell a running service that something has changed, and say whether there was one to tell."""
    try:
        ask(state_dir, "POST", "/wake")
    except CommandError:
        return False
    return True
