"""From a row that may have more features to the features a scorer was fitted on, by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.exceptions import ArtefactError
from models.scoring.standardising import ScalarRows, as_matrix


@dataclass(frozen=True, eq=False)
class Columns:
    """Where the features that something was fitted on stand in a row; made by `of`, which looks them up once.

    Attributes:
        names: the k features fitted on, in their order.
        row: the names of a row's values, in their order; all of `names`, and perhaps more.
        positions: int64 [k], of each of `names` in `row`; None where the two are the same.
    """

    names: tuple[str, ...]
    row: tuple[str, ...]
    positions: NDArray[np.int64] | None

    @classmethod
    def of(cls, names: Sequence[str], row: Sequence[str], owner: str) -> Self:
        """Find each feature in a row.

        Args:
            names: the k features fitted on.
            row: the names of a row's values.
            owner: what was fitted, as an error names it.

        Raises:
            ArtefactError: the row lacks one of them.
        """
        place = {name: position for position, name in enumerate(row)}
        for name in names:
            if name not in place:
                raise ArtefactError(
                    f"features: {owner} expects {name!r}, found {len(row)} features without it; "
                    "train an artefact for this version's features, or run the release that trained it"
                )
        same = tuple(names) == tuple(row)
        positions = None if same else np.array([place[name] for name in names], dtype=np.int64)
        return cls(tuple(names), tuple(row), positions)

    def pick(self, rows: ScalarRows) -> NDArray[np.float64]:
        """Take the features out of rows, null as NaN.

        Args:
            rows: n of them, each with its values in the order of `row`.

        Returns:
            float64 [n, k], C-contiguous. No copy of a matrix that has these columns already.

        Raises:
            InvalidInputError: a row has another length, or holds something that is not a number or None.
        """
        matrix = as_matrix(rows, len(self.row))
        # `take` keeps rows dense, as indexing would not: numpy may round the logarithm of a strided row differently.
        return matrix if self.positions is None else np.take(matrix, self.positions, axis=1)
