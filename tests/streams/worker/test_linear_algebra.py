"""Products of a worker's event loop take one thread, whatever the machine or the environment says."""

from __future__ import annotations

import numpy as np
import pytest
from support.encoders import HashEncoder
from support.runs import quick_settings
from threadpoolctl import threadpool_info, threadpool_limits

from streams.worker.flow import Flow

pytestmark = pytest.mark.usefixtures("broker")


async def test_a_worker_computes_products_on_one_thread_where_the_process_took_several(tmp_path):
    with threadpool_limits(limits=2, user_api="blas"):
        np.ones((2, 2)) @ np.ones((2, 2))
        assert 2 in threads()
        async with Flow(quick_settings(tmp_path, partitions=1), encoder=HashEncoder()):
            assert threads() == {1}


def threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
