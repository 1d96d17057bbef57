"""A tiny server of the Dovecot authentication protocol, so that Postfix can ask somebody about passwords.

It does as little as it can, and what it uses is not counted for Postfix.

    python -m bench.auth SOCKET
"""

import base64
import os
import socketserver
import sys
from hmac import compare_digest

from bench.peers import password

_HELLO = "VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nSPID\t{pid}\nCUID\t1\nCOOKIE\t0123456789abcdef0123456789abcdef\nDONE\n"


def answer(line: str) -> str:
    """Give the answer to one line of a client; "" when it needs none. Pure."""
    command, _, rest = line.rstrip("\n").partition("\t")
    if command != "AUTH":
        return ""
    number, *fields = rest.split("\t")
    response = next((field[5:] for field in fields if field.startswith("resp=")), "")
    _, login, secret = [*base64.b64decode(response).decode().split("\0"), "", ""][:3]
    if login.startswith("rep") and login[3:].isdigit() and compare_digest(secret, password(int(login[3:]))):
        return f"OK\t{number}\tuser={login}\n"
    return f"FAIL\t{number}\tuser={login}\n"


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        """Greet, then answer line by line until the client is gone."""
        self.wfile.write(_HELLO.format(pid=os.getpid()).encode())
        for line in self.rfile:
            reply = answer(line.decode())
            if reply:
                self.wfile.write(reply.encode())


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    with _Server(sys.argv[1], _Handler) as server:
        os.chmod(sys.argv[1], 0o666)  # noqa: S103 - Postfix's processes are of another user
        server.serve_forever()
