"""Arguments and settings that several commands take, checked before anything heavy is imported or made."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from streams.exceptions import ConfigurationError
from streams.records.events import LATEST_MS, MAX_ID_BYTES
from streams.records.timestamps import parse_rfc3339
from streams.settings import Settings, load_settings

MAX_SEED: Final = 2**31 - 1
"""The greatest number that each of the libraries takes as a seed."""

MAX_NAME: Final = 200
"""Characters of a name that a card shows."""

EARLIEST_MS: Final = parse_rfc3339("0001-01-01T00:00:00Z")
_INTEGER: Final = re.compile("-?[0-9]{1,18}")


USER: Final = "user"
ITEM: Final = "item"


def add_entity(parser: argparse.ArgumentParser, what: str) -> None:
    """Declare `--entity`, which says of whom something is."""
    parser.add_argument("--entity", choices=(USER, ITEM), default=USER, help=f"whose {what} (default: {USER})")


def an_id(text: str) -> str:
    """Return the id of a user or of an item.

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


def as_of_instant(text: str) -> int:
    """Return the instant that `--as-of` names, ms.

    Raises:
        ConfigurationError: it names none.
    """
    try:
        instant = int(text) if _INTEGER.fullmatch(text) else parse_rfc3339(text)
    except ValueError as error:
        raise ConfigurationError(
            f"--as-of: expected epoch milliseconds or RFC 3339 text with an offset, found {text!r}"
        ) from error
    if not EARLIEST_MS <= instant <= LATEST_MS:
        raise ConfigurationError(f"--as-of: expected an instant in the years 1 to 9999, found {text}")
    return instant


def in_words(text: str) -> str:
    """Return a name in words, fit for a card and a terminal.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    if not text.strip() or len(text) > MAX_NAME or not text.isprintable():
        raise argparse.ArgumentTypeError(f"expected a name of 1 to {MAX_NAME} printable characters, found another")
    return text


def share(*, none: bool, of: str = "users") -> Callable[[str], float]:
    """Return a function that reads a share of something, above 0 and below 1; `none` allows 0 as well."""
    expected = f"expected a share of the {of}, " + ("0 or above" if none else "above 0") + " and below 1"

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


def new_file(text: str) -> Path:
    """Return the path of a file that can be written; one that exists is replaced.

    Raises:
        argparse.ArgumentTypeError: it is a folder, or lies in a folder that does not exist or may not be written.
    """
    path = Path(text)
    if fault := _not_writable(path):
        raise argparse.ArgumentTypeError(fault)
    return path


def file_or_folder(text: str) -> Path:
    """Return the path of something that exists.

    Raises:
        argparse.ArgumentTypeError: there is no such file or folder.
    """
    path = Path(text)
    if not path.exists():
        raise argparse.ArgumentTypeError(f"{text}: expected a file or a folder, found none")
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


def load_cluster_settings(purpose: str, **overrides: object) -> Settings:
    """Load the settings of a command that needs a running broker.

    Args:
        purpose: what the command needs the broker for, such as "to read from".
        overrides: settings that the command line gives.

    Raises:
        ConfigurationError: the settings name no broker, or cannot be used.
    """
    settings = load_settings(**overrides)
    if settings.embedded:
        raise ConfigurationError(f"WHEREWITHAL_BROKER: expected kafka://host:port, found no broker {purpose}")
    return settings


def check_outputs(outputs: Iterable[Path], files: Iterable[Path]) -> None:
    """Refuse files to write that cannot be written, are named twice, or are among what is read.

    Raises:
        ConfigurationError: there is such a file.
    """
    taken = {path.resolve() for path in files}
    folders = {path for path in taken if path.is_dir()}
    for path in outputs:
        if path.exists() and not path.is_file() and not path.is_dir():
            continue  # Several outputs may go to one pipe or device.
        if fault := _not_writable(path):
            raise ConfigurationError(fault)
        place = path.resolve()
        if place in taken:
            raise ConfigurationError(f"{path}: expected a file of its own for every output, found one named twice")
        if not folders.isdisjoint(place.parents):
            # It would replace a file of events, or be one the next time.
            raise ConfigurationError(f"{path}: expected a file outside of the folders that are read, found one in them")
        taken.add(place)


def _not_writable(path: Path) -> str:
    """Return why a file cannot be written; empty if it can."""
    if path.is_dir() or not path.parent.is_dir():
        return f"{path}: expected a file to write in a folder that exists"
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        return f"{path}: expected a file that may be written, found no right to"
    return ""
