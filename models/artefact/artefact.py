"""The artefact: a folder of two files that holds everything a score depends on, checked when read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, Self

from numpy.typing import NDArray

from models.artefact.documents import LINEAR_FORMAT, MODEL_FORMAT, ORIGIN_FORMAT, SPEND, Document
from models.artefact.drift_reference import DriftReference
from models.artefact.files import DRIFT_PREFIX, require_width
from models.artefact.holdout import Holdout
from models.artefact.origin import Origin
from models.artefact.saved import Saved
from models.exceptions import ArtefactError
from models.profile import WIDTH, Projection
from models.scoring.calibration import Calibration
from models.scoring.columns import Columns
from models.scoring.kinds.linear import LinearModel
from models.scoring.kinds.protocol import PROFILE_ALONE
from models.scoring.kinds.restore import restore, tensor_types
from models.scoring.scorer import Scorer
from models.scoring.standardising import Transform

MAXIMUM_CATEGORIES: Final = 256


@dataclass(frozen=True, eq=False, kw_only=True)
class Artefact(Saved[Document]):
    """A scorer of spend with all it was made with and for.

    Attributes:
        scorer: model, reference population and calibration.
        projection: P, from the encoder's embedding to the profile.
        encoder_identity: of the encoder whose embeddings P was fitted on, its cleaning and noise rules and P.
        categories: the closed list of tags, at most 256; any other is `other`.
        drift: the distribution of features and predictions over the training rows, where it was kept.
        origin: shop, currency and money that it was fitted on; None in one of a release that did not record them.
        holdout: the users that it was not trained on; None if there is no record of such users.

    Raises:
        ArtefactError: a scorer of several vectors; categories that repeat, are empty or too many; metrics that are not
            finite.
    """

    head: ClassVar[str] = SPEND

    scorer: Scorer
    projection: Projection
    categories: tuple[str, ...] = ()
    drift: DriftReference | None = None
    origin: Origin | None = None
    holdout: Holdout | None = None

    def __post_init__(self) -> None:
        if self.scorer.model.vectors != PROFILE_ALONE:
            raise ArtefactError(
                f"vectors: expected a scorer of spend on {PROFILE_ALONE[0]} alone, found one on "
                f"{', '.join(self.scorer.model.vectors)}; its rows hold no other"
            )
        distinct = set(self.categories)
        if len(self.categories) > MAXIMUM_CATEGORIES or len(distinct) < len(self.categories) or "" in distinct:
            raise ArtefactError(
                f"categories: expected at most {MAXIMUM_CATEGORIES} different names, none empty, found "
                f"{len(self.categories)} names, {len(distinct)} of them different; shorten the list"
            )
        super().__post_init__()

    @property
    def width(self) -> int:
        """Width of the profile vector."""
        return WIDTH

    def serving(self, names: Sequence[str], encoder_identity: str | None, width: int) -> Self:
        """Return this artefact for rows of these features, looked up by name; they may be more than it was fitted on.

        Args:
            names: the scalar features, in the order they will be passed.
            encoder_identity: of the running encoder; None accepts any, to score from behaviour alone.
            width: of the profile vectors that will be passed.

        Raises:
            ArtefactError: a feature is missing, or the encoder or the width is another than it was made for.
        """
        columns = Columns.of(self.scorer.names, names, f"artefact {self.version}")
        if width != self.width:
            raise ArtefactError(
                f"profile: artefact {self.version} expects a vector of width {self.width}, found {width}; "
                "train an artefact for this width"
            )
        if encoder_identity is not None and not self.matches(encoder_identity):
            raise ArtefactError(
                f"encoder: artefact {self.version} expects {self.encoder_identity}, found {encoder_identity}; "
                "use that encoder, train an artefact for this one, or score from behaviour alone"
            )
        if columns.row == self.scorer.row_names:
            return self
        drift = None if self.drift is None else replace(self.drift, columns=columns)
        return replace(self, scorer=replace(self.scorer, columns=columns), drift=drift)

    @classmethod
    def _document_type(cls) -> type[Document]:
        return Document

    @classmethod
    def _tensor_types(cls, document: Document) -> Mapping[str, tuple[str, int]]:
        return tensor_types(document.kind, _description(document))

    @classmethod
    def _restored(cls, document: Document, tensors: dict[str, NDArray[Any]]) -> Self:
        require_width(document.profile_width)
        drift = any(name.startswith(DRIFT_PREFIX) for name in tensors)
        return cls(
            scorer=Scorer(
                model=restore(document.kind, document.features, _description(document), tensors),
                reference=tensors["reference"],
                calibration=Calibration(tensors["calibration_x"], tensors["calibration_y"], document.trusted_up_to),
                tier_bounds=tuple(document.tier_bounds),
            ),
            projection=Projection(tensors["projection"]),
            encoder_name=document.encoder_name,
            encoder_identity=document.encoder_identity,
            date=document.date,
            seed=document.seed,
            data=document.data,
            data_hash=document.data_hash,
            categories=tuple(document.categories),
            metrics=document.metrics,
            drift=DriftReference.of(document.features, tensors) if drift else None,
            origin=document.origin,
            holdout=document.holdout,
        )

    def _tensors(self) -> dict[str, NDArray[Any]]:
        return {
            "calibration_x": self.scorer.calibration.x,
            "calibration_y": self.scorer.calibration.y,
            "reference": self.scorer.reference,
            "projection": self.projection.matrix,
            **self.scorer.model.tensors(),
            **({} if self.drift is None else self.drift.tensors()),
        }

    def _described(self, tensors_sha256: str) -> Document:
        model = self.scorer.model
        linear = model.kind == LinearModel.kind
        trusted = self.scorer.calibration.measured_up_to
        known_since = LINEAR_FORMAT if linear and self.drift is None else MODEL_FORMAT
        told = self.origin is not None or self.holdout is not None or trusted is not None
        return Document(
            format_version=ORIGIN_FORMAT if told else known_since,
            scorer="",
            date=self.date,
            features=list(self.scorer.names),
            transforms=[Transform(name) for name in model.document()["transforms"]] if linear else [],
            kind=model.kind,
            model={} if linear else model.document(),
            profile_width=self.width,
            encoder_name=self.encoder_name,
            encoder_identity=self.encoder_identity,
            categories=list(self.categories),
            tier_bounds=list(self.scorer.tier_bounds),
            seed=self.seed,
            data=self.data,
            data_hash=self.data_hash,
            metrics=dict(self.metrics),
            holdout=self.holdout,
            tensors_sha256=tensors_sha256,
            origin=self.origin,
            trusted_up_to=trusted,
        )


def _description(document: Document) -> dict[str, Any]:
    """The description of the model; the linear one's transforms stand where the first format has them."""
    return {"transforms": document.transforms} if document.kind == LinearModel.kind else document.model
