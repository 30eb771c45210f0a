"""Settings of the schema registry, a part of `streams.settings.Settings`."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NoReturn
from urllib.parse import urlsplit

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from streams.exceptions import ConfigurationError
from streams.quantities import Seconds

REGISTRY_SECRETS: Final = (
    *("schema_registry_url", "schema_registry_username", "schema_registry_password", "schema_registry_token"),
    "schema_registry_key_password",
)
"""Settings that hold credentials, or may by mistake."""

_FROM_FILES: Final = ("schema_registry_password", "schema_registry_token", "schema_registry_key_password")


class RegistrySettings(BaseSettings):
    """The schema registry, and how this program shows there who it is."""

    schema_registry_url: str | None = Field(
        None, repr=False, description="`https://host:port[,https://host:port...]` of a schema registry"
    )
    schema_registry_username: str | None = Field(None, description="user name there (or the id of an API key)")
    schema_registry_password: SecretStr | None = Field(None, description="its password (or the API key's secret)")
    schema_registry_password_file: Path | None = Field(None, description="file with that password")
    schema_registry_token: SecretStr | None = Field(None, description="bearer token, instead of a user name")
    schema_registry_token_file: Path | None = Field(None, description="file with that token")
    schema_registry_ca_file: Path | None = Field(None, description="CA certificates of the registry, PEM")
    schema_registry_certificate_file: Path | None = Field(None, description="this client's certificate, PEM")
    schema_registry_key_file: Path | None = Field(None, description="its key, PEM; default: in the certificate's file")
    schema_registry_key_password: SecretStr | None = Field(None, description="password of that key")
    schema_registry_key_password_file: Path | None = Field(None, description="file with that password")
    schema_registry_timeout_s: Seconds = Field(10.0, description="longest wait for one answer of the registry")
    schema_registry_patience_s: Seconds = Field(300.0, description="longest wait for a registry that is away")


def check_registry(settings: RegistrySettings) -> None:
    """Refuse settings of the registry that do not go together.

    Raises:
        ConfigurationError: one of them would quietly have no effect, or cannot be used.
    """
    for name in _FROM_FILES:
        if _given(settings, name) and _given(settings, f"{name}_file"):
            _refuse(f"{name}_file", f"expected it or {_variable(name)}, found both; unset one of them")
    if settings.schema_registry_url is None:
        for name in RegistrySettings.model_fields:
            # Those with a default of their own say nothing about a registry.
            if getattr(settings, name) != RegistrySettings.model_fields[name].default:
                _refuse(name, f"expected it together with {_variable('schema_registry_url')}, found it alone")
        return
    for url in settings.schema_registry_url.split(","):
        if not _usable(url.strip()):
            _refuse("schema_registry_url", "expected https://host:port without credentials in it, found something else")
    _check_login(settings)
    certified = _given(settings, "schema_registry_certificate_file")
    for name in ("schema_registry_key_file", "schema_registry_key_password", "schema_registry_key_password_file"):
        if _given(settings, name) and not certified:
            _refuse(name, f"expected it together with {_variable('schema_registry_certificate_file')}, found it alone")


def _check_login(settings: RegistrySettings) -> None:
    user = settings.schema_registry_username
    password = _given(settings, "schema_registry_password") or _given(settings, "schema_registry_password_file")
    token = _given(settings, "schema_registry_token") or _given(settings, "schema_registry_token_file")
    if token and (password or user is not None):
        _refuse("schema_registry_token", f"expected it or {_variable('schema_registry_username')}, found both")
    if password and user is None:
        _refuse("schema_registry_password", f"expected it together with {_variable('schema_registry_username')}")
    if user is not None and not password:
        _refuse("schema_registry_password", "expected it (or a file with it) for the user name, found none")
    if user is not None and ":" in user:
        _refuse("schema_registry_username", "expected a user name without a colon, found one with it")


def _usable(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # Reading the port checks it.
        return (
            parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
        )
    except ValueError:
        return False


def _given(settings: RegistrySettings, name: str) -> bool:
    return getattr(settings, name) is not None


def _variable(name: str) -> str:
    return f"WHEREWITHAL_{name.upper()}"


def _refuse(name: str, message: str) -> NoReturn:
    raise ConfigurationError(f"{_variable(name)}: {message}")
