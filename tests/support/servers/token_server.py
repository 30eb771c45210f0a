"""A token server for tests: it gives signed tokens (JWT, RS256) to clients that it knows, or whatever it is told to."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote


@dataclass
class TokenServer:
    """Answers `POST /token` on loopback.

    Args:
        folder: its key lies here, and the public part in `jwks.json`.
        clients: secret by client id; may change.

    Attributes:
        life_s: of the tokens that it gives.
        audience: that its tokens name.
        answer: (status, body) given instead of a token.
        asked: the forms that it was sent.
    """

    folder: Path
    clients: dict[str, str]
    life_s: float = 60.0
    audience: str = "kafka"
    answer: tuple[int, bytes] | None = None
    asked: list[dict[str, list[str]]] = field(default_factory=list)

    def __enter__(self) -> TokenServer:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._key = self.folder / "key.pem"
        self._openssl("genrsa", "-out", str(self._key), "2048")
        modulus = self._openssl("rsa", "-in", str(self._key), "-noout", "-modulus").decode().strip().split("=")[1]
        key = {"kty": "RSA", "kid": "1", "use": "sig", "alg": "RS256", "e": "AQAB", "n": _text(bytes.fromhex(modulus))}
        self.keys = self.folder / "jwks.json"
        self.keys.write_text(json.dumps({"keys": [key]}))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}/token"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def token(self, subject: str) -> str:
        """Return a signed token for a subject."""
        now = time.time()
        claims = {"iss": "tests", "sub": subject, "aud": self.audience, "iat": now, "exp": now + self.life_s}
        parts = [_text(json.dumps(part).encode()) for part in ({"alg": "RS256", "kid": "1", "typ": "JWT"}, claims)]
        signed = ".".join(parts)
        return f"{signed}.{_text(self._openssl('dgst', '-sha256', '-sign', str(self._key), given=signed.encode()))}"

    def _openssl(self, *arguments: str, given: bytes | None = None) -> bytes:
        return subprocess.run(["openssl", *arguments], input=given, capture_output=True, check=True).stdout

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                server.asked.append(form)
                login = base64.b64decode(self.headers["Authorization"].split()[1]).decode()
                client, secret = map(unquote, login.split(":"))
                if server.answer is not None:
                    self._say(*server.answer)
                elif server.clients.get(client) == secret and form["grant_type"] == ["client_credentials"]:
                    token = {"access_token": server.token(client), "token_type": "Bearer", "expires_in": server.life_s}
                    self._say(200, json.dumps(token).encode())
                else:
                    self._say(401, b'{"error": "invalid_client"}')

            def _say(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Keep the tests' output clean."""

        return Handler


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
