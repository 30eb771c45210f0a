"""What `model.json` of an artefact says, by the head that the artefact is of."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Any, Final, TypeVar

import msgspec

from models.artefact.holdout import Holdout
from models.artefact.origin import Origin
from models.scoring.standardising import Transform

LINEAR_FORMAT: Final = 1
"""The format of a linear model without a drift reference, which every release can read."""

MODEL_FORMAT: Final = 2
"""The format of every other model: the document names its kind and holds its description."""

ORIGIN_FORMAT: Final = 3
"""The format of a model that says where it comes from and who judges it, or whose calibration is extrapolated."""

HEAD_FORMAT: Final = 4
"""The format of an artefact that names its head, because it is not that of spend."""

SPEND: Final = "spend"
CAPACITY: Final = "capacity"
SENTIMENT: Final = "sentiment"

FORMATS: Final = {
    SPEND: (LINEAR_FORMAT, MODEL_FORMAT, ORIGIN_FORMAT),
    CAPACITY: (HEAD_FORMAT,),
    SENTIMENT: (HEAD_FORMAT,),
}
"""By head, the formats that this release reads."""


class Document(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The content of `model.json`; each field means what the artefact's attribute of that name does.

    Attributes:
        scorer: the version, by date and content; empty while the content is hashed.
        transforms: of a linear model's features.
        kind: of the model.
        model: the description of the model, the linear one's transforms apart.
        tensors_sha256: of `model.safetensors`.
        trusted_up_to: the calibration's, where it goes on beyond what was measured.
    """

    format_version: int
    scorer: str
    date: date
    features: list[str]
    profile_width: int
    encoder_name: str
    encoder_identity: str
    categories: list[str]
    tier_bounds: list[float]
    seed: int
    data: str
    data_hash: str
    metrics: dict[str, float | dict[str, float]]
    tensors_sha256: str
    transforms: list[Transform] = []
    kind: str = "linear"
    model: dict[str, Any] = {}
    origin: Origin | None = None
    trusted_up_to: float | None = None
    holdout: Holdout | None = None


class CapacityDocument(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The content of `model.json` of a capacity artefact; each field means what the artefact's of that name does.

    Attributes:
        head: `capacity`.
        scorer: the version, by date and content; empty while the content is hashed.
        features: the scalars.
        kind: of the model.
        model: the description of the model.
        not_for: what it may not be used for, for whoever opens the file.
        tensors_sha256: of `model.safetensors`.
    """

    format_version: int
    head: str
    scorer: str
    date: date
    features: list[str]
    profile_width: int
    kind: str
    model: dict[str, Any]
    encoder_name: str
    encoder_identity: str
    band_bounds: list[float]
    least_evidence: int
    not_for: list[str]
    seed: int
    data: str
    data_hash: str
    shop: str
    metrics: dict[str, float | dict[str, float]]
    tensors_sha256: str


class PolarityDocument(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The content of `model.json` of a head of polarity; each field means what the artefact's of that name does.

    Attributes:
        head: `sentiment`.
        scorer: the version, by date and content; empty while the content is hashed.
        encoder_identity: of the embeddings that it reads, before any projection.
        tensors_sha256: of `model.safetensors`.
    """

    format_version: int
    head: str
    scorer: str
    date: date
    encoder_name: str
    encoder_identity: str
    seed: int
    data: str
    data_hash: str
    shop: str
    metrics: dict[str, float | dict[str, float]]
    tensors_sha256: str


D = TypeVar("D", Document, CapacityDocument, PolarityDocument)


def encode(document: D) -> bytes:
    """Write the document, its keys sorted; the same content gives the same bytes."""
    return msgspec.json.format(msgspec.json.encode(document, order="sorted"), indent=2) + b"\n"


def versioned(document: D) -> D:
    """Return the document with the version of its content: the date and 6 hex digits of the SHA-256."""
    digest = hashlib.sha256(encode(document)).hexdigest()
    return msgspec.structs.replace(document, scorer=f"{document.date.isoformat()}-{digest[:6]}")
