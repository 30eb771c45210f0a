"""One thread for everything a training run computes: sums in another number of parts have other last digits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from models.libraries import library


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold torch and numpy's linear algebra to one thread, also where the environment asks for more.

    Raises:
        MissingLibraryError: threadpoolctl is not installed.
    """
    import torch

    pools = library("threadpoolctl")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with pools.threadpool_limits(limits=1):
            yield
    finally:
        torch.set_num_threads(threads)
