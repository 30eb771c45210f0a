"""What every connection of this process does as it logs in, Faust's included: secrets are read then, not before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import aiokafka.client
import aiokafka.conn
from aiokafka.conn import AIOKafkaConnection, OAuthAuthenticator
from aiokafka.errors import SaslAuthenticationFailed

from streams.broker.login.secret import Secret
from streams.broker.login.tls import ClientContext

_connect: Final[Callable[..., Awaitable[AIOKafkaConnection]]] = aiokafka.conn.create_conn


async def create_conn(host: str, port: int, **options: Any) -> AIOKafkaConnection:
    """Connect as aiokafka does, with the password and the certificate that their files hold now.

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
    return await _connect(host, port, **options)


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
