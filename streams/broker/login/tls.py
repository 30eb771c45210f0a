"""The TLS context of a client, whose certificate may be renewed while the program runs."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

from aiokafka.errors import KafkaConnectionError

from streams.broker.login.secret import Secret
from streams.exceptions import ConfigurationError

_CERTIFICATE: Final = "WHEREWITHAL_BROKER_CERTIFICATE_FILE"
_KEY: Final = "WHEREWITHAL_BROKER_KEY_FILE"
_PASSWORD: Final = "WHEREWITHAL_BROKER_KEY_PASSWORD"


class CertificateUnreadableError(KafkaConnectionError):
    """The client's own certificate cannot be read now. To a client that is a connection that fails."""


class ClientContext(ssl.SSLContext):
    """Verifies servers, and shows the client's own certificate to those that ask for it.

    It is made by `client_context`.
    """

    _certificate: Path | None = None
    _key: Path | None = None
    _password: Secret | None = None
    _loaded: tuple[int, ...] = ()

    @property
    def shows_certificate(self) -> bool:
        """Whether the client has a certificate to show."""
        return self._certificate is not None

    def show(self, certificate: Path, key: Path | None, password: Secret | None) -> None:
        """Load the client's certificate (PEM, with its chain) and its key, which may stand in the same file.

        Raises:
            ValueError: one of them cannot be read; the message names the setting at fault.
        """
        self._certificate, self._key, self._password = certificate, key, password
        self._load()

    def refresh(self) -> None:
        """Load the certificate again if one of its files was replaced: connections made from now on show it.

        Raises:
            CertificateUnreadableError: it cannot be read.
        """
        if self._certificate is None:
            return
        try:
            self._load()
        except ValueError as error:
            raise CertificateUnreadableError(str(error)) from error

    def _load(self) -> None:
        assert self._certificate is not None
        key = self._key or self._certificate
        try:
            state = (*_age(self._certificate), *_age(key))
        except OSError as error:
            variable = _KEY if str(error.filename) == str(key) and key != self._certificate else _CERTIFICATE
            raise ValueError(
                f"{variable}: expected a PEM file at {error.filename}, found {error.strerror or error}"
            ) from error
        if state == self._loaded:
            return
        password = "" if self._password is None else self._password.current()
        try:
            # An empty password is given where there is none: OpenSSL would ask for one on the terminal.
            self.load_cert_chain(self._certificate, key, lambda: password)
        except (OSError, ssl.SSLError) as error:
            raise ValueError(_fault(error, self._certificate, key, bool(password))) from error
        self._loaded = state


def client_context(
    authorities: Path | None, certificate: Path | None, key: Path | None, password: Secret | None
) -> ClientContext:
    """Return a context that trusts the authorities of a PEM file, or those the machine trusts.

    Raises:
        ConfigurationError: a file cannot be read or used.
    """
    context = ClientContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if authorities is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(authorities)
    except OSError as error:
        raise ConfigurationError(
            f"WHEREWITHAL_BROKER_CA_FILE: expected CA certificates in PEM, found {error.strerror or error}"
        ) from error
    if certificate is not None:
        try:
            context.show(certificate, key, password)
        except ValueError as error:
            raise ConfigurationError(str(error)) from error
    return context


def _age(path: Path) -> tuple[int, int, int]:
    # Mounted secrets are links that are turned to a new folder: the file itself tells, by its number too.
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino


def _fault(error: OSError, certificate: Path, key: Path, password: bool) -> str:
    """Return what is wrong with a certificate or its key, and the setting at fault."""
    reason = getattr(error, "reason", None) or ""
    if reason == "KEY_VALUES_MISMATCH":
        return f"{_KEY}: expected the key of the certificate {certificate}, found that of another ({key})"
    # OpenSSL's own reason does not tell a locked key from a file of something else.
    if b"ENCRYPTED" in key.read_bytes():
        found = "one that does not open it" if password else "none"
        return f"{_PASSWORD}: expected the password of the key {key}, found {found}"
    return (
        f"{_CERTIFICATE}: expected a certificate at {certificate} and its key at {key}, both in PEM, found "
        f"{reason.lower().replace('_', ' ') or error.strerror or 'something else'}"
    )
