"""The labels that capacity is fitted to: a CSV file with a user and an ordered number in every line."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn, Protocol

from streams.exceptions import ConfigurationError
from streams.terminal import shown

USER: Final = "user_id"
LABEL: Final = "label"

# `float` would also take `nan`, `inf`, `1_000` and digits of other scripts.
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_LARGEST: Final = 1e300
_SHOWN: Final = 40
"""Characters of a field that an error quotes."""


class _Reader(Protocol):
    """What `csv.reader` returns: its type has no public name."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...


@dataclass(frozen=True)
class Labels:
    """What a file says of its users, each once, in the order of their first lines.

    Attributes:
        path: of the file.
        values: the label of each user.
        lines: of each user, the first line.
        columns: the names of the columns beside the two.
        groups: by column asked for, the text of each user; empty text where the line has none.
    """

    path: Path
    values: dict[str, float]
    lines: dict[str, int]
    columns: tuple[str, ...]
    groups: dict[str, dict[str, str]]


def read_labels(path: Path, groups: Sequence[str] = ()) -> Labels:
    """Read labels.

    Lines end in LF or CRLF, a byte order mark is passed over, blank lines too. A user may be named again with the same
    label. Columns beside `user_id` and `label` are free.

    Args:
        path: a CSV file in UTF-8 with a header.
        groups: columns to read beside; those that the file lacks are left out.

    Raises:
        ConfigurationError: it cannot be read, lacks a column or a label, or a line holds no number, another number of
            fields, or something else for a user than an earlier line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _read(path, csv.reader(file, strict=True), groups)
    except OSError as error:
        raise ConfigurationError(f"{path}: expected a CSV file of labels, found none ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{path}: expected a CSV file in UTF-8, found other bytes; save it as UTF-8"
        ) from error


def _read(path: Path, lines: _Reader, groups: Sequence[str]) -> Labels:
    rows = _rows(path, lines)
    _, header = next(rows, (0, []))
    for name in (USER, LABEL):
        if header.count(name) != 1:
            _refuse(path, max(lines.line_num, 1), f"the header {USER},{LABEL}", f"{header.count(name)} columns {name}")
    user_at, label_at = header.index(USER), header.index(LABEL)
    columns = tuple(name for name in header if name not in (USER, LABEL))
    if twice := next((name for name in groups if header.count(name) > 1), None):
        _refuse(path, 1, "columns of different names", f"several named {_shown(twice)}")
    asked = {name: header.index(name) for name in groups if name in columns}
    found = Labels(path, {}, {}, columns, {name: {} for name in asked})
    for line, row in rows:
        if len(row) != len(header):
            _refuse(path, line, f"{len(header)} fields, as in the header", f"{len(row)}")
        user, label = row[user_at], _number(path, line, row[label_at])
        if not user:
            _refuse(path, line, f"a {USER}", "none")
        if found.values.setdefault(user, label) != label:
            _refuse(path, line, f"the label of line {found.lines[user]} for the same user", "another")
        found.lines.setdefault(user, line)
        for name, place in asked.items():
            if found.groups[name].setdefault(user, row[place]) != row[place]:
                _refuse(path, line, f"the {_shown(name)} of line {found.lines[user]} for the same user", "another")
    _require_order(found, max(lines.line_num, 1))
    return found


def _rows(path: Path, lines: _Reader) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines that are not blank, each with its number."""
    try:
        for row in lines:
            if any(field.strip() for field in row):
                yield lines.line_num, row
    except csv.Error as error:
        _refuse(path, lines.line_num, "a line of CSV", f"none ({error})")


def _number(path: Path, line: int, text: str) -> float:
    text = text.strip()
    value = float(text) if _NUMBER.fullmatch(text) else float("nan")
    # Beyond it, differences of two labels would overflow.
    if not abs(value) <= _LARGEST:
        _refuse(path, line, "a number as label", _shown(text) if text else "nothing")
    # Minus zero is zero.
    return value + 0.0


def _require_order(found: Labels, last: int) -> None:
    if not found.values:
        _refuse(found.path, last, "a line with a user and a label", "none")
    if len(set(found.values.values())) == 1:
        _refuse(found.path, last, "at least two labels that differ", f"{_of_one(found)} up to here")


def _of_one(found: Labels) -> str:
    return f"one value for {len(found.values):,} user{'s' if len(found.values) > 1 else ''}"


def _shown(text: str) -> str:
    return f"'{shown(text if len(text) <= _SHOWN else text[:_SHOWN] + '...')}'"


def _refuse(path: Path, line: int, expected: str, found: str) -> NoReturn:
    raise ConfigurationError(f"{path}, line {line}: expected {expected}, found {found}; correct the file of labels")
