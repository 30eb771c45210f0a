"""How a client logs in follows from the settings, and settings that do not go together are named in one line."""

from __future__ import annotations

from typing import Any

import pytest

from streams.exceptions import ConfigurationError
from streams.login_settings import Mechanism, SecurityProtocol, check_login
from streams.settings import load_settings

USER = {"broker_username": "shop", "broker_password": "hunter2"}
TOKENS = {
    "broker_oauth_token_url": "https://login.example/token",
    "broker_oauth_client_id": "worker",
    "broker_oauth_client_secret": "hunter2",
}


@pytest.mark.parametrize(
    ("settings", "mechanism", "protocol"),
    [
        ({}, None, "PLAINTEXT"),
        ({"broker_tls": True}, None, "SSL"),
        ({"broker_security_protocol": "SSL", "broker_certificate_file": "own.pem"}, None, "SSL"),
        (USER, "PLAIN", "SASL_PLAINTEXT"),
        (USER | {"broker_tls": True, "broker_sasl_mechanism": "SCRAM-SHA-512"}, "SCRAM-SHA-512", "SASL_SSL"),
        (USER | {"broker_security_protocol": "SASL_SSL"}, "PLAIN", "SASL_SSL"),
        ({"broker_username": "shop", "broker_password_file": "secret"}, "PLAIN", "SASL_PLAINTEXT"),
        (TOKENS, "OAUTHBEARER", "SASL_PLAINTEXT"),
        ({"broker_aws_region": "eu-central-1", "broker_tls": True}, "OAUTHBEARER", "SASL_SSL"),
    ],
)
def test_mechanism_and_protocol_follow_from_what_is_set(
    settings: dict[str, Any], mechanism: str | None, protocol: str
) -> None:
    found = check_login(load_settings(broker="kafka://a:1", **settings))
    assert found == (None if mechanism is None else Mechanism(mechanism), SecurityProtocol(protocol))


@pytest.mark.parametrize(
    ("settings", "variable", "told"),
    [
        (
            USER | {"broker_password_file": "secret"},
            "PASSWORD_FILE",
            "expected it or WHEREWITHAL_BROKER_PASSWORD",
        ),
        ({"broker_sasl_mechanism": "SCRAM-SHA-256"}, "USERNAME", "expected a user name for SCRAM-SHA-256, found none"),
        (USER | {"broker_security_protocol": "SSL"}, "SECURITY_PROTOCOL", "expected SASL_SSL, as the other settings"),
        ({"broker_tls": True, "broker_key_file": "key.pem"}, "KEY_FILE", "with WHEREWITHAL_BROKER_CERTIFICATE_FILE"),
        ({"broker_certificate_file": "own.pem"}, "CERTIFICATE_FILE", "with WHEREWITHAL_BROKER_TLS=true"),
        (USER | TOKENS, "OAUTH_TOKEN_URL", "expected it with OAUTHBEARER, found it with PLAIN"),
        (USER | {"broker_sasl_mechanism": "OAUTHBEARER"}, "USERNAME", "which OAUTHBEARER does not use"),
        ({"broker_sasl_mechanism": "OAUTHBEARER"}, "OAUTH_TOKEN_URL", "expected a token endpoint, found none"),
        (TOKENS | {"broker_oauth_token_url": "ftp://x"}, "OAUTH_TOKEN_URL", "expected https://host/path without"),
        (
            TOKENS | {"broker_oauth_token_url": "https://a:b@x/"},
            "OAUTH_TOKEN_URL",
            "expected https://host/path without",
        ),
        ({"broker_oauth_client_id": "worker"}, "OAUTH_TOKEN_URL", "expected a token endpoint, found none"),
        (TOKENS | {"broker_oauth_client_secret": None}, "OAUTH_CLIENT_SECRET", "(or a file with it)"),
        (
            TOKENS | {"broker_aws_region": "eu-central-1"},
            "AWS_REGION",
            "BROKER_OAUTH_TOKEN_URL, found both",
        ),
    ],
)
def test_settings_that_do_not_go_together_are_named_and_no_secret_is_shown(
    settings: dict[str, Any], variable: str, told: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_settings(broker="kafka://a:1", **settings)
    line = str(refused.value)
    assert line.startswith(f"WHEREWITHAL_BROKER_{variable}: ")
    assert told in line
    assert "\n" not in line
    assert "hunter2" not in line
