"""Ports of the loopback that no other process is given while this one lives."""

from __future__ import annotations

import socket

_held: list[socket.socket] = []


def reserve_port() -> int:
    """Return a port for a server that is started on it, or for nobody at all.

    A socket stays bound to it without listening, so that the kernel gives the port to nobody who asks for any port, be
    it to listen or to connect. A server that sets SO_REUSEADDR, as all do that we start, may listen on it beside that
    socket, be stopped, and come back. Nobody else can: until then a connection to it is refused.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    _held.append(holder)
    port: int = holder.getsockname()[1]
    return port
