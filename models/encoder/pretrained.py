"""From an encoder's folder to its model and tokenizer: without transformers where that is surely the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.encoder.plain import read_model, read_tokenizer
from models.exceptions import EncoderLoadError

if TYPE_CHECKING:
    import torch


def pretrained(folder: Path, device: torch.device) -> tuple[Any, Any]:
    """Return a folder's model in evaluation mode on a device, bfloat16 on a GPU and else float32, and its tokenizer.

    Raises:
        EncoderLoadError: the files cannot be used, or lack weights.
    """
    try:
        model: Any = read_model(folder) if device.type == "cpu" else None
        tokenizer: Any = read_tokenizer(folder)
    except OSError as error:
        raise _unusable(folder, error) from error
    if model is None:
        model = _model_of_transformers(folder, device)
    return model, tokenizer or _tokenizer_of_transformers(folder)


def _model_of_transformers(folder: Path, device: torch.device) -> Any:
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModel

    _quiet()
    try:
        model, report = AutoModel.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            attn_implementation="sdpa",
            dtype=torch.bfloat16 if device.type == "cuda" else torch.float32,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise _unusable(folder, error) from error
    # transformers fills what is missing with random numbers; only the pooler is never used here.
    missing = sorted(key for key in report["missing_keys"] if "pooler." not in key)
    if missing:
        raise EncoderLoadError(
            f"expected every weight in {folder}, found {len(missing)} missing, such as {missing[0]}: "
            "save or copy the model anew"
        )
    return model.eval().requires_grad_(False).to(device)


def _tokenizer_of_transformers(folder: Path) -> Any:
    from transformers import AutoTokenizer

    _quiet()
    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise _unusable(folder, error) from error


def _quiet() -> None:
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def _unusable(folder: Path, error: Exception) -> EncoderLoadError:
    return EncoderLoadError(
        f"expected a BERT-like model in {folder}, found files that do not load "
        f"({type(error).__name__}: {error}): save or copy the model anew"
    )
