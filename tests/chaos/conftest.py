from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from chaos.account import Account, table, with_accounts
from chaos.harness import Cluster
from chaos.servers import BrokerBehindProxy
from support.artefacts import capacity_artefact
from support.servers.brokers import Broker
from support.servers.proxy import Proxy
from support.servers.redis_server import RedisServer

FIGURES: list[str] = []
ACCOUNTS: list[Account] = []

EVEN_TIME = {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_FORCE_MONOTONIC_FIX": "0"}
"""Only the clock on the wall is another: Java would wait by it otherwise, and for ever."""


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Note what was measured; it is shown at the end of the run."""
    return lambda text: FIGURES.append(f"{request.node.name}: {text}")


@pytest.fixture
def account() -> Callable[[Account], None]:
    """Note what a fault cost; the table of them is shown at the end of the run."""
    return ACCOUNTS.append


@pytest.fixture
def an_hour_ahead() -> dict[str, str]:
    """Give the environment of a process whose clock is an hour ahead; time still passes evenly for it."""
    found = sorted(Path("/usr/lib").glob("**/libfaketimeMT.so.1"))
    if not found:
        pytest.skip("libfaketime is not installed: a node whose clock is ahead is not tested")
    return {"LD_PRELOAD": str(found[0]), "FAKETIME": "+1h", **EVEN_TIME}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if ACCOUNTS:
        terminalreporter.section("faults of three nodes")
        for line in table(ACCOUNTS):
            terminalreporter.line(line)
        if page := config.getoption("faults_page"):
            page.write_text(with_accounts(page.read_text(), ACCOUNTS))
    if FIGURES:
        terminalreporter.section("measured")
        for line in FIGURES:
            terminalreporter.line(line)


def with_capacity(folder: Path) -> str:
    """Put an artefact of capacity under a folder: whatever is done to a worker is done to a third output too."""
    capacity_artefact(least_evidence=2).save(folder / "capacity")
    return str(folder / "capacity")


@pytest_asyncio.fixture
async def cluster(tmp_path: Path, broker: Broker) -> AsyncIterator[Cluster]:
    opened = await Cluster(tmp_path, broker.url, items=True, capacity_artefact=with_capacity(tmp_path)).open()
    yield opened
    await opened.close()


@pytest.fixture
def durable_redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path, durable=True) as server:
        yield server


@pytest_asyncio.fixture
async def redis_cluster(tmp_path: Path, broker: Broker, durable_redis: RedisServer) -> AsyncIterator[Cluster]:
    store, capacity = durable_redis.url(), with_capacity(tmp_path)
    further = {"items": True, "capacity_artefact": capacity}
    opened = await Cluster(tmp_path, broker.url, online_store=store, **further).open()
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
    opened = await Cluster(tmp_path, f"kafka://127.0.0.1:{proxy.port}", items=True).open()
    yield opened
    proxy.restore()
    await opened.close()
