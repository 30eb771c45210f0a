"""The libraries that only fine-tuning needs, imported when they are used."""

from __future__ import annotations

import importlib
from types import ModuleType

from models.finetuning.exceptions import MissingLibraryError


def library(name: str) -> ModuleType:
    """Import a library of the extra `finetune`.

    Raises:
        MissingLibraryError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != name.split(".")[0]:
            raise
        package = name.split(".")[0]
        raise MissingLibraryError(
            f"expected the library {package}, found none: run `pip install wherewithal[finetune]`"
        ) from error
