"""The artefact of the second head: two files that hold all that a capacity depends on, checked when read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from models.artefact.documents import CAPACITY, HEAD_FORMAT, CapacityDocument, versioned
from models.artefact.files import (
    decode_tensors,
    encode_tensors,
    read_document,
    read_tensors,
    require_same,
    write_files,
)
from models.exceptions import ArtefactError
from models.profile import WIDTH
from models.scoring.capacity import NOT_FOR, CapacityScorer
from models.scoring.columns import Columns
from models.scoring.kinds.restore import restore, tensor_types


@dataclass(frozen=True, eq=False, kw_only=True)
class CapacityArtefact:
    """A capacity scorer with all it was made with. The projection is that of the scorer of spend in use.

    Attributes:
        scorer: model, reference population and least evidence.
        encoder_name: the encoder behind the vectors.
        encoder_identity: of that encoder, its cleaning and noise rules and the projection.
        date: the day it was made.
        seed: of the folds.
        data: the training data, in words.
        data_hash: SHA-256 of the labelled rows.
        shop: whose users they are, in words; empty where nobody said.
        metrics: of the training; all finite.
        not_for: what it may not be used for.

    Raises:
        ArtefactError: metrics that are not finite.
    """

    head: ClassVar[str] = CAPACITY
    """Which head it is of, as its card and files say."""

    scorer: CapacityScorer
    encoder_name: str
    encoder_identity: str
    date: date
    seed: int
    data: str
    data_hash: str
    shop: str = ""
    metrics: Mapping[str, float | dict[str, float]] = field(default_factory=dict)
    not_for: tuple[str, ...] = NOT_FOR

    def __post_init__(self) -> None:
        for name, value in self.metrics.items():
            if not np.isfinite(list(value.values()) if isinstance(value, dict) else [value]).all():
                raise ArtefactError(f"metrics: expected finite numbers, found another in {name!r}; leave it out")

    @property
    def version(self) -> str:
        """The scorer's version: the date it was made and 6 hex digits of its content's SHA-256."""
        return self._document.scorer

    def matches(self, encoder_identity: str) -> bool:
        """Tell whether vectors of this identity may be scored; if not, pass None for them."""
        return encoder_identity == self.encoder_identity

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

    def save(self, folder: Path) -> None:
        """Write the artefact; the same content gives the same bytes.

        Args:
            folder: made if missing; its two files are replaced.

        Raises:
            OSError: the folder cannot be written.
        """
        write_files(folder, self._document, self._tensors)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read an artefact.

        Args:
            folder: as written by `save`.

        Raises:
            ArtefactError: a file is missing, damaged, of another head or of an unknown format; the two do not belong
                together; or they hold no scorer.
        """
        document = read_document(folder, CapacityDocument, CAPACITY)
        content = read_tensors(folder, document.tensors_sha256)
        tensors = decode_tensors(content, tensor_types(document.kind, document.model), CAPACITY)
        artefact = cls(
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
        require_same(document, artefact._document)
        return artefact

    @cached_property
    def _tensors(self) -> bytes:
        tensors: dict[str, NDArray[Any]] = {"reference": self.scorer.reference, **self.scorer.model.tensors()}
        return encode_tensors(tensors)

    @cached_property
    def _document(self) -> CapacityDocument:
        model = self.scorer.model
        return versioned(
            CapacityDocument(
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
                tensors_sha256=hashlib.sha256(self._tensors).hexdigest(),
            )
        )
