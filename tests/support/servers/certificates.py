"""Certificates for tests, made by openssl."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Final

import pytest

SOUND: Final = "subjectAltName=IP:127.0.0.1"
ELSEWHERE: Final = "subjectAltName=DNS:elsewhere.invalid"


class Authority:
    """Signs certificates; everything lies in a folder."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("openssl") is None:
            pytest.skip("openssl is not installed: certificates are not tested")
        folder.mkdir(parents=True)
        self._folder = folder
        self.file = folder / "ca.pem"
        self._openssl("req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 30 -subj /CN=ca")

    def sign(self, names: str, days: int = 30) -> ssl.SSLContext:
        """Return a server's context with a certificate for these names, out of date if its days are negative."""
        (self._folder / "names").write_text(names)
        self._openssl("req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=server")
        self._openssl(
            "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.crt "
            f"-days {days} -extfile names"
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._folder / "server.crt", self._folder / "server.key")
        return context

    def issue(self, name: str, names: str = "subjectAltName=DNS:client", password: str = "") -> tuple[Path, Path]:
        """Return files with a certificate and its key, which a password may lock."""
        (self._folder / "names").write_text(names)
        self._openssl(f"req -newkey rsa:2048 -nodes -keyout {name}.plain -out {name}.csr -subj /CN={name}")
        self._openssl(
            f"x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out {name}.crt -days 30 -extfile names"
        )
        locked = f"-passout pass:{password}" if password else "-nocrypt"
        self._openssl(f"pkcs8 -topk8 -in {name}.plain -out {name}.key {locked}")
        return self._folder / f"{name}.crt", self._folder / f"{name}.key"

    def _openssl(self, arguments: str) -> None:
        subprocess.run(["openssl", *arguments.split()], cwd=self._folder, capture_output=True, check=True)
