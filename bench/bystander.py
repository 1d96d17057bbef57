"""A session that says NOOP a hundred times a second until its input ends, then prints how long it waited each time.

It is a process of its own: in the one that strains the peer it would wait for its neighbours.

    python -m bench.bystander PORT
"""

import json
import select
import socket
import sys
import time


def main() -> None:
    """Ask until standard input ends."""
    waits: list[float] = []
    with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 60) as connection:
        connection.recv(1000)
        connection.sendall(b"EHLO bystander.example\r\n")
        connection.recv(4000)
        print("ready", flush=True)
        while not select.select([sys.stdin], [], [], 0.01)[0]:
            start = time.monotonic()
            connection.sendall(b"NOOP\r\n")
            connection.recv(1000)
            waits.append(time.monotonic() - start)
    print(json.dumps(waits))


if __name__ == "__main__":
    main()
