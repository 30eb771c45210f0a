"""Text files of one JSON object a line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from streams.exceptions import ConfigurationError


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a file that are not empty, each with its number; the first is 1.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                stripped = line.strip(b" \t\r\n")
                if stripped:
                    yield number, stripped
    except OSError as error:
        raise ConfigurationError(f"{path}: expected a file that can be read, found {error.strerror}") from error
