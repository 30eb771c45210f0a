"""The projection that an encoder's folder brings along, where it was fitted together with the encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from safetensors import SafetensorError
from safetensors.numpy import load, save_file

from models.exceptions import ArtefactError, EncoderLoadError
from models.profile import Projection

PROJECTION_FILE: Final = "projection.safetensors"
"""It is part of the encoder's digest, as every file of this kind is."""

_NAME: Final = "projection"


def own_projection(folder: Path) -> Projection | None:
    """Return the projection in an encoder's folder; None where there is none.

    Raises:
        EncoderLoadError: the file is damaged.
    """
    path = folder / PROJECTION_FILE
    if not path.is_file():
        return None
    try:
        return Projection(load(path.read_bytes())[_NAME])
    except (SafetensorError, KeyError, ArtefactError) as error:
        raise EncoderLoadError(
            f"expected a projection in {path}, found a file that is none ({type(error).__name__}): copy the folder anew"
        ) from error


def save_projection(folder: Path, projection: Projection) -> None:
    """Write a projection into an encoder's folder, for scoring artefacts that are yet to be fitted to it."""
    save_file({_NAME: projection.matrix}, folder / PROJECTION_FILE)
