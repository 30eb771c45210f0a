"""Secrets that stand in a setting, or in a file that may change while the program runs."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Self

from aiokafka.errors import KafkaConnectionError
from pydantic import SecretStr

from streams.exceptions import ConfigurationError

MAX_SECRET_BYTES: Final = 1 << 16
"""Far more than a password or a token takes: a larger file was named by mistake."""


class SecretUnreadableError(KafkaConnectionError):
    """A secret's file cannot be read now. To a client that is a connection that fails, which it tries again."""


class Secret(str):
    """A secret as a client takes it: a text, with the file that it came from.

    Attributes:
        path: the file, or None for a secret that stands in a setting.
        variable: the setting at fault where the file cannot be read.
    """

    path: Path | None
    variable: str

    @classmethod
    def of(cls, value: SecretStr | None, path: Path | None, variable: str) -> Self | None:
        """Return the secret of a setting, or of the file that `<setting>_FILE` names; None where neither is set.

        That not both are set is checked with the settings.

        Raises:
            ConfigurationError: the file cannot be read.
        """
        if path is None:
            return None if value is None else cls._made(value.get_secret_value(), None, variable)
        try:
            return cls._made(_read(path), path, f"{variable}_FILE")
        except ValueError as error:
            raise ConfigurationError(f"{variable}_FILE: {error}") from error

    @classmethod
    def _made(cls, text: str, path: Path | None, variable: str) -> Self:
        secret = cls(text)
        secret.path, secret.variable = path, variable
        return secret

    @property
    def rotates(self) -> bool:
        """Whether it may be another one at the next login. It reaches file and server at different times."""
        return self.path is not None

    def current(self) -> Secret:
        """Return the secret as its file has it now.

        Raises:
            SecretUnreadableError: the file cannot be read, as for the moment in which it is replaced.
        """
        if self.path is None:
            return self
        try:
            return self._made(_read(self.path), self.path, self.variable)
        except ValueError as error:
            raise SecretUnreadableError(f"{self.variable}: {error}") from error


def _read(path: Path) -> str:
    """Return the text of a file without the line break that editors put at its end.

    Raises:
        ValueError: the file cannot be read, or holds no secret.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SECRET_BYTES + 1)
        text = content.decode().rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"expected a file with a secret at {path}, found {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"expected a secret in UTF-8 in {path}, found other bytes") from error
    if not text or "\n" in text or len(content) > MAX_SECRET_BYTES:
        raise ValueError(f"expected one line in {path}, found {'none' if not text else 'more'}")
    return text
