"""A schema registry on loopback for tests: it has the schemas that it is given, or answers what it is told to."""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass
class FakeRegistry:
    """Answers `GET /schemas/ids/ID` and `GET /subjects/SUBJECT/versions/VERSION`.

    Args:
        context: of its TLS; None for plain HTTP.

    Attributes:
        schemas: by id.
        versions: the same by subject, each subject with one version.
        answer: (status, body) given instead of a schema.
        login: (user, password) or a bearer token that it asks for.
        drip_s: pause before each byte of an answer.
        asked: the paths that it was asked for.
    """

    context: ssl.SSLContext | None = None
    schemas: dict[int, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, dict[str, Any]] = field(default_factory=dict)
    answer: tuple[int, bytes] | None = None
    login: tuple[str, str] | str | None = None
    drip_s: float = 0.0
    asked: list[str] = field(default_factory=list)

    def __enter__(self) -> FakeRegistry:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        # Not waited for: a test may end while an answer drips.
        self._server.block_on_close = False
        if self.context is not None:
            self._server.socket = self.context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'' if self.context is None else 's'}://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add(self, text: str, kind: str | None = None, references: Any = (), subject: str | None = None) -> int:
        """Register a schema, and return its id; `references` are pairs of a name and a subject."""
        named = [{"name": name, "subject": target, "version": 1} for name, target in references]
        schema = {"schema": text} | ({} if kind is None else {"schemaType": kind}) | {"references": named}
        schema_id = len(self.schemas) + 1
        self.schemas[schema_id] = schema
        if subject is not None:
            self.versions[subject] = schema | {"subject": subject, "version": 1, "id": schema_id}
        return schema_id

    def _found(self, path: str) -> tuple[int, bytes]:
        match urlsplit(path).path.strip("/").split("/"):
            case ["schemas", "ids", schema_id]:
                found, code = self.schemas.get(int(schema_id)), 40403
            case ["subjects", subject, "versions", _]:
                found, code = self.versions.get(unquote(subject)), 40401
            case _:
                return 404, b"<html>nothing here</html>"
        if found is None:
            return 404, json.dumps({"error_code": code, "message": "not found"}).encode()
        return 200, json.dumps(found).encode()

    def _knows(self, authorization: str) -> bool:
        if self.login is None:
            return True
        if isinstance(self.login, str):
            return authorization == f"Bearer {self.login}"
        return authorization == f"Basic {base64.b64encode(':'.join(self.login).encode()).decode()}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append(self.path)
                if not server._knows(self.headers.get("Authorization", "")):
                    status, body = 401, b'{"error_code": 40101, "message": "Unauthorized"}'
                else:
                    status, body = server.answer or server._found(self.path)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if server.drip_s:
                    self._drip(body)
                else:
                    self.wfile.write(body)

            def _drip(self, body: bytes) -> None:
                try:
                    for byte in body:
                        time.sleep(server.drip_s)
                        self.wfile.write(bytes([byte]))
                except OSError:
                    pass  # The client has gone.

            def log_message(self, *_: Any) -> None:
                """Keep the tests' output clean."""

        return Handler
