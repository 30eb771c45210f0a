"""Settings of the schema registry that do not go together are named in one line."""

from __future__ import annotations

from typing import Any

import pytest

from streams.cli.environment.settings import HIDDEN, settings_in_use
from streams.exceptions import ConfigurationError
from streams.registry_settings import REGISTRY_SECRETS
from streams.settings import load_settings

URL = {"schema_registry_url": "https://registry.example:8081"}
USER = {"schema_registry_username": "shop", "schema_registry_password": "hunter2"}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        URL,
        {"schema_registry_url": "http://a:8081/apis/ccompat/v7,http://b:8081"},
        URL | USER,
        URL | {"schema_registry_token": "t"},
        URL | {"schema_registry_username": "shop", "schema_registry_password_file": "secret"},
        URL | {"schema_registry_certificate_file": "own.pem", "schema_registry_key_password_file": "secret"},
    ],
)
def test_settings_that_go_together_are_taken(settings: dict[str, Any]) -> None:
    assert load_settings(**settings).schema_registry_url == settings.get("schema_registry_url")


@pytest.mark.parametrize(
    ("settings", "variable"),
    [
        ({"schema_registry_token": "hunter2"}, "TOKEN"),
        ({"schema_registry_ca_file": "ca.pem"}, "CA_FILE"),
        ({"schema_registry_patience_s": 5.0}, "PATIENCE_S"),
        ({"schema_registry_url": "registry:8081"}, "URL"),
        ({"schema_registry_url": "https://shop:hunter2@registry"}, "URL"),
        ({"schema_registry_url": "https://registry:99999"}, "URL"),
        ({"schema_registry_url": "https://a,,https://b"}, "URL"),
        ({"schema_registry_url": "https://"}, "URL"),
        ({"schema_registry_url": "https://[::1"}, "URL"),
        (URL | USER | {"schema_registry_password_file": "secret"}, "PASSWORD_FILE"),
        (URL | USER | {"schema_registry_token": "hunter2"}, "TOKEN"),
        (URL | {"schema_registry_password": "hunter2"}, "PASSWORD"),
        (URL | {"schema_registry_username": "shop"}, "PASSWORD"),
        (URL | USER | {"schema_registry_username": "a:b"}, "USERNAME"),
        (URL | {"schema_registry_key_file": "own.key"}, "KEY_FILE"),
        (URL | {"schema_registry_timeout_s": 0}, "TIMEOUT_S"),
        (URL | {"schema_registry_patience_s": "inf"}, "PATIENCE_S"),
    ],
)
def test_settings_that_do_not_are_named(settings: dict[str, Any], variable: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^WHEREWITHAL_SCHEMA_REGISTRY_{variable}: ") as caught:
        load_settings(**settings)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_secrets_are_not_shown() -> None:
    shown = settings_in_use(load_settings(**URL, **USER, schema_registry_certificate_file="own.pem"))
    assert shown["WHEREWITHAL_SCHEMA_REGISTRY_USERNAME"].value == HIDDEN
    assert shown["WHEREWITHAL_SCHEMA_REGISTRY_PASSWORD"].value == HIDDEN
    assert "hunter2" not in repr(load_settings(**URL, **USER))
    assert {"schema_registry_password", "schema_registry_token"} <= set(REGISTRY_SECRETS)
