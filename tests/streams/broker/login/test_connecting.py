"""How long connecting may take: each step has a time of its own, which is not that of an answer."""

from __future__ import annotations

import asyncio

import pytest
from support.patience import PATIENCE_S
from support.servers.brokers import Broker

from streams.broker.connection import connection
from streams.broker.errors.reachability import find_trouble
from streams.broker.login.connecting import Patience, connecting_ms, create_conn
from streams.settings import load_settings

FOR_EVER_S = 10 * PATIENCE_S


async def _silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def test_a_server_that_takes_connections_and_says_nothing_costs_no_answers_time() -> None:
    server = await asyncio.start_server(_silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    options = connection(
        load_settings(broker=f"kafka://127.0.0.1:{port}", request_timeout_s=FOR_EVER_S, connect_timeout_s=0.2)
    )
    chosen = {name: value for name, value in options.items() if name != "bootstrap_servers"}
    async with server, asyncio.timeout(PATIENCE_S):
        with pytest.raises(TimeoutError):
            await create_conn("127.0.0.1", port, **chosen)
        trouble = await find_trouble(options)
    assert trouble is not None
    assert "did not answer within 0.2 s" in trouble.what


async def test_a_connection_that_is_made_waits_for_answers_as_long_as_ever(broker: Broker) -> None:
    host, _, port = broker.url.removeprefix("kafka://").rpartition(":")
    made = await create_conn(host, int(port), request_timeout_ms=Patience.of(FOR_EVER_S, PATIENCE_S))
    try:
        assert made._request_timeout == FOR_EVER_S
    finally:
        made.close()


def test_connecting_takes_no_longer_than_an_answer() -> None:
    assert connecting_ms(Patience.of(2.0, 10.0)) == 2000
    assert connecting_ms(Patience.of(30.0, 10.0)) == 10_000
    assert connecting_ms(30_000) == 30_000
