"""A node of Apache Kafka with a door for every usual login."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from support.servers.certificates import SOUND, Authority
from support.servers.kafka import Kafka
from support.servers.ports import reserve_port

DOORS: Final = {
    "TLS": "SSL",
    "MTLS": "SSL",
    "PLAINTLS": "SASL_SSL",
    "SCRAM": "SASL_PLAINTEXT",
    "SCRAMMTLS": "SASL_SSL",
    "OAUTH": "SASL_PLAINTEXT",
}
"""The protocol of each listener beside the administrator's."""

SESSION_MS: Final = 3000
"""Life of a login by SCRAM."""

PASSWORD: Final = "plain-secret"
_MODULES: Final = "org.apache.kafka.common.security"


class LoginKafka(Kafka):
    """One node; `url` is the administrator's door, and `door` the others.

    Args:
        folder: everything of it lies here.
        keys: the file of a token server's public keys.
        audience: that tokens must name.

    Attributes:
        authority: signs the node's certificate and those of clients that it trusts.
    """

    def __init__(self, folder: Path, keys: Path, audience: str) -> None:
        super().__init__(folder)
        self._keys = keys
        self.authority = Authority(folder / "tls")
        certificate, key = self.authority.issue("broker", SOUND)
        store = folder / "tls" / "broker.store"
        store.write_text(key.read_text() + certificate.read_text() + self.authority.file.read_text())
        self._places = {name: reserve_port() for name in DOORS}
        outside = [f"PLAINTEXT://{self.servers[0]}", *(f"{name}://127.0.0.1:{at}" for name, at in self._places.items())]
        kinds = [f"{name}:{protocol}" for name, protocol in DOORS.items()]
        token = "listener.name.oauth.oauthbearer.sasl"
        self._properties = {
            "listeners": ",".join([*outside, f"CONTROLLER://127.0.0.1:{self._controllers[0]}"]),
            "advertised.listeners": ",".join(outside),
            "listener.security.protocol.map": ",".join(["CONTROLLER:PLAINTEXT", "PLAINTEXT:PLAINTEXT", *kinds]),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": store,
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": self.authority.file,
            "listener.name.mtls.ssl.client.auth": "required",
            "listener.name.scrammtls.ssl.client.auth": "required",
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.plaintls.plain.sasl.jaas.config": (
                f'{_MODULES}.plain.PlainLoginModule required user_shop="{PASSWORD}";'
            ),
            "listener.name.oauth.sasl.enabled.mechanisms": "OAUTHBEARER",
            f"{token}.jaas.config": f"{_MODULES}.oauthbearer.OAuthBearerLoginModule required;",
            f"{token}.server.callback.handler.class": f"{_MODULES}.oauthbearer.OAuthBearerValidatorCallbackHandler",
            f"{token}.oauthbearer.jwks.endpoint.url": keys.as_uri(),
            f"{token}.oauthbearer.expected.audience": audience,
            "auto.create.topics.enable": "false",
        }
        for door in ("scram", "scrammtls"):
            # A session ends after so long, under whatever load: the client logs in again.
            self._properties[f"listener.name.{door}.connections.max.reauth.ms"] = SESSION_MS
            self._properties[f"listener.name.{door}.sasl.enabled.mechanisms"] = "SCRAM-SHA-256,SCRAM-SHA-512"
            for size in (256, 512):
                self._properties[f"listener.name.{door}.scram-sha-{size}.sasl.jaas.config"] = (
                    f"{_MODULES}.scram.ScramLoginModule required;"
                )

    def door(self, name: str) -> str:
        """The URL of a listener."""
        return f"kafka://127.0.0.1:{self._places[name]}"

    def set_password(self, user: str, password: str) -> None:
        """Let a user log in by SCRAM with this password, and no other, from now on."""
        words = ["--bootstrap-server", self.servers[0], "--alter", "--entity-type", "users", "--entity-name", user]
        for size in (256, 512):
            self.tool("kafka.admin.ConfigCommand", *words, "--add-config", f"SCRAM-SHA-{size}=[password={password}]")

    def _java(self, *arguments: str) -> list[str]:
        java, *rest = super()._java(*arguments)
        return [java, f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={self._keys.as_uri()}", *rest]
