import sys

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from models.exceptions import MissingLibraryError
from models.profile import Projection
from models.training.threads import one_thread


def blas_threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.mark.parametrize("allowed", [1, 2, 3])
def test_training_computes_in_one_thread_and_gives_back_what_it_took(allowed: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(allowed)
    try:
        with threadpool_limits(limits=allowed):
            outside = blas_threads()
            with one_thread():
                assert torch.get_num_threads() == 1
                assert blas_threads() == {1}
            assert blas_threads() == outside
        assert torch.get_num_threads() == allowed
    finally:
        torch.set_num_threads(before)


def test_a_projection_is_the_same_to_the_last_bit_whatever_the_environment_allows() -> None:
    embeddings = np.random.default_rng(0).normal(size=(3000, 384))
    found = set()
    for allowed in (1, 2, 4):
        with threadpool_limits(limits=allowed), one_thread():
            found.add(Projection.fit(embeddings).matrix.tobytes())
    assert len(found) == 1


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    with pytest.raises(MissingLibraryError, match=r"pip install wherewithal\[train\]"), one_thread():
        pass
