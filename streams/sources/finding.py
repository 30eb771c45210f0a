"""The files behind what a user names: a file, a folder of files as Spark writes it, a pipe, or standard input."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from streams.exceptions import ConfigurationError

STANDARD_INPUT: Final = Path("-")

_NULL: Final = "__HIVE_DEFAULT_PARTITION__"
# Spark's marks and checksums (`_SUCCESS`, `.part-0.crc`) and files that are not finished (`_temporary`).
_ASIDE: Final = ("_", ".")


@dataclass(frozen=True, slots=True)
class Part:
    """One file of events.

    Attributes:
        path: where it lies.
        source: the place, among what the user named, of that to which it belongs.
        partitions: the columns that the names of its folders give it, such as `date=2025-11-24`; None for null.
    """

    path: Path
    source: int
    partitions: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The file in the words of a message."""
        return "standard input" if self.path == STANDARD_INPUT else str(self.path)

    @property
    def is_stream(self) -> bool:
        """Whether it can be read only once and from the beginning, as a pipe."""
        return self.path == STANDARD_INPUT or not self.path.is_file()

    @property
    def size(self) -> int | None:
        """Bytes on disk; None for a stream."""
        return None if self.is_stream else self.path.stat().st_size


def find_parts(files: Iterable[Path]) -> list[Part]:
    """Return the files of what a user named, those of a folder in the order of their names.

    A folder's folders are looked through. Names that begin with `_` or `.` are left out, as Spark leaves them out.

    Raises:
        ConfigurationError: there is no such file, a folder holds none, or standard input is named twice.
    """
    parts: list[Part] = []
    for number, path in enumerate(files):
        try:
            found = list(_parts_of(path, number))
        except OSError as error:
            raise ConfigurationError(
                f"{error.filename or path}: expected a file that can be read, found {error.strerror}"
            ) from error
        if not found:
            raise ConfigurationError(f"{path}: expected a folder of files of events, found no file in it")
        parts += found
    if sum(part.path == STANDARD_INPUT for part in parts) > 1:
        raise ConfigurationError("-: expected standard input once, found it twice")
    return parts


def _parts_of(path: Path, number: int) -> Iterator[Part]:
    if path == STANDARD_INPUT:
        yield Part(path, number)
    elif not path.exists():
        raise ConfigurationError(f"{path}: expected a file of events, found none")
    elif path.is_dir():
        yield from _inside(path, number, {}, ())
    else:
        yield Part(path, number)


def _inside(folder: Path, number: int, partitions: Mapping[str, str | None], above: tuple[Path, ...]) -> Iterator[Part]:
    # A link may lead back to a folder that is being looked through.
    place = folder.resolve()
    if place in above:
        return
    name, given, value = folder.name.partition("=")
    if name and given:
        partitions = {**partitions, unquote(name): None if value == _NULL else unquote(value)}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(_ASIDE) or path.suffix == ".crc":
            continue
        if path.is_dir():
            yield from _inside(path, number, partitions, (*above, place))
        elif path.is_file():
            yield Part(path, number, partitions)
