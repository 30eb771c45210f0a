"""What the artefacts of all heads have in common: where they come from, their version, and how they are kept."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, Self

import numpy as np
from numpy.typing import NDArray

from models.artefact.documents import D, versioned
from models.artefact.files import (
    decode_tensors,
    encode_tensors,
    read_document,
    read_tensors,
    require_same,
    write_files,
)
from models.exceptions import ArtefactError


@dataclass(frozen=True, eq=False, kw_only=True)
class Saved(ABC, Generic[D]):
    """A model of one head with all it was made with, kept in a folder of two files and checked when read.

    Attributes:
        encoder_name: the encoder whose embeddings it was made with.
        encoder_identity: of what it was made for, as the head understands it.
        date: the day it was made.
        seed: of the training.
        data: the training data, in words.
        data_hash: SHA-256 of what it was fitted to.
        metrics: of the training; all finite.

    Raises:
        ArtefactError: metrics that are not finite.
    """

    head: ClassVar[str]
    """Which head it is of, as its card and files say."""

    encoder_name: str
    encoder_identity: str
    date: date
    seed: int
    data: str
    data_hash: str
    metrics: Mapping[str, float | dict[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in self.metrics.items():
            if not np.isfinite(list(value.values()) if isinstance(value, dict) else [value]).all():
                raise ArtefactError(f"metrics: expected finite numbers, found another in {name!r}; leave it out")

    @property
    def version(self) -> str:
        """The date it was made and 6 hex digits of its content's SHA-256."""
        return self._document.scorer

    def matches(self, encoder_identity: str) -> bool:
        """Tell whether it was made for what a running encoder gives; if not, no vector may be handed to it."""
        return encoder_identity == self.encoder_identity

    def save(self, folder: Path, others: Mapping[str, bytes] | None = None) -> None:
        """Write the artefact; the same content gives the same bytes.

        Args:
            folder: made if missing; its two files are replaced.
            others: files that are written with them by name, such as the card: all of them or none.

        Raises:
            OSError: the folder cannot be written.
        """
        write_files(folder, self._document, self._encoded, others or {})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read an artefact.

        Args:
            folder: as written by `save`.

        Raises:
            ArtefactError: a file is missing, damaged, of another head or of an unknown format; the two do not belong
                together; or they hold no model.
        """
        document = read_document(folder, cls._document_type(), cls.head)
        content = read_tensors(folder, document.tensors_sha256)
        artefact = cls._restored(document, decode_tensors(content, cls._tensor_types(document), cls.head))
        require_same(document, artefact._document)
        return artefact

    @classmethod
    @abstractmethod
    def _document_type(cls) -> type[D]: ...

    @classmethod
    @abstractmethod
    def _tensor_types(cls, document: D) -> Mapping[str, tuple[str, int]]:
        """Dtype and number of axes of each tensor that depends on what the document says."""

    @classmethod
    @abstractmethod
    def _restored(cls, document: D, tensors: dict[str, NDArray[Any]]) -> Self: ...

    @abstractmethod
    def _tensors(self) -> dict[str, NDArray[Any]]: ...

    @abstractmethod
    def _described(self, tensors_sha256: str) -> D:
        """The document, but for its version."""

    @cached_property
    def _encoded(self) -> bytes:
        return encode_tensors(self._tensors())

    @cached_property
    def _document(self) -> D:
        return versioned(self._described(hashlib.sha256(self._encoded).hexdigest()))
