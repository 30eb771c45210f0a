"""Finding out why a client gets no answer, by one connection to every server of the cluster."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from streams.broker.login.connecting import connecting_ms, create_conn
from streams.broker.login.secret import Secret, SecretUnreadableError
from streams.broker.login.tls import CertificateUnreadableError, ClientContext
from streams.broker.login.tokens import TokenError

_EXPIRED: Final = 10
_OTHER_HOST: Final = (62, 64)
"""OpenSSL's codes for a certificate that is out of date, or that names another host or address."""

_TLS_ALERT: Final = 0x1503
"""The first bytes of a TLS alert, when they are read as the size of an answer."""


class Trouble(NamedTuple):
    """An obstacle between a client and a server.

    Attributes:
        server: `host:port`.
        what: the sentence about the server, from its verb on.
        lasting: whether only a change of a setting, a right or a certificate removes the obstacle.
    """

    server: str
    what: str
    lasting: bool


async def find_trouble(options: Mapping[str, Any]) -> Trouble | None:
    """Return an obstacle between this process and a server of the cluster; None if every server can be used.

    Args:
        options: of a client: `bootstrap_servers`, the login, the TLS context and `request_timeout_ms`, which bounds
            each step; of a `Patience`, its time for connecting bounds those of the connection.
    """
    known = list(options["bootstrap_servers"])
    looks = await asyncio.gather(*(_look(server, options) for server in known))
    further = sorted({server for look in looks if not isinstance(look, Trouble) for server in look} - set(known))
    looks += await asyncio.gather(*(_look(server, options) for server in further))
    troubles = [look for look in looks if isinstance(look, Trouble)]
    # An obstacle that waiting does not remove is the cause, even if other servers are down too.
    return max(troubles, key=lambda trouble: trouble.lasting, default=None)


async def _look(server: str, options: Mapping[str, Any]) -> Trouble | list[str]:
    """Return the obstacle to a server, or the servers that it names as those of its cluster."""
    host, _, port = server.rpartition(":")
    chosen = {name: value for name, value in options.items() if name != "bootstrap_servers"}
    try:
        connection = await create_conn(host.strip("[]"), int(port), **chosen)
    except (OSError, KafkaError, TimeoutError) as error:
        return _trouble(server, error, options)
    try:
        return await _named_by(connection)
    except (OSError, KafkaError, TimeoutError) as error:
        return _trouble(server, error, options, shaken=True)
    finally:
        connection.close()


async def _named_by(connection: AIOKafkaConnection) -> list[str]:
    answer = await connection.send(MetadataRequest([]))
    return [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for _, host, port, *_ in answer.brokers]


def _trouble(server: str, error: Exception, options: Mapping[str, Any], shaken: bool = False) -> Trouble:
    """Return the obstacle behind an error; `shaken` if the server took the connection but failed on a request."""
    cause = error.__cause__ if isinstance(error, KafkaConnectionError) and error.__cause__ is not None else error
    # A server that ends in the middle of a handshake may be going down.
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        context = options.get("ssl_context")
        shown = isinstance(context, ClientContext) and context.shows_certificate
        return Trouble(server, *_of_tls(cause, shown))
    if isinstance(cause, asyncio.IncompleteReadError) and (cause.expected or 0) >> 16 == _TLS_ALERT:
        return Trouble(server, "takes only clients with TLS: set WHEREWITHAL_BROKER_TLS=true", True)
    return _of_login(server, error, options) or _of_connection(server, error, options, shaken)


def _of_login(server: str, error: Exception, options: Mapping[str, Any]) -> Trouble | None:
    """Return the obstacle of a login that is refused, or cannot be tried; None if the error is none of a login."""
    login = options.get("sasl_plain_username")
    match error:
        case TokenError():
            return Trouble(server, f"asks for a token, and {error.what}", error.lasting)
        case SecretUnreadableError() | CertificateUnreadableError():
            return Trouble(server, f"asks for a secret that cannot be read here: {error.args[0]}", False)
        case AuthenticationFailedError() | SaslAuthenticationFailed() if "sasl_oauth_token_provider" in options:
            return Trouble(
                server,
                "refuses the token: check that its issuer, audience and scope are those that the broker expects, and "
                "the clocks",
                True,
            )
        case AuthenticationFailedError() | SaslAuthenticationFailed():
            password = options.get("sasl_plain_password")
            rotates = isinstance(password, Secret) and password.rotates
            return Trouble(
                server,
                f"refuses the login {login!r}: check WHEREWITHAL_BROKER_USERNAME and WHEREWITHAL_BROKER_PASSWORD"
                + ("_FILE" if rotates else ""),
                not rotates,
            )
        case UnsupportedSaslMechanismError():
            kind = options.get("sasl_mechanism")
            return Trouble(
                server,
                f"takes no login by {kind}: set WHEREWITHAL_BROKER_SASL_MECHANISM to one it takes",
                True,
            )
        case IllegalSaslStateError() if "sasl_mechanism" in options:
            return Trouble(
                server, "asks for no login: unset WHEREWITHAL_BROKER_USERNAME, or name the port that does", True
            )
    return None


def _of_connection(server: str, error: Exception, options: Mapping[str, Any], shaken: bool) -> Trouble:
    """Return the obstacle of a connection that fails before, or apart from, a login."""
    login = options.get("sasl_plain_username")
    encrypted = "ssl_context" in options
    match error:
        case KafkaConnectionError() if shaken and "sasl_mechanism" not in options:
            return Trouble(
                server, "closed the connection at the first request: it may ask for a login, and none is set", False
            )
        case KafkaConnectionError() | ConnectionResetError() | ssl.SSLError():
            refused = "" if login is None else f"refuse the login {login!r}, "
            otherwise = "without TLS" if encrypted else "with TLS"
            return Trouble(
                server,
                f"closed the connection at once: it may {refused}expect clients {otherwise} (WHEREWITHAL_BROKER_TLS "
                f"is {str(encrypted).lower()}), or be going down",
                False,
            )
        case ConnectionRefusedError():
            return Trouble(server, "refuses connections: check WHEREWITHAL_BROKER and that the broker runs", False)
        case socket.gaierror():
            return Trouble(server, "has no address: check the name in WHEREWITHAL_BROKER", False)
        case TimeoutError():
            answer_ms = options["request_timeout_ms"]
            waited_ms = answer_ms if shaken else connecting_ms(answer_ms)
            return Trouble(
                server,
                f"did not answer within {waited_ms / 1000:g} s: check WHEREWITHAL_BROKER, "
                "WHEREWITHAL_BROKER_TLS, the network and that the broker runs",
                False,
            )
        case OSError() if error.strerror:
            return Trouble(server, f"cannot be reached ({error.strerror}): check WHEREWITHAL_BROKER", False)
        case _:
            return Trouble(server, f"cannot be used ({type(error).__name__}): look for it in its log", False)


def _of_tls(error: ssl.SSLError, shown: bool) -> tuple[str, bool]:
    """Return the sentence for an error of TLS, and whether it is lasting; `shown` if the client has a certificate."""
    if isinstance(error, ssl.SSLCertVerificationError):
        said = error.verify_message.rstrip(".")
        if error.verify_code == _EXPIRED:
            return f"shows a certificate that is not valid now ({said}): renew it there", True
        if error.verify_code in _OTHER_HOST:
            return f"shows a certificate for another host ({said}): name the host as its certificate does", True
        return (
            f"shows a certificate that is not trusted ({said}): set WHEREWITHAL_BROKER_CA_FILE to its authority",
            True,
        )
    reason = (error.reason or "unknown").lower().replace("_", " ")
    if "alert" in reason and shown:
        return f"broke the TLS connection off ({reason}): it may not trust WHEREWITHAL_BROKER_CERTIFICATE_FILE", True
    if "alert" in reason:
        what = "set WHEREWITHAL_BROKER_CERTIFICATE_FILE and its key"
        return f"broke the TLS connection off ({reason}): it may ask for a client's certificate: {what}", True
    return f"does not speak TLS as expected ({reason}): check WHEREWITHAL_BROKER and WHEREWITHAL_BROKER_TLS", False
