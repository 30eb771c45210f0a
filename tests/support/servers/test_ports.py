"""What keeps the servers of test processes apart that run beside each other."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from support.servers.ports import reserve_port
from support.servers.redis_server import RedisServer

DRAWS = 40_000
"""More than there are ports to be had by asking for any."""

DRAW = """
import socket, sys
drawn = set()
for _ in range(int(sys.argv[1])):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        drawn.add(probe.getsockname()[1])
print(*drawn)
"""


def test_a_reserved_port_is_given_to_no_other_process_and_takes_a_server_of_ours() -> None:
    port = reserve_port()
    drawing = subprocess.run([sys.executable, "-c", DRAW, str(DRAWS)], capture_output=True, text=True, check=True)
    drawn = {int(other) for other in drawing.stdout.split()}
    assert len(drawn) > 5000
    assert port not in drawn
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    for _ in range(2):
        with socket.create_server(("127.0.0.1", port)):
            socket.create_connection(("127.0.0.1", port)).close()


def test_the_redis_server_of_another_process_is_not_taken_for_ours(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as other:
        assert other.client().ping()
        ours = RedisServer(tmp_path, port=other.port)
        with pytest.raises(AssertionError, match=r"redis-server ended|that of another process"):
            ours.start()
        ours.stop()
        assert other.client().ping()
