"""Stands for the admin socket of a running service: answers whatever is asked with one JSON object."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import UnixStreamServer


@contextmanager
def answering(state_dir: Path, answer: Mapping[str, object]) -> Iterator[None]:
    """Answer in this folder."""
    body = json.dumps(answer).encode()

    class Handler(BaseHTTPRequestHandler):
        """Answers."""

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def address_string(self) -> str:
            return "a command"

        def log_message(self, *_: object) -> None:
            return

    with UnixStreamServer(str(state_dir / "admin.sock"), Handler) as service:
        serving = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        try:
            yield
        finally:
            service.shutdown()
            serving.join()
