"""The two files of an artefact: what they hold and how it is written, never a pickle."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from models.artefact.holdout import Holdout
from models.artefact.origin import Origin
from models.exceptions import ArtefactError
from models.scoring.standardising import Transform

LINEAR_FORMAT: Final = 1
"""The format of a linear model without a drift reference, which every release can read."""

MODEL_FORMAT: Final = 2
"""The format of every other model: the document names its kind and holds its description."""

ORIGIN_FORMAT: Final = 3
"""The format of a model that says where it comes from and who judges it, or whose calibration is extrapolated."""

FORMATS: Final = (LINEAR_FORMAT, MODEL_FORMAT, ORIGIN_FORMAT)

TENSORS_FILE: Final = "model.safetensors"
DOCUMENT_FILE: Final = "model.json"

DRIFT_PREFIX: Final = "drift_"
"""Names of the drift reference's tensors begin so; the reference checks them itself."""

_COMMON: Final = {
    "calibration_x": ("float64", 1),
    "calibration_y": ("float64", 1),
    "reference": ("float64", 1),
    "projection": ("float32", 2),
}


class _Format(msgspec.Struct):
    format_version: int


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


def encode(document: Document) -> bytes:
    """Write the document, its keys sorted; the same content gives the same bytes."""
    return msgspec.json.format(msgspec.json.encode(document, order="sorted"), indent=2) + b"\n"


def decode(content: bytes) -> Document:
    """Read the document.

    Raises:
        ArtefactError: damaged, or of another format version.
    """
    try:
        version = msgspec.json.decode(content, type=_Format).format_version
        if version not in FORMATS:
            raise ArtefactError(
                f"{DOCUMENT_FILE}: expected format version {FORMATS[0]} to {FORMATS[-1]}, found {version}; "
                "use the release that wrote it, or train it again"
            )
        return msgspec.json.decode(content, type=Document)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ArtefactError(
            f"{DOCUMENT_FILE}: expected the description of an artefact, found a damaged file ({error}); copy it again"
        ) from error


def artefact_bytes(folder: Path) -> int:
    """Return the size of the two files of an artefact.

    Raises:
        OSError: one is missing.
    """
    return sum((folder / name).stat().st_size for name in (DOCUMENT_FILE, TENSORS_FILE))


def read_bytes(path: Path) -> bytes:
    """Read one file of an artefact.

    Raises:
        ArtefactError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtefactError(
            f"artefact: expected a readable file {path}, found none ({error.strerror}); "
            "point to a folder that `train` wrote"
        ) from error


def encode_tensors(tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """Write the tensors, little-endian; the same numbers give the same bytes."""
    little = {
        name: np.ascontiguousarray(tensor, dtype=tensor.dtype.newbyteorder("<")) for name, tensor in tensors.items()
    }
    return bytes(save(little))


def decode_tensors(content: bytes, of_model: Mapping[str, tuple[str, int]]) -> dict[str, NDArray[Any]]:
    """Read the tensors.

    Args:
        content: of the file.
        of_model: dtype and number of axes of each tensor of the model.

    Returns:
        The tensors of the model, the scorer and the projection, and all whose names begin with `drift_`.

    Raises:
        ArtefactError: damaged, or other tensors than these.
    """
    try:
        tensors = load(content)
    except SafetensorError as error:
        raise ArtefactError(f"{TENSORS_FILE}: expected tensors, found a damaged file; copy it again") from error
    expected = {**_COMMON, **of_model}
    found = {
        name: (str(tensor.dtype), tensor.ndim) for name, tensor in tensors.items() if not name.startswith(DRIFT_PREFIX)
    }
    if found != expected:
        differing = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
        raise ArtefactError(
            f"{TENSORS_FILE}: expected {len(expected)} tensors of known names and types, found others "
            f"({', '.join(differing)}); train the artefact again"
        )
    return dict(tensors)
