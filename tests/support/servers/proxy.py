"""A TCP proxy between a worker and its broker, that cuts, delays, stalls and refuses."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType

CHUNK = 1 << 16


class Proxy:
    """Forwards connections to `upstream`, until told otherwise.

    Attributes:
        port: where it listens, on loopback.
        upstream: port that new connections are forwarded to.
        delay_s: how long every chunk is held, in both directions.
        accepted: connections taken in so far.
    """

    def __init__(self, upstream: int = 0) -> None:
        self.port = 0
        self.upstream = upstream
        self.delay_s = 0.0
        self.accepted = 0
        self._refusing = False
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self.cut()

    async def cut(self) -> int:
        """Drop every connection at once, whatever is under way on it; return how many there were."""
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)
        return len(links)

    async def refuse(self) -> None:
        """Drop every connection, and each new one at once: a broker that is down."""
        self._refusing = True
        await self.cut()

    def stall(self) -> None:
        """Keep the connections and forward nothing: a network that swallows packets."""
        self._flowing.clear()

    def restore(self) -> None:
        """Forward as if nothing had been."""
        self._refusing = False
        self.delay_s = 0.0
        self._flowing.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.current_task()
        assert task is not None
        self._links.add(task)
        try:
            if not self._refusing:
                # A client that goes away in the middle is what this is for.
                with suppress(OSError):
                    await self._link(reader, writer)
        except asyncio.CancelledError:
            pass  # cut
        finally:
            self._links.discard(task)
            writer.transport.abort()

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        pumps = [
            asyncio.create_task(self._pump(reader, far_writer)),
            asyncio.create_task(self._pump(far_reader, writer)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            far_writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(CHUNK):
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            await self._flowing.wait()
            writer.write(chunk)
            await writer.drain()
