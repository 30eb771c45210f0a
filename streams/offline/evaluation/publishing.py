"""The files of a report: the page, and the document with every number in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from streams.offline.evaluation.page import page

PAGE_FILE: Final = "report.html"
DOCUMENT_FILE: Final = "report.json"


def publish(document: Mapping[str, Any], folder: Path) -> None:
    """Write page and document into a folder, which is made if missing.

    Raises:
        ConfigurationError: jinja2 is not installed.
        MissingLibraryError: matplotlib is not installed.
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PAGE_FILE).write_text(page(document), encoding="utf-8")
    (folder / DOCUMENT_FILE).write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
