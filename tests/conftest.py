"""Real servers for the tests: a redis-server of their own."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import prometheus_client  # noqa: F401 - before Feast, which would have it keep its values in files
import pytest
import redis
from support.kafka import Kafka, kafka_libraries

os.environ.setdefault("HF_HUB_OFFLINE", "1")
# Tests run in two processes, and in processes that those start: threads of torch that wait for each other would each
# wait for another's core.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell has its background jobs ignore SIGINT, and what they start with them: tests look at how a program ends by it.
signal.signal(signal.SIGINT, signal.default_int_handler)

REDIS_START_S = 10.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def unused_port() -> int:
    return free_port()


@dataclass(frozen=True)
class RedisServer:
    port: int

    def url(self, database: int = 0, password: str = "") -> str:
        secret = f":{password}@" if password else ""
        return f"redis://{secret}127.0.0.1:{self.port}/{database}"

    def client(self, database: int = 0, password: str | None = None) -> redis.Redis:
        return redis.Redis(port=self.port, db=database, password=password)


def _await_redis(process: subprocess.Popen[bytes], port: int, password: str | None) -> bool:
    """Return whether the server came up; False when it ended, as it does when the port was taken meanwhile."""
    deadline = time.monotonic() + REDIS_START_S
    while process.poll() is None:
        try:
            redis.Redis(port=port, password=password).ping()
        except redis.ConnectionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return True
    return False


@contextmanager
def running_redis(folder: Path, password: str | None = None) -> Iterator[RedisServer]:
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("redis-server is not installed: the Redis online store cannot be tested")
    for _ in range(5):
        port = free_port()
        options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        if password is not None:
            options += ["--requirepass", password]
        process = subprocess.Popen([binary, *options], cwd=folder, stdout=subprocess.DEVNULL)
        try:
            if _await_redis(process, port, password):
                yield RedisServer(port)
                return
        finally:
            # It keeps nothing, so nothing is lost by not asking politely.
            process.kill()
            process.wait(timeout=REDIS_START_S)
    pytest.fail("redis-server found no free port in five attempts")


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def start_redis(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """Start a redis-server that asks for this password, as a context manager."""
    return lambda password: running_redis(tmp_path_factory.mktemp("redis-private"), password)


@pytest.fixture
def redis_url(redis_server: RedisServer) -> Iterator[str]:
    """Give an empty database of the session's redis-server."""
    yield redis_server.url()
    redis_server.client().flushall()


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Undo what a command run in this process did to the loggers: its handlers write to a stream that is closed."""
    loggers = [logging.getLogger(name) for name in (None, "wherewithal")]
    before = [(one, one.handlers[:], one.level, one.propagate) for one in loggers]
    yield
    for one, handlers, level, propagate in before:
        one.handlers[:], one.propagate = handlers, propagate
        one.setLevel(level)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """One node of Apache Kafka, shared by the tests of a process: each takes a topic prefix of its own."""
    kafka_libraries()
    # Topics are made on purpose, never by asking for one.
    with Kafka(tmp_path_factory.mktemp("kafka"), properties={"auto.create.topics.enable": "false"}) as started:
        yield started
