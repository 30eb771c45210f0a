"""What every connection of this process does as it logs in, Faust's included: secrets are read then, not before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, Self

import aiokafka.client
import aiokafka.conn
from aiokafka.conn import AIOKafkaConnection, OAuthAuthenticator
from aiokafka.errors import SaslAuthenticationFailed

from streams.broker.login.secret import Secret
from streams.broker.login.tls import ClientContext

_connect: Final[Callable[..., Awaitable[AIOKafkaConnection]]] = aiokafka.conn.create_conn


class Patience(int):
    """Milliseconds of waiting for an answer, as clients take them, with those for each step of a new connection.

    aiokafka has one time for both. A node that hangs takes connections still, so that each new one would cost as much
    as a request does, and a client makes one connection at a time.

    Attributes:
        connecting: ms for each step: reaching the server, its first answer, each answer of the login.
    """

    connecting: int

    @classmethod
    def of(cls, answer_s: float, connecting_s: float) -> Self:
        """Return the patience of so many seconds; connecting takes no longer than an answer does."""
        patience = cls(answer_s * 1000)
        patience.connecting = int(min(answer_s, connecting_s) * 1000)
        return patience


def connecting_ms(answer_ms: int) -> int:
    """Return how long a client that waits so long for an answer waits in each step of connecting."""
    return answer_ms.connecting if isinstance(answer_ms, Patience) else answer_ms


async def create_conn(host: str, port: int, **options: Any) -> AIOKafkaConnection:
    """Connect as aiokafka does, with the password and the certificate that their files hold now.

    Args:
        host: of the server.
        port: of the server.
        options: of aiokafka; of a `Patience`, the time for connecting bounds each step.

    Raises:
        KafkaError: the connection fails, or a secret cannot be read.
        OSError: the connection fails.
        TimeoutError: the server does not answer.
    """
    password, context = options.get("sasl_plain_password"), options.get("ssl_context")
    if isinstance(password, Secret):
        options["sasl_plain_password"] = password.current()
    if isinstance(context, ClientContext):
        context.refresh()
    answer_ms = options["request_timeout_ms"]
    connection = await _connect(host, port, **options | {"request_timeout_ms": connecting_ms(answer_ms)})
    connection._request_timeout = answer_ms / 1000
    return connection


class _Authenticator(OAuthAuthenticator):
    """Reads what the server answers to a token. aiokafka takes a refusal for a login, and is cut off a step later."""

    async def step(self, payload: bytes | None) -> tuple[bytes, bool] | None:
        """Return what to send next, None at the end.

        Raises:
            SaslAuthenticationFailed: the server does not take the token (RFC 7628, 3.2.2).
        """
        if payload:
            raise SaslAuthenticationFailed("the token is refused")
        following: tuple[bytes, bool] | None = await super().step(payload)
        return following


def log_in_afresh() -> None:
    """Have every client of this process connect as `create_conn` does."""
    aiokafka.client.create_conn = create_conn
    aiokafka.conn.OAuthAuthenticator = _Authenticator
