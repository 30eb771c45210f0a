"""The options with which every aiokafka client logs in, from the settings."""

from __future__ import annotations

import ssl
from typing import Any

from streams.broker.login.secret import Secret
from streams.broker.login.tls import client_context
from streams.broker.login.tokens import AmazonIdentity, ClientCredentials, TokenProvider
from streams.exceptions import ConfigurationError
from streams.login_settings import LoginSettings, Mechanism, check_login
from streams.settings import Settings


def login_options(settings: Settings) -> dict[str, Any]:
    """Return the keyword arguments of an aiokafka client that concern its login.

    Raises:
        ConfigurationError: settings that do not go together, or a file that cannot be read.
    """
    mechanism, protocol = check_login(settings)
    options: dict[str, Any] = {"security_protocol": protocol.value}
    if protocol.encrypted:
        options["ssl_context"] = client_context(
            settings.broker_ca_file,
            settings.broker_certificate_file,
            settings.broker_key_file,
            Secret.of(
                settings.broker_key_password, settings.broker_key_password_file, "WHEREWITHAL_BROKER_KEY_PASSWORD"
            ),
        )
    if mechanism is not None:
        options["sasl_mechanism"] = mechanism.value
        options |= _tokens(settings) if mechanism is Mechanism.OAUTHBEARER else _password(settings)
    return options


def _password(settings: LoginSettings) -> dict[str, Any]:
    password = Secret.of(settings.broker_password, settings.broker_password_file, "WHEREWITHAL_BROKER_PASSWORD")
    return {"sasl_plain_username": settings.broker_username, "sasl_plain_password": password}


def _tokens(settings: Settings) -> dict[str, Any]:
    if settings.broker_aws_region is not None:
        return {"sasl_oauth_token_provider": TokenProvider(AmazonIdentity(settings.broker_aws_region))}
    secret = Secret.of(
        settings.broker_oauth_client_secret,
        settings.broker_oauth_client_secret_file,
        "WHEREWITHAL_BROKER_OAUTH_CLIENT_SECRET",
    )
    # `check_login` has seen to it that there are all three.
    assert settings.broker_oauth_token_url is not None
    assert settings.broker_oauth_client_id is not None
    assert secret is not None
    fetch = ClientCredentials(
        settings.broker_oauth_token_url,
        settings.broker_oauth_client_id,
        secret,
        settings.broker_oauth_scope,
        settings.request_timeout_s,
        _authorities(settings),
    )
    return {"sasl_oauth_token_provider": TokenProvider(fetch)}


def _authorities(settings: LoginSettings) -> ssl.SSLContext | None:
    if settings.broker_oauth_ca_file is None:
        return None
    try:
        return ssl.create_default_context(cafile=settings.broker_oauth_ca_file)
    except OSError as error:
        raise ConfigurationError(
            f"WHEREWITHAL_BROKER_OAUTH_CA_FILE: expected CA certificates in PEM, found {error.strerror or error}"
        ) from error
