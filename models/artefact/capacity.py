"""The artefact of the second head: two files that hold all that a capacity depends on, checked when read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from numpy.typing import NDArray

from models.artefact.documents import CAPACITY, HEAD_FORMAT, CapacityDocument
from models.artefact.files import require_width
from models.artefact.saved import Saved
from models.exceptions import ArtefactError
from models.profile import WIDTH
from models.scoring.capacity import NOT_FOR, CapacityScorer
from models.scoring.columns import Columns
from models.scoring.kinds.restore import restore, tensor_types


@dataclass(frozen=True, eq=False, kw_only=True)
class CapacityArtefact(Saved[CapacityDocument]):
    """A capacity scorer with all it was made with. The projection is that of the scorer of spend in use.

    Attributes:
        scorer: model, reference population and least evidence.
        encoder_identity: of the encoder behind the vectors, its cleaning and noise rules and the projection.
        seed: of the folds.
        data_hash: SHA-256 of the labelled rows.
        shop: whose users they are, in words; empty where nobody said.
        not_for: what it may not be used for.
    """

    head: ClassVar[str] = CAPACITY

    scorer: CapacityScorer
    shop: str = ""
    not_for: tuple[str, ...] = NOT_FOR

    def serving(self, names: Sequence[str], encoder_identity: str | None) -> Self:
        """Return this artefact for rows of these features, looked up by name; they may be more than it was fitted on.

        Args:
            names: the scalar features, in the order they will be passed.
            encoder_identity: of the running encoder; None accepts any, to estimate from behaviour alone.

        Raises:
            ArtefactError: a feature is missing, or the encoder is another than it was made for.
        """
        owner = f"capacity artefact {self.version}"
        columns = Columns.of(self.scorer.names, names, owner)
        if encoder_identity is not None and not self.matches(encoder_identity):
            raise ArtefactError(
                f"encoder: {owner} expects {self.encoder_identity}, found {encoder_identity}; use that encoder and the "
                "scorer that it was folded with, train an artefact for this one, or estimate from behaviour alone"
            )
        if columns.row == self.scorer.row_names:
            return self
        return replace(self, scorer=replace(self.scorer, columns=columns))

    @classmethod
    def _document_type(cls) -> type[CapacityDocument]:
        return CapacityDocument

    @classmethod
    def _tensor_types(cls, document: CapacityDocument) -> Mapping[str, tuple[str, int]]:
        return tensor_types(document.kind, document.model)

    @classmethod
    def _restored(cls, document: CapacityDocument, tensors: dict[str, NDArray[Any]]) -> Self:
        require_width(document.profile_width)
        return cls(
            scorer=CapacityScorer(
                model=restore(document.kind, document.features, document.model, tensors),
                reference=tensors["reference"],
                least_evidence=document.least_evidence,
                band_bounds=tuple(document.band_bounds),
            ),
            encoder_name=document.encoder_name,
            encoder_identity=document.encoder_identity,
            date=document.date,
            seed=document.seed,
            data=document.data,
            data_hash=document.data_hash,
            shop=document.shop,
            metrics=document.metrics,
            not_for=tuple(document.not_for),
        )

    def _tensors(self) -> dict[str, NDArray[Any]]:
        return {"reference": self.scorer.reference, **self.scorer.model.tensors()}

    def _described(self, tensors_sha256: str) -> CapacityDocument:
        model = self.scorer.model
        return CapacityDocument(
            format_version=HEAD_FORMAT,
            head=CAPACITY,
            scorer="",
            date=self.date,
            features=list(self.scorer.names),
            profile_width=WIDTH,
            kind=model.kind,
            model=model.document(),
            encoder_name=self.encoder_name,
            encoder_identity=self.encoder_identity,
            band_bounds=list(self.scorer.band_bounds),
            least_evidence=self.scorer.least_evidence,
            not_for=list(self.not_for),
            seed=self.seed,
            data=self.data,
            data_hash=self.data_hash,
            shop=self.shop,
            metrics=dict(self.metrics),
            tensors_sha256=tensors_sha256,
        )
