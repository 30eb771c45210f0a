"""The artefact of the head of polarity: two files that hold all that a polarity depends on, checked when read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from models.artefact.documents import HEAD_FORMAT, SENTIMENT, PolarityDocument
from models.artefact.files import TENSORS_FILE
from models.artefact.saved import Saved
from models.exceptions import ArtefactError
from models.sentiment.head import PolarityHead


@dataclass(frozen=True, eq=False, kw_only=True)
class PolarityArtefact(Saved[PolarityDocument]):
    """A head of polarity with all it was made with.

    Attributes:
        weights: float64 [width of an embedding].
        calibration: float64 [3]: intercept of the logit, slope and offset of its calibration.
        encoder_identity: of the embeddings that it reads (`models.profile.embedding_identity`).
        data_hash: SHA-256 of the texts and their polarities.
        shop: whose reviews they are, in words; empty where nobody said.
        polarity: the head itself.

    Raises:
        ArtefactError: numbers that are none of a head.
    """

    head: ClassVar[str] = SENTIMENT

    weights: NDArray[np.float64]
    calibration: NDArray[np.float64]
    shop: str = ""
    polarity: PolarityHead = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.calibration) != 3:
            raise ArtefactError(
                f"{TENSORS_FILE}: expected a calibration of 3 numbers, found {len(self.calibration)}; train it again"
            )
        intercept, slope, offset = self.calibration.tolist()
        polarity = PolarityHead(
            weights=self.weights,
            intercept=intercept,
            slope=slope,
            offset=offset,
            encoder_name=self.encoder_name,
            encoder=self.encoder_identity,
        )
        object.__setattr__(self, "polarity", polarity)

    @property
    def auc(self) -> Mapping[str, float]:
        """AUC by corpus, on texts that it was not fitted to; empty where it was not measured."""
        found = self.metrics.get("auc")
        return found if isinstance(found, dict) else {}

    @classmethod
    def _document_type(cls) -> type[PolarityDocument]:
        return PolarityDocument

    @classmethod
    def _tensor_types(cls, document: PolarityDocument) -> Mapping[str, tuple[str, int]]:
        return {}

    @classmethod
    def _restored(cls, document: PolarityDocument, tensors: dict[str, NDArray[Any]]) -> Self:
        return cls(
            weights=tensors["weights"],
            calibration=tensors["calibration"],
            encoder_name=document.encoder_name,
            encoder_identity=document.encoder_identity,
            date=document.date,
            seed=document.seed,
            data=document.data,
            data_hash=document.data_hash,
            shop=document.shop,
            metrics=document.metrics,
        )

    def _tensors(self) -> dict[str, NDArray[Any]]:
        return {"weights": self.weights, "calibration": self.calibration}

    def _described(self, tensors_sha256: str) -> PolarityDocument:
        return PolarityDocument(
            format_version=HEAD_FORMAT,
            head=SENTIMENT,
            scorer="",
            date=self.date,
            encoder_name=self.encoder_name,
            encoder_identity=self.encoder_identity,
            seed=self.seed,
            data=self.data,
            data_hash=self.data_hash,
            shop=self.shop,
            metrics=dict(self.metrics),
            tensors_sha256=tensors_sha256,
        )
