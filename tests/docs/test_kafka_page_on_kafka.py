"""The commands of the page on Kafka, one after the other, on a secured node of Apache Kafka: they end with a score."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command import environment
from support.pages import KAFKA, blocks, text_of
from support.paths import ROOT
from support.patience import PATIENCE_S
from support.servers.company_kafka import ADMIN, CompanyKafka
from support.servers.kafka import kafka_libraries

FOR_A_CLUSTER = {
    "kafka-1:9093": "{address}",
    "ADMIN-PASSWORD": "of-the-admin",
    "partitions=12 replication=3 insync=2": "partitions=2 replication=1 insync=1",
}
"""What a reader has otherwise than the page: here, one node on loopback."""

WORKER = "wherewithal worker\n"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[CompanyKafka]:
    kafka_libraries()
    with CompanyKafka(tmp_path / "kafka") as started:
        started.set_password(ADMIN, FOR_A_CLUSTER["ADMIN-PASSWORD"])
        yield started


class Reader:
    """Types what the page says into one shell after another: each begins with what those before it exported."""

    def __init__(self, node: CompanyKafka, folder: Path) -> None:
        self._folder = folder
        (folder / "ca.pem").write_bytes(node.authority.file.read_bytes())
        program = node.scripts / "wherewithal"
        program.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, "-m", "streams.cli.main"])} "$@"\n')
        program.chmod(0o700)
        own = {"PATH": f"{node.scripts}:{os.environ['PATH']}", "WHEREWITHAL_METRICS_PORT": "0"}
        self._variables = environment(**own) | {"PYTHONPATH": str(ROOT)}
        self._typed = "set -euo pipefail\n"

    def type(self, block: str) -> str:
        """Run a block, and return what it printed."""
        self._typed += "".join(f"{line}\n" for line in block.splitlines() if line.startswith("export "))
        command = ["bash", "-c", f"{self._typed}{block}"]
        done = subprocess.run(
            command, cwd=self._folder, env=self._variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{block}{done.stdout}{done.stderr}"
        return done.stdout

    def leave_running(self, block: str) -> subprocess.Popen[bytes]:
        """Begin what goes on until it is told to end."""
        log = (self._folder / "worker.log").open("wb")
        command = ["bash", "-c", f"{self._typed}exec {block}"]
        return subprocess.Popen(command, cwd=self._folder, env=self._variables, stdout=log, stderr=log)


def test_whoever_follows_the_page_gets_a_score(node: CompanyKafka, tmp_path: Path) -> None:
    folder = tmp_path / "reader"
    folder.mkdir()
    typed = blocks(text_of(KAFKA), "sh")
    for shown, here in FOR_A_CLUSTER.items():
        assert any(shown in block for block in typed), shown
        typed = [block.replace(shown, here.format(address=node.address)) for block in typed]
    reader, worker = Reader(node, folder), None
    printed: dict[str, str] = {}
    try:
        for block in typed:
            if block == WORKER:
                worker = reader.leave_running(block)
                ready(folder / "worker.log", worker)
            else:
                printed[block] = reader.type(block)
        (checked,) = [said for block, said in printed.items() if "--check" in block]
        assert "ok       broker: " in checked
        assert "NOT WELL" not in checked
        deadline = time.monotonic() + PATIENCE_S
        (asking,) = [block for block in typed if "as pricing scores" in block]
        while "u1 " not in printed[asking]:
            assert time.monotonic() < deadline, printed[asking]
            printed[asking] = reader.type(asking)
        (group,) = [said for block, said in printed.items() if "consumer-groups" in block]
        assert "clicks" in group
    finally:
        if worker is not None:
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(PATIENCE_S) == 0


def ready(log: Path, worker: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while '"message": "ready"' not in log.read_text():
        assert worker.poll() is None, log.read_text()[-2000:]
        assert time.monotonic() < deadline, log.read_text()[-2000:]
        time.sleep(0.1)
