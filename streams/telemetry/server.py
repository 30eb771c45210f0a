"""The metrics and health server. It has its own thread, so it answers even while the event loop does not."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Callable, Mapping
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from threading import Thread
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from streams.exceptions import ConfigurationError
from streams.log import log
from streams.settings import Settings
from streams.telemetry.metric_set import MetricSet

Check = Callable[[], str | None]
"""A check. It returns the reason for a no, or None for a yes."""

CLIENT_S: Final = 10.0
"""How long a client may stay silent after it has connected, s. A silent client holds a thread."""

POLL_S: Final = 0.1
"""How soon the server notices that it is to stop."""

TEXT: Final = "text/plain; charset=utf-8"
JSON: Final = "application/json"

MOST_BODY_BYTES: Final = 1024
"""The largest body of a request, bytes: room for some numbers."""


class Answer(NamedTuple):
    """The answer of a resource: an HTTP status and JSON."""

    status: int
    body: bytes


class Resource(Protocol):
    """A resource behind a further path. The server's threads call it."""

    def get(self) -> Answer:
        """Answer a GET."""

    def post(self, body: bytes) -> Answer:
        """Answer a POST."""


_NO_RESOURCES: Final[Mapping[str, Resource]] = MappingProxyType({})


class _HTTPServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log a fault of the program. A client that has gone is not logged."""
        if not isinstance(sys.exc_info()[1], OSError):
            log.error("a request for metrics or health failed", error=str(sys.exc_info()[1]))


class Server:
    """Serves `/metrics`, `/livez` and `/readyz`.

    Args:
        settings: address and port.
        metrics: shown at `/metrics`.
        live, ready: the checks behind `/livez` and `/readyz`; 503 with the reason when they say no.
        resources: the resources behind further paths.
    """

    def __init__(
        self,
        settings: Settings,
        metrics: MetricSet,
        live: Check,
        ready: Check,
        resources: Mapping[str, Resource] = _NO_RESOURCES,
    ) -> None:
        checks = {"/livez": live, "/readyz": ready}

        class Handler(BaseHTTPRequestHandler):
            timeout = CLIENT_S

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if path == "/metrics":
                    self._answer(200, generate_latest(metrics.registry), CONTENT_TYPE_LATEST)
                elif path in checks:
                    reason = checks[path]()
                    self._answer(200 if reason is None else 503, (reason or "ok").encode() + b"\n")
                elif path in resources:
                    self._answer(*resources[path].get(), JSON)
                else:
                    self._answer(404, b"try /metrics, /livez or /readyz\n")

            do_HEAD = do_GET

            def do_POST(self) -> None:
                self._answer(*_posted(resources.get(self.path.partition("?")[0]), self.headers, self.rfile))

            def _answer(self, status: int, body: bytes, kind: str = TEXT) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Log nothing: a scrape comes every few seconds."""

        try:
            self._server = _HTTPServer((settings.metrics_host, settings.metrics_port), Handler)
        except OSError as error:
            address = f"{settings.metrics_host}:{settings.metrics_port} cannot be used ({error.strerror})"
            if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
                raise ConfigurationError(
                    f"WHEREWITHAL_METRICS_HOST: {address}; name an address of this machine, or 0.0.0.0 for all"
                ) from error
            raise ConfigurationError(
                f"WHEREWITHAL_METRICS_PORT: {address}; set another port, or 0 for any free one"
            ) from error
        self.port = int(self._server.server_address[1])

    def start(self) -> None:
        """Answer from now on."""
        Thread(target=self._server.serve_forever, args=(POLL_S,), name="metrics", daemon=True).start()

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()


def _posted(resource: Resource | None, headers: Message, body: BufferedIOBase) -> tuple[int, bytes, str]:
    """Return the answer to a POST. A body of another type or size than a client of a resource sends is not read."""
    size = headers.get("Content-Length", "")
    if resource is None:
        return 404, b"nothing is to be asked for here\n", TEXT
    if headers.get_content_type() != JSON:
        # A page in a browser can send other types without permission, but not this one.
        return 415, b"expected Content-Type: application/json\n", TEXT
    if not (size.isascii() and size.isdecimal()):
        return 411, b"expected Content-Length, a number of bytes\n", TEXT
    if int(size) > MOST_BODY_BYTES:
        return 413, b"expected at most %d bytes\n" % MOST_BODY_BYTES, TEXT
    return *resource.post(body.read(int(size))), JSON
