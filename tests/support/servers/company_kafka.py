"""A node of Apache Kafka as a company has it: TLS, SCRAM, access control lists, and nobody else's topics."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

from support.servers.certificates import SOUND, Authority
from support.servers.kafka import Kafka
from support.servers.ports import reserve_port

ADMIN: Final = "admin"

_SCRIPTS: Final = {
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
    "kafka-configs.sh": "kafka.admin.ConfigCommand",
    "kafka-acls.sh": "org.apache.kafka.tools.AclCommand",
    "kafka-consumer-groups.sh": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
}


class CompanyKafka(Kafka):
    """One node with one door for logins; the other one is for the test.

    Args:
        folder: everything of it lies here.

    Attributes:
        address: `host:port` of the door for logins.
        authority: signs the node's certificate.
        scripts: a folder with Kafka's own tools under the names that a distribution gives them.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.address = f"127.0.0.1:{reserve_port()}"
        self.authority = Authority(folder / "tls")
        certificate, key = self.authority.issue("broker", SOUND)
        store = folder / "tls" / "broker.store"
        store.write_text(key.read_text() + certificate.read_text() + self.authority.file.read_text())
        doors = f"PLAINTEXT://{self.servers[0]},LOGINS://{self.address}"
        module = "org.apache.kafka.common.security.scram.ScramLoginModule"
        self._properties = {
            "listeners": f"{doors},CONTROLLER://127.0.0.1:{self._controllers[0]}",
            "advertised.listeners": doors,
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,LOGINS:SASL_SSL",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": store,
            "listener.name.logins.sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.logins.scram-sha-512.sasl.jaas.config": f"{module} required;",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": f"User:{ADMIN};User:ANONYMOUS",
            "auto.create.topics.enable": "false",
        }
        self.scripts = folder / "bin"
        self.scripts.mkdir()
        for name, of in _SCRIPTS.items():
            script = self.scripts / name
            script.write_text(f'#!/bin/sh\nexec {shlex.join(self._java(of))} "$@"\n')
            script.chmod(0o700)

    def set_password(self, user: str, password: str) -> None:
        """Let a user log in by SCRAM with this password, and no other, from now on."""
        words = ["--bootstrap-server", self.servers[0], "--alter", "--entity-type", "users", "--entity-name", user]
        self.tool("kafka.admin.ConfigCommand", *words, "--add-config", f"SCRAM-SHA-512=[password={password}]")
