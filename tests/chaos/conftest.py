from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from chaos.harness import Cluster
from chaos.servers import BrokerBehindProxy
from support.servers.brokers import Broker
from support.servers.proxy import Proxy
from support.servers.redis_server import RedisServer

FIGURES: list[str] = []


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Note what was measured; it is shown at the end of the run."""
    return lambda text: FIGURES.append(f"{request.node.name}: {text}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if FIGURES:
        terminalreporter.section("measured")
        for line in FIGURES:
            terminalreporter.line(line)


@pytest_asyncio.fixture
async def cluster(tmp_path: Path, broker: Broker) -> AsyncIterator[Cluster]:
    opened = await Cluster(tmp_path, broker.url).open()
    yield opened
    await opened.close()


@pytest.fixture
def durable_redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path, durable=True) as server:
        yield server


@pytest_asyncio.fixture
async def redis_cluster(tmp_path: Path, broker: Broker, durable_redis: RedisServer) -> AsyncIterator[Cluster]:
    opened = await Cluster(tmp_path, broker.url, online_store=durable_redis.url()).open()
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """A proxy with a broker behind it."""
    async with Proxy() as opened:
        server = BrokerBehindProxy(opened.port)
        opened.upstream = server.port
        yield opened
        server.stop()


@pytest_asyncio.fixture
async def proxied_cluster(tmp_path: Path, proxy: Proxy) -> AsyncIterator[Cluster]:
    opened = await Cluster(tmp_path, f"kafka://127.0.0.1:{proxy.port}").open()
    yield opened
    proxy.restore()
    await opened.close()
