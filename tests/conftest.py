"""Real servers for the tests: a redis-server, and a broker that is embedded or Apache Kafka."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

# Feast has Prometheus' client keep its values in files, for itself and for the processes that it starts: whoever has
# imported Feast may have started this one. The client looks once, when it is imported.
os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
import prometheus_client  # noqa: F401
import pytest
from hypothesis import HealthCheck, settings
from support.loggers import loggers_as_they_were
from support.servers.brokers import Broker, fresh_prefix
from support.servers.kafka import Kafka, kafka_libraries
from support.servers.ports import reserve_port
from support.servers.redis_server import RedisServer
from support.servers.registry import Registry

from streams.broker.embedded import EmbeddedBroker

os.environ.setdefault("HF_HUB_OFFLINE", "1")
# A second stage costs each flow its start and its end once more: it is for the tests that are about items.
os.environ.setdefault("WHEREWITHAL_ITEMS", "false")
# Tests run in several processes, and in processes that those start: threads of torch that wait for each other would
# each wait for another's core.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long an example takes says how busy the machine is. Whoever has changed nothing gets the examples of before:
# `make explore` draws others.
settings.register_profile("exploring", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeatable", settings.get_profile("exploring"), derandomize=True)
settings.load_profile("repeatable")

# A shell has its background jobs ignore SIGINT, and what they start with them: tests look at how a program ends by it.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--broker",
        choices=("embedded", "kafka"),
        default="embedded",
        help="what the fixture `broker` is; with kafka, only the tests that ask for it are run",
    )
    parser.addoption(
        "--faults-page", type=Path, help="a page whose table of the faults of nodes takes in what this run finds"
    )


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    # Bytes of a packed file may hold the moment at which they were packed, and each process names its tests itself:
    # all of them have to come to the same names.
    return argname if isinstance(val, bytes) and not val.isascii() else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("broker") == "kafka":
        without = [item for item in items if "shared_broker" not in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=without)
        items[:] = [item for item in items if item not in without]


@pytest.fixture
def unused_port() -> int:
    """A port that nobody listens on, and that nobody else is given."""
    return reserve_port()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def start_redis(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], RedisServer]:
    """Make a redis-server that asks for this password, to be started as a context manager."""
    return lambda password: RedisServer(tmp_path_factory.mktemp("redis-private"), password=password)


@pytest.fixture
def redis_url(redis_server: RedisServer) -> Iterator[str]:
    """Give an empty database of the session's redis-server."""
    yield redis_server.url()
    redis_server.client().flushall()


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """One node of Apache Kafka, shared by the tests of a process: each takes a topic prefix of its own."""
    kafka_libraries()
    # Topics are made on purpose, never by asking for one.
    with Kafka(tmp_path_factory.mktemp("kafka"), properties={"auto.create.topics.enable": "false"}) as started:
        yield started


@pytest.fixture(scope="session")
def schema_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A real schema registry, shared by the tests of a process: each takes subjects of its own."""
    with Registry(tmp_path_factory.mktemp("registry")) as started:
        yield started


@pytest.fixture(scope="session")
def shared_broker(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of the process's broker: an embedded one, or with `--broker kafka` a node of Apache Kafka."""
    if request.config.getoption("broker") == "kafka":
        yield request.getfixturevalue("kafka").url
        return
    with EmbeddedBroker() as started:
        yield started.url


@pytest.fixture
def broker(shared_broker: str, monkeypatch: pytest.MonkeyPatch) -> Broker:
    """The shared broker, which settings name for as long as the test runs, with topics of the test's own."""
    own = Broker(shared_broker, fresh_prefix())
    for name, value in own.environment.items():
        monkeypatch.setenv(name, value)
    return own


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Undo what a command run in this process did to the loggers: its handlers write to a stream that is closed."""
    with loggers_as_they_were():
        yield
