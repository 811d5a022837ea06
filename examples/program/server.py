#!/usr/bin/env python3
"""A server in plain Python that holdfast can replace without losing a request.

What it does for that:
- it takes the listening socket that it is given (LISTEN_FDS) in place of one of its own;
- it says READY=1 when it can serve (NOTIFY_SOCKET), where it is asked to;
- at SIGTERM it stops accepting, finishes what it has begun, and has each client that is still there go elsewhere by
  `Connection: close`. It closes no connection between two requests: a client may just be sending the next one.
"""

import json
import os
import signal
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# The first of the sockets that are passed: sd_listen_fds(3).
FIRST_FD = 3


def passed_socket():
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or int(os.environ.get("LISTEN_FDS", "0")) < 1:
        return None
    listener = socket.socket(fileno=FIRST_FD)
    # Another worker may take a connection that this one has been woken up for: then there is none, and it must not wait for one.
    listener.setblocking(False)
    return listener


def say(state):
    """sd_notify(3): a line to the socket of NOTIFY_SOCKET."""
    path = os.environ.get("NOTIFY_SOCKET")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.sendto(state.encode(), path)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Who is silent for so long is sent away; 20 s for a client that may come back is enough.
    timeout = 20

    def do_GET(self):
        self.answer(0)

    def do_POST(self):
        self.answer(len(self.rfile.read(int(self.headers.get("content-length", 0)))))

    def answer(self, received):
        who = {"pid": os.getpid(), "generation": int(os.environ.get("HOLDFAST_GENERATION", 0)), "received": received}
        body = json.dumps(who).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.server.stopping:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    # At the end, each connection is waited for.
    daemon_threads = False
    stopping = False


def main():
    listener = passed_socket()
    server = Server(("127.0.0.1", 3000), Handler, bind_and_activate=listener is None)
    if listener is not None:
        server.socket.close()
        server.socket = listener

    def stop(*_):
        server.stopping = True
        # It waits for the loop, which this very thread may be in.
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    print("listening on %s:%d" % server.socket.getsockname()[:2], flush=True)
    say("READY=1")
    server.serve_forever()
    server.server_close()


main()
