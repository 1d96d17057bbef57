"""A TLS server that answers as a script says: for the traps of HTTP and of simple-salesforce that the simulator has not."""

import json
import ssl
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import trustme

TOKEN_PATH = "/services/oauth2/token"


@dataclass(frozen=True)
class Reply:
    """What to answer: a status and a body, or what to do to the connection instead."""

    status: int = 200
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    action: str = ""
    """"": answer; reset: close without a word; cut: half of the body; hang: say nothing until the test ends;
    drip: one octet of the body after the other, each after `pause` seconds."""
    pause: float = 0.05


@dataclass(frozen=True)
class Seen:
    """A request that came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class ScriptedSalesforce:
    """Answers the calls with `replies`, one after the other, then with `default`; tokens are t1, t2, …"""

    def __init__(self) -> None:
        self.url = ""
        self.ca_file = Path()
        self.replies: deque[Reply] = deque()
        self.default = Reply(body={"totalSize": 0, "done": True, "records": []})
        self.token_replies: deque[Reply] = deque()
        self.seen: list[Seen] = []
        self.token_requests: list[Seen] = []
        self.done = threading.Event()

    def answer(self, seen: Seen) -> Reply:
        """Choose the reply to a request."""
        if seen.path == TOKEN_PATH:
            self.token_requests.append(seen)
            if self.token_replies:
                return self.token_replies.popleft()
            number = len(self.token_requests)
            return Reply(body={"access_token": f"t{number}", "instance_url": self.url, "id": ""})
        self.seen.append(seen)
        return self.replies.popleft() if self.replies else self.default


def rows(*records: Mapping[str, object]) -> Reply:
    """Make the answer to a query."""
    return Reply(body={"totalSize": len(records), "done": True, "records": list(records)})


def refusal(status: int, code: str, message: str = "") -> Reply:
    """Make a refusal as Salesforce words it."""
    return Reply(status, [{"errorCode": code, "message": message}])


@contextmanager
def scripted(folder: Path) -> Iterator[ScriptedSalesforce]:
    """Run one on a port of its own."""
    script = ScriptedSalesforce()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            body = self.rfile.read(length)
            with suppress(OSError):
                self._send(
                    script.answer(Seen(self.command, self.path, dict(self.headers.items()), body)),
                )

        def _send(self, reply: Reply) -> None:
            if reply.action == "hang":
                script.done.wait(30)
            if reply.action in ("reset", "hang"):
                self.close_connection = True
                return
            text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
            octets = b"" if reply.body is None else text.encode()
            self.send_response(reply.status)
            kind = "text/html" if isinstance(reply.body, str) else "application/json;charset=UTF-8"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(octets)))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self._write(octets, reply)

        def _write(self, octets: bytes, reply: Reply) -> None:
            if reply.action == "cut":
                octets = octets[: len(octets) // 2]
                self.close_connection = True
            if reply.action != "drip":
                self.wfile.write(octets)
                return
            for octet in octets:
                self.wfile.write(bytes([octet]))
                self.wfile.flush()
                if script.done.wait(reply.pause):
                    return

        do_GET = do_POST = do_PATCH = do_DELETE = _any  # noqa: N815 - names that http.server looks for

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Let clients break off."""

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    script.ca_file = folder / "scripted-ca.pem"
    authority.cert_pem.write_to_path(str(script.ca_file))
    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    script.url = f"https://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield script
    finally:
        script.done.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
