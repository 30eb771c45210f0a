"""The closed list of categories of a scorer: the shop's most frequent ones, or those of a file."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.artefact.artefact import MAXIMUM_CATEGORIES
from streams.exceptions import ConfigurationError
from streams.records.fields import is_short_id
from streams.records.observer import OTHER

FILE_NAME: Final = "categories.csv"
"""The name of the file in the folder that `history` writes, beside the training rows."""

_COLUMNS: Final = ("category", "events")
_TOP: Final = re.compile(r"top:([0-9]{1,4})")


@dataclass(frozen=True)
class Choice:
    """Which categories a scorer is to list.

    Attributes:
        most: so many of the most frequent ones, where no file is named.
        file: that names them; None for none.
    """

    most: int = MAXIMUM_CATEGORIES
    file: Path | None = None


def is_listable(category: str) -> bool:
    """Whether a list can name this category: 1 to 256 bytes of UTF-8, and not the name that stands for all others."""
    return category not in ("", OTHER) and is_short_id(category)


def parse_choice(text: str) -> Choice:
    """Read `top:N` or the name of a file.

    Raises:
        ConfigurationError: N is too great, or there is no such file.
    """
    if found := _TOP.fullmatch(text):
        if int(found[1]) > MAXIMUM_CATEGORIES:
            raise ConfigurationError(f"--categories: expected top:0 to top:{MAXIMUM_CATEGORIES}, found {text}")
        return Choice(most=int(found[1]))
    if not Path(text).is_file():
        raise ConfigurationError(f"--categories: expected top:N or a file of categories, found no file at {text}")
    return Choice(file=Path(text))


def write_counts(path: Path, counts: Mapping[str, int]) -> None:
    """Write how many events named each category, the most frequent first."""
    ranked: list[tuple[str, int]] = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        writer.writerows(ranked)


def chosen(choice: Choice, rows: Path) -> tuple[str, ...] | None:
    """Return the categories to list; None where the most frequent are asked for and nobody counted them.

    Args:
        choice: which.
        rows: the training rows, a file or the folder of `history`; the counts lie beside them.

    Raises:
        ConfigurationError: a file that cannot be read, or that names too many.
    """
    if choice.file is not None:
        names = tuple(dict.fromkeys(filter(is_listable, _named(choice.file))))
        if not 1 <= len(names) <= MAXIMUM_CATEGORIES:
            raise ConfigurationError(
                f"{choice.file}: expected 1 to {MAXIMUM_CATEGORIES} categories, found {len(names)}; change the list"
            )
        return names
    counts = (rows if rows.is_dir() else rows.parent) / FILE_NAME
    if not counts.is_file():
        return None
    return tuple(name for name in _named(counts) if is_listable(name))[: choice.most]


def _named(path: Path) -> Iterator[str]:
    """Yield the categories of a file: the first column of a CSV file with a header, else one a line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            if first.rstrip("\r\n").partition(",")[0].strip('"') != _COLUMNS[0]:
                yield from (line.strip() for line in file)
                return
            lines = csv.reader(file)
            next(lines)
            yield from (line[0] for line in lines if line)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(
            f"{path}: expected categories in UTF-8, one a line or as CSV with the header {','.join(_COLUMNS)}, "
            f"found otherwise ({type(error).__name__})"
        ) from error
