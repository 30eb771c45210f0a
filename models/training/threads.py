"""One thread for everything a training run computes: sums in another number of parts have other last digits."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from models.exceptions import MissingLibraryError


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold torch and numpy's linear algebra to one thread, whatever the environment asks for.

    Raises:
        MissingLibraryError: threadpoolctl is not installed.
    """
    import torch

    try:
        # It has no types.
        pools: Any = importlib.import_module("threadpoolctl")
    except ImportError as error:
        raise MissingLibraryError(
            "train: expected threadpoolctl, found none; install it with `pip install wherewithal[train]`"
        ) from error
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with pools.threadpool_limits(limits=1):
            yield
    finally:
        torch.set_num_threads(threads)
