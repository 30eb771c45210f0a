"""Apache Kafka for tests: nodes of an unpacked distribution, found by `KAFKA_HOME` (a folder with `libs/`)."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest

from support.patience import PATIENCE_S
from support.servers.class_archive import formatted, prepared
from support.servers.ports import reserve_port

POLL_S: Final = 0.05

_CLUSTER: Final = "d2hlcmV3aXRoYWwtdGVzdA"
_CLASSES: Final = "node.jsa"
_DISK: Final = "formatted"
_PR_SET_PDEATHSIG: Final = 1


def kafka_libraries() -> Path:
    """The folder of Kafka's jars; skips the test, saying why, where there is no Kafka or no Java."""
    home = os.environ.get("KAFKA_HOME", "")
    if not home:
        pytest.skip("KAFKA_HOME is not set: what needs Apache Kafka is not tested")
    libraries = Path(home).absolute() / "libs"
    if not libraries.is_dir():
        pytest.fail(f"KAFKA_HOME: expected a folder with libs/ in it, found none at {home}")
    if shutil.which("java") is None:
        pytest.skip("java is not installed: what needs Apache Kafka is not tested")
    return libraries


class Kafka:
    """A cluster of nodes that are broker and controller at once, gone with the process that made it.

    Args:
        folder: everything of it lies here.
        nodes: how many; numbered from 1.
        properties: lines of `server.properties` beside or instead of the defaults.
        advertised: ports of the loopback by which clients and other nodes reach nodes that something stands in front
            of; the rest is reached at its own.

    Attributes:
        servers: `host:port` of every node, as it is reached.
        url: for the setting `broker`.
    """

    def __init__(
        self,
        folder: Path,
        nodes: int = 1,
        properties: Mapping[str, object] | None = None,
        advertised: Mapping[int, int] | None = None,
    ) -> None:
        self._libraries = kafka_libraries()
        self._folder = folder
        self._ports = [reserve_port() for _ in range(nodes)]
        self._controllers = [reserve_port() for _ in range(nodes)]
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._properties = dict(properties or {})
        self._advertised = dict(zip(self.nodes, self._ports, strict=True)) | dict(advertised or {})
        self.servers = [f"127.0.0.1:{port}" for port in self._advertised.values()]
        self.url = "kafka://" + ",".join(self.servers)

    def __enter__(self) -> Kafka:
        try:
            for node in self.nodes:
                self._format(node)
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def nodes(self) -> Sequence[int]:
        """The numbers of the nodes."""
        return range(1, len(self._ports) + 1)

    def port(self, node: int) -> int:
        """Return where a node listens."""
        return self._ports[node - 1]

    def pid(self, node: int) -> int:
        """Return the process of a node."""
        return self._processes[node].pid

    def start(self, *nodes: int) -> None:
        """Start nodes (all by default) and wait until they take connections."""
        for node in nodes or self.nodes:
            self.launch(node)
        for node in nodes or self.nodes:
            self.listening(node)

    def launch(self, node: int, environment: Mapping[str, str] | None = None) -> None:
        """Start a node, with more variables in its environment. It ends with the thread that calls this."""
        with (self._folder / f"{node}.log").open("ab") as log:
            command = self._java("kafka.Kafka", str(self._file(node)))
            self._processes[node] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | dict(environment or {}),
                preexec_fn=_die_with_parent,
            )

    def kill(self, node: int) -> None:
        """SIGKILL."""
        self._processes[node].kill()
        self._processes[node].wait()

    def stop(self, node: int) -> None:
        """SIGTERM, and wait for its orderly end."""
        self._processes[node].terminate()
        self._processes[node].wait(PATIENCE_S)

    def lose_disk(self, node: int) -> None:
        """Give a node that does not run an empty disk, under the same number."""
        shutil.rmtree(self._data(node))
        self._format(node)

    def suspend(self, node: int) -> None:
        """SIGSTOP."""
        self._processes[node].send_signal(signal.SIGSTOP)

    def resume(self, node: int) -> None:
        """SIGCONT."""
        self._processes[node].send_signal(signal.SIGCONT)

    def tool(self, name: str, *arguments: str) -> str:
        """Run one of Kafka's own tools by its class, and return what it prints."""
        done = subprocess.run(
            self._java(name, *arguments), capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        assert done.returncode == 0, f"{name} ended with {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout

    def _java(self, *arguments: str) -> list[str]:
        quick = ["-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]
        return [
            "java",
            *quick,
            *self._classes(arguments[0]),
            f"-Dlog4j2.configurationFile={self._logging()}",
            "-cp",
            f"{self._libraries}/*",
            *arguments,
        ]

    def _classes(self, program: str) -> list[str]:
        return [f"-XX:SharedArchiveFile={prepared(self._libraries, _prepare) / _CLASSES}"]

    def _logging(self) -> Path:
        path = self._folder / "log4j2.properties"
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            path.write_text(
                "rootLogger.level=WARN\nrootLogger.appenderRef.out.ref=OUT\n"
                "appender.out.type=Console\nappender.out.name=OUT\nappender.out.layout.type=PatternLayout\n"
                "appender.out.layout.pattern=%d %p %m (%c)%n%throwable\n"
            )
        return path

    def _file(self, node: int) -> Path:
        return self._folder / f"{node}.properties"

    def _data(self, node: int) -> Path:
        return self._folder / f"data{node}"

    def _format(self, node: int) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        here, controller = self._ports[node - 1], self._controllers[node - 1]
        voters = ",".join(f"{one}@127.0.0.1:{port}" for one, port in zip(self.nodes, self._controllers, strict=True))
        replicas = min(3, len(self._ports))
        chosen: dict[str, object] = {
            "process.roles": "broker,controller",
            "node.id": node,
            "controller.quorum.voters": voters,
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://127.0.0.1:{here},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self._advertised[node]}",
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": self._data(node),
            "offsets.topic.num.partitions": 1,
            "offsets.topic.replication.factor": replicas,
            "transaction.state.log.num.partitions": 1,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": min(2, replicas),
            "share.coordinator.state.topic.replication.factor": replicas,
            "share.coordinator.state.topic.min.isr": min(2, replicas),
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1000,
        }
        lines = [f"{name}={value}" for name, value in (chosen | self._properties).items()]
        self._file(node).write_text("\n".join(lines) + "\n")
        self._make_disk(node)

    def _make_disk(self, node: int) -> None:
        formatted(prepared(self._libraries, _prepare) / _DISK, self._data(node), node)

    def listening(self, node: int) -> None:
        """Wait until a node takes connections."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            code = self._processes[node].poll()
            log = (self._folder / f"{node}.log").read_text(errors="replace")
            assert code is None, f"node {node} ended with {code}: {log[-2000:]}"
            try:
                socket.create_connection(("127.0.0.1", self._ports[node - 1]), timeout=1).close()
            except OSError:
                assert time.monotonic() < deadline, f"node {node} did not listen within {PATIENCE_S:g} s: {log[-2000:]}"
                time.sleep(POLL_S)
            else:
                return


class _First(Kafka):
    """A node that finds nothing prepared, and leaves an archive of the classes that it has loaded.

    Args:
        folder: everything of it lies here.
        kept: gets the archive and a formatted disk.
    """

    def __init__(self, folder: Path, kept: Path) -> None:
        super().__init__(folder)
        self._kept = kept

    def _classes(self, program: str) -> list[str]:
        return [f"-XX:ArchiveClassesAtExit={self._kept / _CLASSES}"] if program == "kafka.Kafka" else []

    def _make_disk(self, node: int) -> None:
        self.tool("kafka.tools.StorageTool", "format", "-t", _CLUSTER, "-c", str(self._file(node)))
        shutil.copytree(self._data(node), self._kept / _DISK, dirs_exist_ok=True)


def _prepare(kept: Path) -> None:
    # What a run that was killed has left.
    shutil.rmtree(kept / "first", ignore_errors=True)
    with _First(kept / "first", kept) as node:
        # What a client asks for is loaded as well.
        node.tool("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", node.servers[0], "--list")
        node.stop(1)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
