"""Texts of one's own, from NDJSON or Parquet."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from models.finetuning.exceptions import FinetuningError
from models.finetuning.texts import Kind, Row, Texts, prepare
from models.libraries import FINETUNE, library


def read(path: Path, kind: Kind | None) -> Texts:
    """Read rows with `text`, `label` (0 or 1) or `target` (any number), and, if known, `user_id`.

    Args:
        path: a file of one JSON object per line, or `*.parquet`.
        kind: the field to learn; None takes the one that the first row has, `label` before `target`.

    Raises:
        FinetuningError: a row that is none of these; the message names its number, from 1, and quotes nothing.
        OSError: the file cannot be read.
    """
    rows: list[Row] = []
    for number, found in enumerate(_parquet(path) if path.suffix == ".parquet" else _lines(path), 1):
        kind = kind or _kind(found, number)
        rows.append(_row(found, kind, number))
    if kind is None:
        raise FinetuningError(f"expected texts in {path}, found no row: give another file")
    return prepare(rows, kind)


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                found = json.loads(line)
            except (ValueError, RecursionError):
                found = None
            if not isinstance(found, dict):
                raise FinetuningError(f"row {number}: expected a JSON object, found another: mend or remove the line")
            yield found


def _parquet(path: Path) -> Iterator[Mapping[str, Any]]:
    parquet = library("pyarrow.parquet", FINETUNE)
    try:
        table = parquet.ParquetFile(path)
        names = [name for name in ("text", "label", "target", "user_id") if name in table.schema_arrow.names]
        for batch in table.iter_batches(columns=names):
            yield from batch.to_pylist()
    except library("pyarrow", FINETUNE).ArrowInvalid as error:
        raise FinetuningError(f"expected Parquet in {path}, found another: write the file anew") from error


def _kind(found: Mapping[str, Any], number: int) -> Kind:
    for kind in Kind:
        if found.get(kind) is not None:
            return kind
    raise FinetuningError(f"row {number}: expected a number under `label` or `target`, found neither: add one")


def _row(found: Mapping[str, Any], kind: Kind, number: int) -> Row:
    text, value, user = found.get("text"), found.get(kind), found.get("user_id")
    if not isinstance(text, str):
        raise FinetuningError(f"row {number}: expected text under `text`, found {type(text).__name__}: mend the row")
    if user is not None and not isinstance(user, str):
        raise FinetuningError(f"row {number}: expected text under `user_id`, found {type(user).__name__}: mend the row")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise FinetuningError(
            f"row {number}: expected a finite number under `{kind}`, found {type(value).__name__}: mend the row"
        )
    if kind is Kind.LABEL and value not in (0, 1):
        raise FinetuningError(f"row {number}: expected 0 or 1 under `label`, found another number: mend the row")
    return Row(text, float(value), user)
