"""What Confluent's client of a schema registry is made of: an address, and how this program shows who it is."""

from __future__ import annotations

from typing import Any, Final

from streams.broker.login.secret import Secret, SecretUnreadableError
from streams.settings import Settings

_PREFIX: Final = "WHEREWITHAL_SCHEMA_REGISTRY_"
_NO_AUTHORITY: Final = "no certificate or crl found"


class RegistryOptions:
    """The options of the client, with the secrets that files hold at the moment.

    Args:
        settings: of the registry, whose URL is set.

    Attributes:
        rotate: whether a login may be another one at the next question.

    Raises:
        ConfigurationError: the file of a secret cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._password = _secret(settings, "password")
        self._token = _secret(settings, "token")
        self._key_password = _secret(settings, "key_password")
        self.rotate = any(secret is not None and secret.rotates for secret in (self._password, self._token))

    def current(self) -> dict[str, Any]:
        """Return the options.

        Raises:
            SecretUnreadableError: the file of a secret cannot be read now.
        """
        settings = self._settings
        options: dict[str, Any] = {
            "url": settings.schema_registry_url,
            "timeout": settings.schema_registry_timeout_s,
            # Whoever asks for a schema has a patience of its own.
            "max.retries": 0,
        }
        if settings.schema_registry_ca_file is not None:
            options["ssl.ca.location"] = str(settings.schema_registry_ca_file)
        if settings.schema_registry_certificate_file is not None:
            options["ssl.certificate.location"] = str(settings.schema_registry_certificate_file)
            # An empty password is given where there is none: OpenSSL would ask for one on the terminal.
            options["ssl.key.password"] = "" if self._key_password is None else self._key_password.current()
        if settings.schema_registry_key_file is not None:
            options["ssl.key.location"] = str(settings.schema_registry_key_file)
        if self._password is not None:
            options["basic.auth.user.info"] = f"{settings.schema_registry_username}:{self._password.current()}"
        if self._token is not None:
            options |= {
                "bearer.auth.credentials.source": "STATIC_TOKEN",
                "bearer.auth.token": self._token.current(),
                # Only Confluent's own cloud has several behind one address, and the client wants it.
                "bearer.auth.logical.cluster": "",
            }
        return options

    def fault(self, error: Exception) -> str:
        """Return what is wrong with the files of the settings, in one line that names those at fault."""
        if isinstance(error, SecretUnreadableError):
            return str(error)
        settings = self._settings
        files = {
            "CA_FILE": settings.schema_registry_ca_file,
            "CERTIFICATE_FILE": settings.schema_registry_certificate_file,
            "KEY_FILE": settings.schema_registry_key_file,
        }
        # The errors of OpenSSL name no file.
        for name, path in files.items():
            if path is not None and not path.is_file():
                return f"{_PREFIX}{name}: expected a PEM file at {path}, found none"
        reason = (getattr(error, "reason", None) or getattr(error, "strerror", None) or "").replace("_", " ").lower()
        found = f"found something else ({reason or type(error).__name__})"
        if files["CERTIFICATE_FILE"] is None or reason == _NO_AUTHORITY:
            return f"{_PREFIX}CA_FILE: expected CA certificates in PEM, {found}"
        return f"{_PREFIX}CERTIFICATE_FILE: expected a certificate and its key, and the key's password if any, {found}"


def _secret(settings: Settings, name: str) -> Secret | None:
    return Secret.of(
        getattr(settings, f"schema_registry_{name}"),
        getattr(settings, f"schema_registry_{name}_file"),
        _PREFIX + name.upper(),
    )
