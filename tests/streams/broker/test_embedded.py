"""The embedded broker as a process: it comes up, takes records, and is gone with its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.paths import ROOT
from support.patience import PATIENCE_S

from streams.broker import embedded as broker_module
from streams.broker.embedded import EmbeddedBroker
from streams.broker.publisher import Publisher
from streams.broker.reading import read_topic
from streams.broker.topics.provisioning import make_topics
from streams.contract import CLICKS, topic_name
from streams.exceptions import BrokerError
from streams.records.outgoing import Outgoing
from streams.settings import load_settings

PARENT = """
import sys, time
from streams.broker.embedded import EmbeddedBroker
broker = EmbeddedBroker().start()
print(broker._process.pid, flush=True)
time.sleep(60)
"""


def poll(reached: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while not reached() and time.monotonic() < deadline:
        time.sleep(0.02)
    return reached()


def running(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be reaped does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def script(folder: Path, body: str) -> str:
    path = folder / "broker"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


async def test_it_takes_records_and_gives_them_back() -> None:
    with EmbeddedBroker() as broker:
        settings = load_settings(broker=broker.url, partitions=1)
        await make_topics(settings)
        name = topic_name(settings, CLICKS)
        publisher = Publisher(settings)
        await publisher.start()
        sent = await publisher.send(name, 0, [Outgoing(b"k", b"one"), Outgoing(None, None, [("why", b"\x00")])])
        await sent.acknowledged()
        await publisher.stop()
        found = [record async for records in read_topic(settings, name) for record in records]
    assert [(record.key, record.value, record.headers) for record in found] == [
        (b"k", b"one", ()),
        (None, None, (("why", b"\x00"),)),
    ]


def test_two_brokers_do_not_get_in_each_others_way() -> None:
    with EmbeddedBroker() as one, EmbeddedBroker() as other:
        assert one.url != other.url


def test_after_the_stop_no_process_is_left() -> None:
    broker = EmbeddedBroker().start()
    process = broker._process
    assert process is not None
    assert process.poll() is None
    broker.stop()
    assert process.poll() is not None
    broker.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends a child with its parent on Linux only")
def test_it_is_gone_when_its_parent_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, cwd=ROOT)
    try:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert running(pid)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait(PATIENCE_S)
        if parent.stdout is not None:
            parent.stdout.close()
    assert poll(lambda: not running(pid)), "the broker outlived its parent"


@pytest.mark.parametrize("wrong", ["missing", "a folder", "not executable"])
def test_a_wrong_binary_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wrong: str) -> None:
    path = tmp_path / "broker"
    if wrong == "a folder":
        path.mkdir()
    elif wrong == "not executable":
        path.write_text("text")
        path.chmod(0o644)
    monkeypatch.setenv("CALF_TANSU_BIN", str(path))
    with pytest.raises(BrokerError) as refused:
        EmbeddedBroker().start()
    line = str(refused.value)
    assert line.startswith("CALF_TANSU_BIN: expected an executable broker")
    assert str(path) in line
    assert "\n" not in line


def test_a_binary_for_another_machine_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "broker"
    path.write_bytes(b"\x7fELF nonsense")
    path.chmod(0o755)
    monkeypatch.setenv("CALF_TANSU_BIN", str(path))
    with pytest.raises(BrokerError, match=r"cannot be started: .*; set WHEREWITHAL_BROKER="):
        EmbeddedBroker().start()


def test_a_broker_that_ends_is_tried_on_other_ports_and_then_given_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    attempts = tmp_path / "attempts"
    monkeypatch.setenv("CALF_TANSU_BIN", script(tmp_path, f'echo "$3" >> {attempts}\nexit 7'))
    broker = EmbeddedBroker()
    with pytest.raises(BrokerError, match="ended at once with exit code 7; set WHEREWITHAL_BROKER="):
        broker.start()
    tried = attempts.read_text().split()
    assert len(tried) == broker_module.ATTEMPTS
    assert all(address.startswith("tcp://127.0.0.1:") for address in tried)
    assert broker._process is None


def test_a_broker_that_takes_no_connection_is_given_up_and_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CALF_TANSU_BIN", script(tmp_path, "exec sleep 3600"))
    monkeypatch.setattr(broker_module, "START_TIMEOUT_S", 0.5)
    launched: list[subprocess.Popen[bytes]] = []
    launch = EmbeddedBroker._launch

    def noting(broker: EmbeddedBroker, binary: Path, port: int) -> subprocess.Popen[bytes]:
        launched.append(launch(broker, binary, port))
        return launched[-1]

    monkeypatch.setattr(EmbeddedBroker, "_launch", noting)
    with pytest.raises(BrokerError, match="took no connection"):
        EmbeddedBroker().start()
    (process,) = launched
    assert process.poll() is not None


def test_a_broker_that_does_not_end_when_asked_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    listening = (
        "import signal, socket, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "server = socket.create_server(('127.0.0.1', int(sys.argv[3].rpartition(':')[2])))\n"
        "time.sleep(60)\n"
    )
    path = tmp_path / "broker"
    path.write_text(f"#!{sys.executable}\n{listening}")
    path.chmod(0o755)
    monkeypatch.setenv("CALF_TANSU_BIN", str(path))
    monkeypatch.setattr(broker_module, "STOP_TIMEOUT_S", 0.3)
    broker = EmbeddedBroker().start()
    process = broker._process
    assert process is not None
    broker.stop()
    assert process.poll() == -signal.SIGKILL


def test_a_binary_without_the_right_to_execute_is_copied_and_the_copy_removed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CALF_TANSU_BIN", raising=False)
    packed = broker_module._packed_binary()
    plain = tmp_path / "tansu"
    plain.symlink_to(packed)
    copies = tmp_path / "copies"
    copies.mkdir()
    monkeypatch.setattr(broker_module, "_packed_binary", lambda: plain)
    monkeypatch.setattr(broker_module.tempfile, "tempdir", str(copies))
    refusing = os.access
    monkeypatch.setattr(broker_module.os, "access", lambda path, mode: path != plain and refusing(path, mode))
    with EmbeddedBroker() as broker:
        assert broker.url.startswith("kafka://127.0.0.1:")
        assert len(list(copies.iterdir())) == 1
    assert list(copies.iterdir()) == []
