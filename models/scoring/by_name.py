"""What the scorers of both heads share: a model that takes its features out of wider rows, by name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from models.exceptions import ArtefactError
from models.scoring.columns import Columns
from models.scoring.kinds.protocol import Model
from models.scoring.standardising import ScalarRows


@dataclass(frozen=True, eq=False, kw_only=True)
class ByName:
    """A model, and where its features stand in the rows that are scored.

    Attributes:
        model: see the scorer.
        columns: where the model's features stand in the rows that are scored; None where these are all of a row.

    Raises:
        ArtefactError: columns of other features.
    """

    owner: ClassVar[str]
    """What was fitted, as an error names it."""

    model: Model
    columns: Columns | None = None

    def __post_init__(self) -> None:
        if self.columns is not None and self.columns.names != self.names:
            raise ArtefactError("columns: expected those of the model's features, found others; look them up again")

    @property
    def names(self) -> tuple[str, ...]:
        """The k scalar features that the model was fitted on."""
        return self.model.names

    @property
    def row_names(self) -> tuple[str, ...]:
        """The names of the values of a row that is scored, in their order; the features are among them."""
        return self._columns.row

    @cached_property
    def _columns(self) -> Columns:
        return self.columns or Columns.of(self.names, self.names, self.owner)

    def features_of(self, rows: ScalarRows) -> NDArray[np.float64]:
        """Take the model's features out of n rows in the order of `row_names`: float64 [n, k], NaN for null.

        Raises:
            InvalidInputError: a row has another length, or holds something that is not a number or None.
        """
        return self._columns.pick(rows)
