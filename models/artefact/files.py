"""The two files of an artefact: written and read, and checked, never a pickle."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from models.artefact.documents import CAPACITY, FORMATS, SENTIMENT, SPEND, D, encode
from models.exceptions import ArtefactError
from models.profile import WIDTH

TENSORS_FILE: Final = "model.safetensors"
DOCUMENT_FILE: Final = "model.json"

DRIFT_PREFIX: Final = "drift_"
"""Names of the drift reference's tensors begin so; the reference checks them itself."""

_COMMON: Final = {
    SPEND: {
        "calibration_x": ("float64", 1),
        "calibration_y": ("float64", 1),
        "reference": ("float64", 1),
        "projection": ("float32", 2),
    },
    CAPACITY: {"reference": ("float64", 1)},
    SENTIMENT: {"weights": ("float64", 1), "calibration": ("float64", 1)},
}
"""By head, the tensors that an artefact has beside those of its model."""


class _Format(msgspec.Struct):
    format_version: int
    head: str = SPEND


def read_document(folder: Path, kind: type[D], head: str) -> D:
    """Read the document of an artefact of this head.

    Args:
        folder: of the artefact.
        kind: of the document.
        head: `spend`, `capacity` or `sentiment`.

    Raises:
        ArtefactError: missing, damaged, of another head or format version.
    """
    content = read_bytes(folder / DOCUMENT_FILE)
    try:
        found = msgspec.json.decode(content, type=_Format)
        if found.head != head:
            raise ArtefactError(
                f"{DOCUMENT_FILE}: expected an artefact of the head {head}, found one of {found.head[:40]!r}; "
                f"name the folder that `train --head {head}` wrote"
            )
        formats = FORMATS[head]
        if found.format_version not in formats:
            expected = f"{formats[0]} to {formats[-1]}" if len(formats) > 1 else str(formats[0])
            raise ArtefactError(
                f"{DOCUMENT_FILE}: expected format version {expected}, found {found.format_version}; "
                "use the release that wrote it, or train it again"
            )
        document = msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ArtefactError(
            f"{DOCUMENT_FILE}: expected the description of an artefact, found a damaged file ({error}); copy it again"
        ) from error
    return document


def require_width(width: int) -> None:
    """Refuse vectors of another width than this release has.

    Raises:
        ArtefactError: the width is another.
    """
    if width != WIDTH:
        raise ArtefactError(
            f"{DOCUMENT_FILE}: expected a profile of width {WIDTH}, found {width}; "
            "use the release that trained this artefact, or train it again"
        )


def read_tensors(folder: Path, sha256: str) -> bytes:
    """Read the tensors' file that a document describes.

    Raises:
        ArtefactError: missing, or another file.
    """
    content = read_bytes(folder / TENSORS_FILE)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ArtefactError(
            f"{TENSORS_FILE}: expected the file that {DOCUMENT_FILE} describes, found a damaged file or that of "
            "another artefact; copy both files again"
        )
    return content


def require_own(folder: Path, head: str) -> None:
    """Refuse a folder whose files are not of an artefact of this head, such as a scorer or an encoder.

    Args:
        folder: to be written; it need not exist.
        head: of the artefact that is to be written.

    Raises:
        ArtefactError: there are such files, and saving would replace them.
    """
    there = [name for name in (DOCUMENT_FILE, TENSORS_FILE) if (folder / name).exists()]
    if there and _head_in(folder) != head:
        raise ArtefactError(
            f"{folder}: expected a folder without files of anything but the head {head}, found {there[0]} of "
            "something else, which would be replaced; name another folder, or remove it"
        )


def _head_in(folder: Path) -> str | None:
    """Return the head of the artefact in a folder; None where none can be read."""
    try:
        return msgspec.json.decode((folder / DOCUMENT_FILE).read_bytes(), type=_Format).head
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def write_files(folder: Path, document: D, tensors: bytes, others: Mapping[str, bytes]) -> None:
    """Write the two files of an artefact and others beside them, all of them or none.

    Args:
        folder: made if missing.
        document: of the artefact.
        tensors: of the artefact.
        others: by name, such as the card.

    Raises:
        OSError: one cannot be written; those that were there are as they were.
    """
    folder.mkdir(parents=True, exist_ok=True)
    contents = {**others, TENSORS_FILE: tensors, DOCUMENT_FILE: encode(document)}
    unfinished = {name: folder / f"{name}.partial" for name in contents}
    try:
        for name, content in contents.items():
            _write(unfinished[name], content)
        for name, path in unfinished.items():
            path.replace(folder / name)
    finally:
        for path in unfinished.values():
            path.unlink(missing_ok=True)


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        # A full disk is told without the file that it has no room for.
        raise OSError(error.errno, error.strerror, str(path)) from error


def require_same(document: D, again: D) -> None:
    """Refuse a document that says something else than the artefact made of it.

    Args:
        document: as it was read.
        again: of the artefact.

    Raises:
        ArtefactError: it was changed.
    """
    if document != again:
        raise ArtefactError(
            f"{DOCUMENT_FILE}: expected the content of scorer {document.scorer}, found that of "
            f"{again.scorer}; it was changed after it was saved, so copy it again"
        )


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


def decode_tensors(
    content: bytes, of_model: Mapping[str, tuple[str, int]], head: str = SPEND
) -> dict[str, NDArray[Any]]:
    """Read the tensors.

    Args:
        content: of the file.
        of_model: dtype and number of axes of each tensor of the model.
        head: of the artefact.

    Returns:
        The tensors of the model and of the head, and all whose names begin with `drift_`.

    Raises:
        ArtefactError: damaged, or other tensors than these.
    """
    try:
        tensors = load(content)
    except SafetensorError as error:
        raise ArtefactError(f"{TENSORS_FILE}: expected tensors, found a damaged file; copy it again") from error
    expected = {**_COMMON[head], **of_model}
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
