"""Tokens for SASL OAUTHBEARER: by client credentials (RFC 6749, 4.4), or of Amazon MSK's identities."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaConnectionError

from streams.broker.login.secret import Secret
from streams.exceptions import ConfigurationError

RENEWED_AT: Final = 0.8
"""Share of a token's life after which a connection asks for a new one: Kafka's own clients renew then, too."""

UNSTATED_LIFE_S: Final = 60.0
"""Life of a token whose server does not say it (RFC 6749 only recommends to): short, and never long after its end."""

MAX_ANSWER_BYTES: Final = 1 << 20
"""A token server's answer is some kilobytes; a page of something else need not be read to its end."""


class TokenError(KafkaConnectionError):
    """There is no token for a connection.

    Attributes:
        what: the sentence about the token server, from its subject on.
        lasting: whether only a change of a setting, or at the token server, gives a token.
    """

    def __init__(self, what: str, lasting: bool) -> None:
        super().__init__(what)
        self.what = what
        self.lasting = lasting


class Token(NamedTuple):
    """A token and its life in seconds from now."""

    text: str
    life_s: float


class TokenProvider(AbstractTokenProvider):
    """Gives each connection a token, the same one until most of its life is over.

    Args:
        fetch: brings a new token.
        clock: monotonic, in seconds.
    """

    def __init__(self, fetch: Callable[[], Awaitable[Token]], clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._token = ""
        self._until = float("-inf")

    async def token(self) -> str:
        """Return a token.

        Raises:
            TokenError: there is none.
        """
        # Connections of several threads ask. Two that ask at once bring two tokens, which does no harm.
        if self._clock() >= self._until:
            began = self._clock()
            found = await self._fetch()
            self._token, self._until = found.text, began + RENEWED_AT * found.life_s
        return self._token


class ClientCredentials:
    """Brings tokens from a token server, to which this program is a client with a secret.

    Args:
        url: of the token endpoint.
        client_id: of this program.
        secret: of this program; read again for each token.
        scope: asked for; empty for the server's default.
        timeout_s: longest wait for an answer.
        authorities: a TLS context that trusts the server.
    """

    def __init__(
        self, url: str, client_id: str, secret: Secret, scope: str, timeout_s: float, authorities: Any = None
    ) -> None:
        self._url = url
        self._client_id = client_id
        self._secret = secret
        self._scope = scope
        self._timeout_s = timeout_s
        self._authorities = authorities

    async def __call__(self) -> Token:
        """Return a new token.

        Raises:
            TokenError: the server cannot be reached, refuses, or answers something else.
        """
        # A dependency of Faust, and a client that does not block the event loop.
        import aiohttp

        form = {"grant_type": "client_credentials"} | ({"scope": self._scope} if self._scope else {})
        # The RFC has both encoded like a form before they are joined (2.3.1).
        login = aiohttp.BasicAuth(quote(self._client_id, safe=""), quote(self._secret.current(), safe=""))
        timeout = aiohttp.ClientTimeout(total=self._timeout_s)
        tls = True if self._authorities is None else self._authorities
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
                session.post(self._url, data=form, auth=login, ssl=tls, allow_redirects=False) as answer,
            ):
                body = await answer.content.read(MAX_ANSWER_BYTES)
        except TimeoutError as error:
            raise TokenError(f"{self._named} did not answer within {self._timeout_s:g} s", False) from error
        except aiohttp.ClientConnectorCertificateError as error:
            raise TokenError(
                f"{self._named} shows a certificate that is not trusted: set WHEREWITHAL_BROKER_OAUTH_CA_FILE to its "
                "authority",
                True,
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise TokenError(f"{self._named} cannot be reached ({_cause(error)})", False) from error
        return self._read(answer.status, body)

    @property
    def _named(self) -> str:
        return f"the token server {self._url}"

    def _read(self, status: int, body: bytes) -> Token:
        import orjson

        try:
            said = orjson.loads(body)
        except orjson.JSONDecodeError:
            said = None
        if not isinstance(said, dict):
            raise TokenError(
                f"{self._named} answered {status} and no JSON: check that WHEREWITHAL_BROKER_OAUTH_TOKEN_URL is its "
                "token endpoint",
                status < 500,
            )
        token, life = said.get("access_token"), said.get("expires_in", UNSTATED_LIFE_S)
        if status == 200 and isinstance(token, str) and token and "\x01" not in token:
            known = isinstance(life, int | float) and not isinstance(life, bool) and life > 0
            return Token(token, float(life) if known else UNSTATED_LIFE_S)
        if status == 200:
            raise TokenError(f"{self._named} answered without an access_token: look into its log", True)
        raise TokenError(
            f"{self._named} refuses the client {self._client_id!r} ({status} {_word(said.get('error'))}): check "
            "WHEREWITHAL_BROKER_OAUTH_CLIENT_ID, its secret and WHEREWITHAL_BROKER_OAUTH_SCOPE",
            400 <= status < 500 and status != 429 and not self._secret.rotates,
        )


class AmazonIdentity:
    """Brings tokens for Amazon MSK, signed with the identity that the machine, the pod or the environment has.

    Args:
        region: of the cluster, such as `eu-central-1`.

    Raises:
        ConfigurationError: the package that signs them is not installed.
    """

    def __init__(self, region: str) -> None:
        try:
            from aws_msk_iam_sasl_signer import MSKAuthTokenProvider
        except ImportError as error:
            raise ConfigurationError(
                "WHEREWITHAL_BROKER_AWS_REGION: expected the package aws-msk-iam-sasl-signer-python, found none; "
                "install it with `pip install 'wherewithal[msk]'`"
            ) from error
        self._sign: Callable[[str], tuple[str, int]] = MSKAuthTokenProvider.generate_auth_token
        self._region = region

    async def __call__(self) -> Token:
        """Return a new token.

        Raises:
            TokenError: there is no identity here, or it cannot be used.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            # It reads files and may ask the machine's metadata service.
            token, ends_ms = await asyncio.to_thread(self._sign, self._region)
        except (BotoCoreError, ClientError, ValueError) as error:
            raise TokenError(
                f"Amazon gives no identity ({type(error).__name__}): check the role of the pod or the machine, or "
                "AWS_ACCESS_KEY_ID and its secret",
                False,
            ) from error
        return Token(token, max(0.0, ends_ms / 1000 - time.time()))


def _cause(error: Exception) -> str:
    cause = getattr(error, "os_error", None) or error
    return getattr(cause, "strerror", None) or type(cause).__name__


def _word(text: object) -> str:
    """Return an error code of RFC 6749; anything else a server says there may quote what it was sent."""
    return text if isinstance(text, str) and text.replace("_", "").isalnum() and len(text) <= 40 else "without a reason"
