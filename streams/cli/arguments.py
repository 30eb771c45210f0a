"""Arguments and settings that several commands take, checked before anything heavy is imported or made."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from streams.exceptions import ConfigurationError
from streams.records.events import MAX_ID_BYTES
from streams.settings import Settings, load_settings


def user_id(text: str) -> str:
    """Return a user id.

    Raises:
        argparse.ArgumentTypeError: no event could have this id.
    """
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        # Bytes of a command line that are no UTF-8 arrive as lone surrogates.
        size = 0
    if not 1 <= size <= MAX_ID_BYTES:
        raise argparse.ArgumentTypeError(f"expected 1 to {MAX_ID_BYTES} bytes of UTF-8, found something else")
    return text


def whole_number(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return a function that reads a whole number from `least` to `most`; None is no upper bound."""
    expected = f"expected a whole number from {least}" + ("" if most is None else f" to {most}")

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least or (most is not None and number > most):
            raise argparse.ArgumentTypeError(f"{expected}, found {text!r}")
        return number

    return read


def share(*, none: bool) -> Callable[[str], float]:
    """Return a function that reads a share of users to hold out, above 0 and below 1; `none` allows 0 as well."""
    expected = "expected a share of the users, " + ("0 or above" if none else "above 0") + " and below 1"

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = -1.0
        if not (0 < number < 1 or (none and number == 0)):
            raise argparse.ArgumentTypeError(f"{expected}, found {text!r}")
        return number

    return read


def file(text: str) -> Path:
    """Return the path of an existing file.

    Raises:
        argparse.ArgumentTypeError: there is no such file.
    """
    path = Path(text)
    if path.is_dir() or not path.exists():
        raise argparse.ArgumentTypeError(f"{text}: expected a file, found {'a folder' if path.is_dir() else 'none'}")
    return path


def rows(text: str) -> Path:
    """Return the path of a file of training rows, or of the folder that `history` wrote.

    Raises:
        argparse.ArgumentTypeError: there is neither.
    """
    path = Path(text)
    if not path.exists():
        raise argparse.ArgumentTypeError(f"{text}: expected a file of rows or the folder of `history`, found none")
    return path


def folder(text: str) -> Path:
    """Return the path of an existing folder.

    Raises:
        argparse.ArgumentTypeError: there is no such folder.
    """
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text}: expected a folder, found {'a file' if path.exists() else 'none'}")
    return path


def load_cluster_settings(purpose: str) -> Settings:
    """Load the settings of a command that needs a running broker.

    Args:
        purpose: what the command needs the broker for, such as "to read from".

    Raises:
        ConfigurationError: the settings name no broker, or cannot be used.
    """
    settings = load_settings()
    if settings.embedded:
        raise ConfigurationError(f"WHEREWITHAL_BROKER: expected kafka://host:port, found no broker {purpose}")
    return settings
