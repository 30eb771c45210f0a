"""Products of the event loop take one thread, whatever the machine or the environment says."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from streams.worker.linear_algebra import keep_products_on_the_loop


def test_products_take_one_thread_where_they_took_several() -> None:
    np.ones((2, 2)) @ np.ones((2, 2))
    with threadpool_limits(limits=2, user_api="blas"):
        assert 2 in _threads()

        keep_products_on_the_loop()

        assert _threads() == {1}


def _threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
