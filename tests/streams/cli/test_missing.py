"""What the command needs and does not find: one line says so."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import environment, refused, run
from support.paths import ROOT


@pytest.mark.parametrize("words", [["replay", "FILE"], ["produce", "FILE"], ["scores"], ["scores", "--follow"]])
def test_a_broker_that_is_not_there_is_one_line(events: Path, unused_port: int, words: list[str]) -> None:
    line = refused(
        1,
        *[events if word == "FILE" else word for word in words],
        WHEREWITHAL_BROKER=f"kafka://127.0.0.1:{unused_port}",
        WHEREWITHAL_REQUEST_TIMEOUT_S="2",
    )
    assert "broker" in line
    assert "check" in line


def test_a_worker_without_its_broker_ends_with_the_reason_after_its_log(unused_port: int, tmp_path: Path) -> None:
    code, out, err = run(
        "worker",
        folder=tmp_path,
        WHEREWITHAL_BROKER=f"kafka://127.0.0.1:{unused_port}",
        WHEREWITHAL_REQUEST_TIMEOUT_S="2",
        WHEREWITHAL_METRICS_PORT="0",
    )
    assert (code, out) == (1, "")
    *logged, last = err.splitlines()
    assert last.startswith("wherewithal worker: the broker at 127.0.0.1:")
    assert all(json.loads(line)["level"] for line in logged)


def test_a_metrics_port_that_is_taken_is_one_line(unused_port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refused(
            2,
            "worker",
            WHEREWITHAL_BROKER=f"kafka://127.0.0.1:{unused_port}",
            WHEREWITHAL_METRICS_PORT=str(port),
        )
    assert f"WHEREWITHAL_METRICS_PORT: 127.0.0.1:{port} cannot be used" in line


@pytest.mark.parametrize(
    "variable", ["WHEREWITHAL_ENCODER", "WHEREWITHAL_ARTEFACT", "WHEREWITHAL_SHADOW_ARTEFACT", "WHEREWITHAL_DEVICE"]
)
def test_a_model_that_is_not_there_is_one_line(events: Path, tmp_path: Path, variable: str) -> None:
    line = refused(2, "replay", events, **{variable: str(tmp_path / "none")})
    assert line.startswith(f"wherewithal replay: {variable}: ")
    assert str(tmp_path / "none") in line


def test_a_redis_that_is_not_there_ends_the_start(events: Path, unused_port: int) -> None:
    line = refused(1, "replay", events, WHEREWITHAL_ONLINE_STORE=f"redis://:hunter2@127.0.0.1:{unused_port}/0")
    assert "WHEREWITHAL_ONLINE_STORE: expected the Redis online store at" in line
    assert "hunter2" not in line


@pytest.mark.parametrize("binary", ["/no/such/broker", "/bin/false"])
def test_an_embedded_broker_that_does_not_start_is_one_line(events: Path, binary: str) -> None:
    assert "broker" in refused(1, "replay", events, CALF_TANSU_BIN=binary)


def test_a_temporary_folder_that_is_not_there_is_one_line(events: Path) -> None:
    code = (
        "import sys, tempfile\n"
        "tempfile._candidate_tempdir_list = lambda: ['/no/such/folder']\n"
        "from streams.cli.main import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, "replay", events], capture_output=True, text=True, cwd=ROOT, env=environment()
    )
    assert ran.returncode == 1
    assert ran.stderr.startswith("wherewithal replay: No usable temporary directory found")
    assert ran.stderr.count("\n") == 1


def test_a_package_that_is_not_installed_is_one_line(tmp_path: Path) -> None:
    code = "import sys\nsys.modules['cramjam'] = None\nfrom streams.cli.main import main\nsys.exit(main(['worker']))\n"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(WHEREWITHAL_BROKER="kafka://127.0.0.1:9"),
        capture_output=True,
        text=True,
        check=False,
    )
    line = "wherewithal: expected the package cramjam, found none: install wherewithal again\n"
    assert (done.returncode, done.stderr) == (1, line)
