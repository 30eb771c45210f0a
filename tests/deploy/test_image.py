"""The image: what it is built of, and its health check."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from typing import Any

from support.paths import ROOT
from support.patience import PATIENCE_S
from support.servers.compose import DEPLOY

from models.libraries import FINETUNE, REGISTRY, TRAIN
from streams.settings import Settings, load_settings
from streams.telemetry.metrics import Metrics
from streams.telemetry.server import Server


def dockerfile() -> str:
    """The instructions, each on one line."""
    return (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")


def instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} +(.+)$", dockerfile(), flags=re.MULTILINE)


def test_the_image_is_built_from_files_that_reach_the_builder() -> None:
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {source for line in instructions("COPY") if "--from" not in line for source in line.split()[:-1]}
    assert copied == sent


def test_the_image_does_not_run_as_root() -> None:
    users = instructions("USER")
    assert users
    assert users[-1] not in {"root", "0"}


def test_the_image_has_the_tested_versions_of_all_that_its_commands_need() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (install,) = [line for line in instructions("RUN") if "pip install" in line]
    assert "--constraint constraints.txt" in install
    assert '".${EXTRAS:+[$EXTRAS]}"' in install
    (chosen,) = [set(line.removeprefix("EXTRAS=").split(",")) for line in instructions("ARG") if "EXTRAS" in line]
    # What commands need; the others are for developers, and for an encoder that a setting names.
    assert chosen == {"demo", TRAIN, FINETUNE, REGISTRY} <= set(project["optional-dependencies"])
    images = {line.split(":")[1].split("-")[0] for line in instructions("FROM")}
    assert {f">={version}" for version in images} == {project["requires-python"]}


def test_a_library_of_the_system_that_a_package_is_linked_against_is_installed() -> None:
    needed = {"libgomp1"} if "lightgbm" in (ROOT / "pyproject.toml").read_text() else set()
    installed = {word for line in instructions("RUN") if "apt-get install" in line for word in line.split()}
    assert needed <= installed


def checked(test: list[str], port: int) -> int:
    """The exit code of a health check, run here."""
    command = [sys.executable if word == "python" else word.replace("9464", str(port)) for word in test]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WHEREWITHAL_")}
    return subprocess.run(command, env=environment, capture_output=True, check=False, timeout=PATIENCE_S).returncode


def test_the_health_checks_of_image_and_compose_tell_a_worker_that_is_well(workers: dict[str, Any]) -> None:
    (of_image,) = [json.loads(line.partition("CMD ")[2]) for line in instructions("HEALTHCHECK")]
    (of_worker,) = {tuple(worker["healthcheck"]["test"][1:]) for worker in workers.values()}
    asked: list[str] = []

    def answer(path: str) -> str | None:
        asked.append(path)
        return reason

    reason: str | None = None
    ports = {str(Settings.model_fields["metrics_port"].default), *instructions("EXPOSE")}
    assert ports == {worker["environment"]["WHEREWITHAL_METRICS_PORT"] for worker in workers.values()} == {"9464"}
    server = Server(load_settings(metrics_port=0), Metrics(), lambda: answer("live"), lambda: answer("ready"))
    server.start()
    try:
        for test in (of_image, list(of_worker)):
            assert checked(test, server.port) == 0
        reason = "the broker does not answer"
        for test in (of_image, list(of_worker)):
            assert checked(test, server.port) != 0
    finally:
        server.stop()
    assert asked == ["live", "ready"] * 2
    assert checked(of_image, server.port) != 0, "nobody answers any more"
