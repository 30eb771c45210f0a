"""A redis-server of the test's own."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import redis

from support.patience import PATIENCE_S
from support.servers.ports import reserve_port

POLL_S = 0.02


class RedisServer:
    """A redis-server on one port for good: one that keeps its data has them after a stop.

    Args:
        folder: its working folder.
        password: asked of clients; none by default.
        durable: whether its data survive a stop.
        port: where it listens; by default a port that nobody else is given.
    """

    def __init__(
        self, folder: Path, *, password: str | None = None, durable: bool = False, port: int | None = None
    ) -> None:
        binary = shutil.which("redis-server")
        if binary is None:
            pytest.skip("redis-server is not installed: the Redis online store cannot be tested")
        self._binary = binary
        self._folder = folder
        self._password = password
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self.port = reserve_port() if port is None else port

    def url(self, database: int = 0, password: str = "") -> str:
        """For the setting `online_store`."""
        secret = f":{password}@" if password else ""
        return f"redis://{secret}127.0.0.1:{self.port}/{database}"

    def client(self, database: int = 0, password: str | None = None) -> redis.Redis:
        """A client of the tests' own."""
        return redis.Redis(port=self.port, db=database, password=password)

    def start(self) -> RedisServer:
        """Start it, and wait until it has loaded its data and answers.

        Raises:
            AssertionError: it ended, or another process answers in its place.
        """
        self._process = process = subprocess.Popen(
            [self._binary, *self._options()], cwd=self._folder, stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                answering = self.client(password=self._password).info("server")["process_id"]
                break
            except (redis.ConnectionError, redis.exceptions.BusyLoadingError):
                code = process.poll()
                assert code is None, f"redis-server ended with {code}"
                assert time.monotonic() < deadline, f"redis-server did not answer within {PATIENCE_S:g} s"
                time.sleep(POLL_S)
        assert answering == process.pid, f"port {self.port}: expected our redis-server, found that of another process"
        return self

    def stop(self) -> None:
        """Kill it, as a machine that dies does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def lose(self) -> None:
        """Lose all data, while it is stopped."""
        shutil.rmtree(self._folder / "appendonlydir")

    def __enter__(self) -> RedisServer:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _options(self) -> Sequence[str]:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)]
        options += ["--appendonly", "yes", "--appendfsync", "always"] if self._durable else ["--appendonly", "no"]
        return options if self._password is None else [*options, "--requirepass", self._password]
