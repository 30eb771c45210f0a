"""A real schema registry for tests: Apicurio, found by `REGISTRY_HOME` (a folder with its runner's jar)."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from streams.broker.embedded import _die_with_parent
from support.patience import PATIENCE_S
from support.servers.ports import reserve_port

_POLL_S = 0.1


class Registry:
    """Keeps its schemas in memory, and speaks Confluent's interface.

    Args:
        folder: its log lies here.

    Attributes:
        url: for the setting `schema_registry_url`.
    """

    def __init__(self, folder: Path) -> None:
        home = os.environ.get("REGISTRY_HOME", "")
        if not home:
            pytest.skip("REGISTRY_HOME is not set: nothing is tested on a real schema registry")
        jars = sorted(Path(home).absolute().glob("apicurio-registry-app-*-runner.jar"))
        if not jars:
            pytest.fail(f"REGISTRY_HOME: expected a folder with Apicurio's runner in it, found none at {home}")
        if shutil.which("java") is None:
            pytest.skip("java is not installed: nothing is tested on a real schema registry")
        self._jar = jars[-1]
        self._log = folder / "registry.log"
        self._port = reserve_port()
        self.url = f"http://127.0.0.1:{self._port}/apis/ccompat/v7"

    def __enter__(self) -> Registry:
        listen = ["-Dquarkus.http.host=127.0.0.1", f"-Dquarkus.http.port={self._port}"]
        quick = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["java", *quick, *listen, "-jar", str(self._jar)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_parent,
            )
        try:
            self._ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def add(self, subject: str, text: str, kind: str = "AVRO", references: Sequence[tuple[str, str]] = ()) -> int:
        """Register a schema, and return its id; `references` are pairs of a name and a subject, in version 1."""
        named = [{"name": name, "subject": target, "version": 1} for name, target in references]
        body = {"schema": text, "schemaType": kind, "references": named}
        found: int = self._ask(f"subjects/{subject}/versions", json.dumps(body).encode())["id"]
        return found

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Have it answer nothing for as long as the context lasts."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def _ask(self, path: str, body: bytes | None = None) -> Any:
        # The proxy of the machine, if it has one, is for other hosts.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        request = urllib.request.Request(
            f"{self.url}/{path}", body, {"Content-Type": "application/vnd.schemaregistry.v1+json"}
        )
        with opener.open(request, timeout=PATIENCE_S) as answer:
            return json.load(answer)

    def _ready(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            code = self._process.poll()
            assert code is None, f"the registry ended with {code}: {self._log.read_text(errors='replace')[-2000:]}"
            try:
                self._ask("subjects")
            except (urllib.error.URLError, ConnectionError):
                assert time.monotonic() < deadline, f"the registry did not answer within {PATIENCE_S:g} s"
                time.sleep(_POLL_S)
            else:
                return
