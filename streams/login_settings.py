"""Settings of the login at the broker, a part of `streams.settings.Settings`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Final, NoReturn
from urllib.parse import urlsplit

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from streams.exceptions import ConfigurationError

_SECRETS: Final = ("broker_password", "broker_key_password", "broker_oauth_client_secret")
_TOKENS: Final = (
    *("broker_oauth_token_url", "broker_oauth_client_id", "broker_oauth_client_secret"),
    *("broker_oauth_client_secret_file", "broker_oauth_ca_file", "broker_aws_region"),
)


class SecurityProtocol(StrEnum):
    """How a connection is protected, by Kafka's names."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"

    @property
    def encrypted(self) -> bool:
        """Whether the connection is by TLS."""
        return self.endswith("SSL")


class Mechanism(StrEnum):
    """How a client shows who it is, by Kafka's names."""

    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"
    OAUTHBEARER = "OAUTHBEARER"


class LoginSettings(BaseSettings):
    """What a client shows to the broker, and what it wants to see of it."""

    broker_security_protocol: SecurityProtocol | None = Field(
        None, description="`PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`; default: as the other settings have it"
    )
    broker_tls: bool = Field(False, description="encrypt the connection to the broker")
    broker_ca_file: Path | None = Field(None, description="CA certificates of the broker, PEM; needs TLS")
    broker_certificate_file: Path | None = Field(None, description="this client's certificate, PEM; needs TLS")
    broker_key_file: Path | None = Field(None, description="its key, PEM; default: in the certificate's file")
    broker_key_password: SecretStr | None = Field(None, description="password of that key")
    broker_key_password_file: Path | None = Field(None, description="file with that password")
    broker_sasl_mechanism: Mechanism | None = Field(
        None,
        description="`PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512` or `OAUTHBEARER`; default: by what is set",
    )
    broker_username: str | None = Field(None, description="user name of `PLAIN` and `SCRAM`")
    broker_password: SecretStr | None = Field(None, description="its password")
    broker_password_file: Path | None = Field(None, description="file with that password, read at each login")
    broker_oauth_token_url: str | None = Field(None, description="token endpoint of `OAUTHBEARER`")
    broker_oauth_client_id: str | None = Field(None, description="id of this program at the token endpoint")
    broker_oauth_client_secret: SecretStr | None = Field(None, description="its secret there")
    broker_oauth_client_secret_file: Path | None = Field(None, description="file with that secret")
    broker_oauth_scope: str = Field("", description="scope to ask for; empty for the endpoint's default")
    broker_oauth_ca_file: Path | None = Field(None, description="CA certificates of the token endpoint, PEM")
    broker_aws_region: str | None = Field(
        None, description="region of an Amazon MSK cluster; its identities (IAM) are used with `OAUTHBEARER`"
    )


def check_login(settings: LoginSettings) -> tuple[Mechanism | None, SecurityProtocol]:
    """Return how the client shows who it is (None if it does not), and how the connection is protected.

    Raises:
        ConfigurationError: settings that do not go together: one of them would quietly have no effect.
    """
    for name in _SECRETS:
        if _given(settings, name) and _given(settings, f"{name}_file"):
            _refuse(f"{name}_file", f"expected it or {_variable(name)}, found both; unset one of them")
    mechanism = _mechanism(settings)
    _check_mechanism(settings, mechanism)
    named = settings.broker_security_protocol
    encrypted = settings.broker_tls or (named is not None and named.encrypted)
    _check_tls(settings, encrypted)
    protocol = SecurityProtocol(("" if mechanism is None else "SASL_") + ("SSL" if encrypted else "PLAINTEXT"))
    if named not in (None, protocol):
        _refuse(
            "broker_security_protocol",
            f"expected {protocol}, as the other settings of the broker have it, found {named}",
        )
    return mechanism, protocol


def _mechanism(settings: LoginSettings) -> Mechanism | None:
    if settings.broker_sasl_mechanism is not None:
        return settings.broker_sasl_mechanism
    if settings.broker_username is not None:
        return Mechanism.PLAIN
    return Mechanism.OAUTHBEARER if any(_given(settings, name) for name in _TOKENS) else None


def _check_mechanism(settings: LoginSettings, mechanism: Mechanism | None) -> None:
    tokens = mechanism is Mechanism.OAUTHBEARER
    passwords = mechanism is not None and not tokens
    for name in ("broker_username", "broker_password", "broker_password_file"):
        if _given(settings, name) and not passwords:
            what = "found one of the two alone" if mechanism is None else f"which {mechanism} does not use"
            _refuse(name, f"expected it together with {_variable('broker_username')}, {what}")
    for name in _TOKENS:
        if _given(settings, name) and not tokens:
            _refuse(name, f"expected it with {Mechanism.OAUTHBEARER}, found it with {mechanism}; unset one of them")
    if passwords:
        _need(settings, "broker_username", f"a user name for {mechanism}")
        if not _given(settings, "broker_password_file"):
            _need(settings, "broker_password", f"it (or {_variable('broker_password')}_FILE) for the user name")
    if tokens and settings.broker_aws_region is not None:
        if settings.broker_oauth_token_url is not None:
            _refuse("broker_aws_region", f"expected it or {_variable('broker_oauth_token_url')}, found both")
    elif tokens:
        _need(settings, "broker_oauth_token_url", "a token endpoint")
        _check_url(settings.broker_oauth_token_url or "")
        _need(settings, "broker_oauth_client_id", "the id of this program at the token endpoint")
        if not _given(settings, "broker_oauth_client_secret_file"):
            _need(settings, "broker_oauth_client_secret", "it (or a file with it) for the token endpoint")


def _check_tls(settings: LoginSettings, encrypted: bool) -> None:
    for name in ("broker_ca_file", "broker_certificate_file"):
        if _given(settings, name) and not encrypted:
            _refuse(name, f"expected it together with {_variable('broker_tls')}=true, found no encryption asked for")
    for name in ("broker_key_file", "broker_key_password", "broker_key_password_file"):
        if _given(settings, name) and settings.broker_certificate_file is None:
            _refuse(name, f"expected it together with {_variable('broker_certificate_file')}, found it alone")


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
    except ValueError:
        usable = False
    if not usable:
        _refuse("broker_oauth_token_url", "expected https://host/path without credentials in it, found something else")


def _given(settings: LoginSettings, name: str) -> bool:
    return getattr(settings, name) is not None


def _need(settings: LoginSettings, name: str, what: str) -> None:
    if not _given(settings, name):
        _refuse(name, f"expected {what}, found none")


def _variable(name: str) -> str:
    return f"WHEREWITHAL_{name.upper()}"


def _refuse(name: str, message: str) -> NoReturn:
    raise ConfigurationError(f"{_variable(name)}: {message}")
