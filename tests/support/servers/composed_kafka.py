"""The Kafka of the compose files without containers: the same properties, made of the same variables, on loopback."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

from support.patience import PATIENCE_S
from support.servers.compose import DEPLOY, unescaped
from support.servers.kafka import Kafka

_CLUSTER: Final = "d2hlcmV3aXRoYWwtY29tcA"
_SECRETS: Final = "/run/secrets"
_DATA: Final = "/var/lib/kafka/data"


class ComposedKafka(Kafka):
    """The services of a compose document whose names begin with `kafka`, as nodes.

    What the image does at its start is done here by the same class of Kafka: it turns variables into properties, and
    formats the storage.

    Args:
        folder: everything of it lies here.
        document: a compose document.
        passwords: by login; written to files as secrets are.

    Attributes:
        services: the nodes by their names.
        admin_file: the properties of the administrator's client.
    """

    def __init__(self, folder: Path, document: dict[str, Any], passwords: dict[str, str]) -> None:
        self.document = document
        self.services = {name: one for name, one in document["services"].items() if name.startswith("kafka")}
        super().__init__(folder, nodes=len(self.services))
        self.admin_file = folder / "admin.properties"
        self.secrets = folder / "secrets"
        self.secrets.mkdir(parents=True)
        for login, password in passwords.items():
            (self.secrets / login).write_text(password)
        self.admin_file.write_text(self.here((DEPLOY / "kafka" / "admin.properties").read_text()))

    def here(self, text: str) -> str:
        """Text of the compose files with the hosts, ports and folders that stand for those of containers."""
        for node, name in zip(self.nodes, self.services, strict=True):
            text = re.sub(rf"\b{name}:9092\b", f"127.0.0.1:{self._ports[node - 1]}", text)
            text = re.sub(rf"\b{name}:9093\b", f"127.0.0.1:{self._controllers[node - 1]}", text)
        return text.replace(_SECRETS, str(self.secrets))

    def healthy(self, name: str) -> subprocess.CompletedProcess[str]:
        """Run the health check of a service, with Kafka's class in the place of its script."""
        test = list(self.services[name]["healthcheck"]["test"])
        assert test[:2] == ["CMD", "/opt/kafka/bin/kafka-broker-api-versions.sh"]
        own = self._ports[list(self.services).index(name)]
        mounted = "./kafka/admin.properties:/etc/kafka/admin.properties:ro"
        assert mounted in self.services[name]["volumes"]
        there = {"localhost:9092": f"127.0.0.1:{own}", "/etc/kafka/admin.properties": str(self.admin_file)}
        words = [there.get(word, word) for word in test[2:]]
        command = self._java("org.apache.kafka.tools.BrokerApiVersionsCommand", *words)
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)

    def _format(self, node: int) -> None:
        name = list(self.services)[node - 1]
        variables = {key: self.here(value) for key, value in unescaped(self.services[name]["environment"]).items()}
        own, controller = self._ports[node - 1], self._controllers[node - 1]
        listeners = variables["KAFKA_LISTENERS"].replace("://:9092", f"://127.0.0.1:{own}")
        variables["KAFKA_LISTENERS"] = listeners.replace("://:9093", f"://127.0.0.1:{controller}")
        variables["KAFKA_LOG_DIRS"] = variables["KAFKA_LOG_DIRS"].replace(_DATA, str(self._folder / f"data{node}"))
        folders = {part: self._folder / f"{part}{node}" for part in ("defaults", "mounted", "final")}
        for folder in folders.values():
            folder.mkdir(parents=True)
        for file in ("server.properties", "log4j2.yaml", "tools-log4j2.yaml"):
            (folders["defaults"] / file).write_text("")
            (folders["final"] / file).write_text("")
        parts = zip(("default", "mounted", "final"), folders.values(), strict=True)
        words = [f"--{part}-configs-dir={folder}" for part, folder in parts]
        others = {key: value for key, value in os.environ.items() if not key.startswith("KAFKA_")}
        done = subprocess.run(
            self._java("kafka.docker.KafkaDockerWrapper", "setup", *words),
            env=others | variables | {"CLUSTER_ID": _CLUSTER},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        shutil.copy(folders["final"] / "server.properties", self._file(node))
