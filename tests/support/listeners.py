"""A web server that takes notices as Apprise sends them, and misbehaves where it is told to."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Listener:
    """A server on a free port of this machine.

    Args:
        port: The port; a free one by default.
    """

    def __init__(self, port: int = 0) -> None:
        #: What it has taken: title, message and so on.
        self.taken: list[dict[str, Any]] = []
        #: How many requests came, also those that it has refused.
        self.asked = 0
        #: The status that it answers with.
        self.answers = 200
        #: Seconds before it answers.
        self.slow = 0.0
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                listener.asked += 1
                time.sleep(listener.slow)
                if listener.answers == 200:
                    listener.taken.append(json.loads(body))
                self.send_response(listener.answers)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  as the base calls it
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Its address as Apprise writes it, with a password."""
        return f"json://me:hush-hush@127.0.0.1:{self.port}/private-path"

    @property
    def titles(self) -> list[str]:
        """The titles of what it has taken."""
        return [each["title"] for each in self.taken]

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
