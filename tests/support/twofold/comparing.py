"""Whether a row of an item is the wanted one, in the contract's sense of equal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

TO_A_DIGIT = ("polarity_30d", "rating_text_gap_30d")
VECTOR = "title_vector"


def differing(served: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The fields in which a row is not, in the contract's sense, the wanted one."""
    found = {}
    for name, value in wanted.items():
        if name == VECTOR:
            same = np.allclose(served[name], value, rtol=0, atol=1e-5)
        elif name in TO_A_DIGIT and value is not None and served[name] is not None:
            same = abs(served[name] - value) <= 1e-4
        else:
            same = served[name] == value
        if not same:
            found[name] = (served[name], value)
    return found
