"""A node of Apache Kafka that knows its clients: logins by SASL PLAIN, and access control lists."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from support.servers.kafka import Kafka
from support.servers.ports import reserve_port

ADMIN: Final = "admin"
_LISTENER: Final = "LOGINS"
_LOGINS: Final = f"listener.name.{_LISTENER.lower()}.plain.sasl.jaas.config"


class SecuredKafka(Kafka):
    """One node with two doors: `url` for the administrator, who may all, and `guarded_url` for logins.

    A login may do with a topic, a group or the cluster what its list allows; without a list, everything or nothing.

    Args:
        folder: everything of it lies here.
        logins: password by name.
        open_by_default: whether a login may do everything with what has no list.
    """

    def __init__(self, folder: Path, logins: Mapping[str, str], *, open_by_default: bool = True) -> None:
        super().__init__(folder)
        here, controller, guarded = self._ports[0], self._controllers[0], reserve_port()
        self.guarded_url = f"kafka://127.0.0.1:{guarded}"
        doors = f"PLAINTEXT://127.0.0.1:{here},{_LISTENER}://127.0.0.1:{guarded}"
        self._properties = {
            "listeners": f"{doors},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": doors,
            "listener.security.protocol.map": f"CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,{_LISTENER}:SASL_PLAINTEXT",
            "sasl.enabled.mechanisms": "PLAIN",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            # Whoever uses the door without logins is nobody in particular.
            "super.users": f"User:{ADMIN};User:ANONYMOUS",
            "allow.everyone.if.no.acl.found": str(open_by_default).lower(),
            "auto.create.topics.enable": "false",
        }
        self._know(logins)

    def change_logins(self, logins: Mapping[str, str]) -> None:
        """Know other passwords from now on; every connection is closed on the way."""
        self.kill(1)
        before = self._properties[_LOGINS]
        self._know(logins)
        file = self._file(1)
        file.write_text(file.read_text().replace(f"{before}", f"{self._properties[_LOGINS]}"))
        self.start()

    def login(self, name: str, password: str) -> dict[str, Any]:
        """Settings that use the guarded door."""
        return {"broker": self.guarded_url, "broker_username": name, "broker_password": password}

    def allow(self, name: str, operations: str, *resources: str) -> None:
        """Allow a login some operations on resources (`--topic`, `clicks`), and so nobody else any there."""
        chosen = [word for operation in operations.split() for word in ("--operation", operation)]
        principal = ["--allow-principal", f"User:{name}"]
        address = ["--bootstrap-server", self.servers[0], "--add"]
        self.tool("org.apache.kafka.tools.AclCommand", *address, *principal, *chosen, *resources)

    def _know(self, logins: Mapping[str, str]) -> None:
        users = " ".join(f'user_{name}="{password}"' for name, password in logins.items())
        module = "org.apache.kafka.common.security.plain.PlainLoginModule"
        self._properties[_LOGINS] = f"{module} required {users};"
