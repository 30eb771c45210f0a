"""Libraries that an extra brings: imported where they are used, since serving needs none of them."""

from __future__ import annotations

import importlib
from typing import Any, Final

from models.exceptions import MissingLibraryError

TRAIN: Final = "train"
FINETUNE: Final = "finetune"
REGISTRY: Final = "registry"

_PACKAGES: Final = {"sklearn": "scikit-learn"}
"""The package that brings a library, where the two names differ."""


def library(name: str, extra: str = TRAIN) -> Any:
    """Import a library of an extra.

    Args:
        name: of the library, or of a module of it.
        extra: the extra of this project that brings it.

    Raises:
        MissingLibraryError: it, or a library that it needs, is not installed, or cannot be imported.
    """
    remedy = f"install it with `pip install wherewithal[{extra}]`"
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        found = (error.name or name).split(".")[0]
        raise MissingLibraryError(f"expected {_PACKAGES.get(found, found)}, found none; {remedy}") from error
    except (ImportError, OSError) as error:
        # OSError: a library of the system that it is linked against is not there.
        raise MissingLibraryError(
            f"expected {_PACKAGES.get(name, name)}, found one that cannot be imported ({error}); {remedy}"
        ) from error
