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

from models.exceptions import ArtefactError
from models.transform import Transform

FORMAT_VERSION: Final = 1
TENSORS_FILE: Final = "model.safetensors"
DOCUMENT_FILE: Final = "model.json"

_VECTORS: Final = (
    "calibration_x",
    "calibration_y",
    "intercept",
    "means",
    "profile_weights",
    "reference",
    "scales",
    "weights",
)


class _Format(msgspec.Struct):
    format_version: int


class Document(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The content of `model.json`; each field means what the artefact's attribute of that name does.

    Attributes:
        scorer: the version, by date and content; empty while the content is hashed.
        tensors_sha256: of `model.safetensors`.
    """

    format_version: int
    scorer: str
    date: date
    features: list[str]
    transforms: list[Transform]
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
        if version != FORMAT_VERSION:
            raise ArtefactError(
                f"{DOCUMENT_FILE}: expected format version {FORMAT_VERSION}, found {version}; "
                "use the release that wrote it, or train it again"
            )
        return msgspec.json.decode(content, type=Document)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ArtefactError(
            f"{DOCUMENT_FILE}: expected the description of an artefact, found a damaged file ({error}); copy it again"
        ) from error


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


def encode_tensors(vectors: Mapping[str, NDArray[np.float64]], projection: NDArray[np.float32]) -> bytes:
    """Write the float64 vectors and the projection; the same numbers give the same bytes."""
    tensors: dict[str, NDArray[Any]] = {
        name: np.ascontiguousarray(vector, dtype="<f8") for name, vector in vectors.items()
    }
    return bytes(save({**tensors, "projection": projection}))


def decode_tensors(content: bytes) -> dict[str, NDArray[Any]]:
    """Read the tensors.

    Returns:
        float64 vectors by name, one element in `intercept`, and float32 `projection` of two axes.

    Raises:
        ArtefactError: damaged, or other tensors than these.
    """
    try:
        tensors = load(content)
    except SafetensorError as error:
        raise ArtefactError(f"{TENSORS_FILE}: expected tensors, found a damaged file; copy it again") from error
    expected = {**dict.fromkeys(_VECTORS, ("float64", 1)), "projection": ("float32", 2)}
    found = {name: (str(tensor.dtype), tensor.ndim) for name, tensor in tensors.items()}
    if found != expected or tensors["intercept"].size != 1:
        differing = sorted(
            name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)
        ) or ["intercept"]
        raise ArtefactError(
            f"{TENSORS_FILE}: expected {len(expected)} tensors of known names and types, found others "
            f"({', '.join(differing)}); train the artefact again"
        )
    return dict(tensors)
