"""The facts that an encoder's folder states: its identity, its longest text, the prompt before a text."""

from __future__ import annotations

import json
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Final

from models.exceptions import EncoderLoadError

LENGTH_FILE: Final = "sentence_bert_config.json"
PROMPT_FILE: Final = "config_sentence_transformers.json"
RECORD_FILE: Final = "converted.sha256"

_DEFAULT_MAX_TOKENS: Final = 512
_HASHED: Final = (
    "*.safetensors",
    "config.json",
    LENGTH_FILE,
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "*.model",
)
"""Files whose bytes decide an embedding: weights, tokenizer, and the two that say how both are used."""


def digest(folder: Path) -> str:
    """Hash an encoder's folder: hex SHA-256 over name and SHA-256 of each file that decides embeddings.

    A prompt, where there is one, is part of it. The folder's place and its other files change nothing.

    Raises:
        EncoderLoadError: the prompt cannot be read.
    """
    whole = sha256()
    for path in sorted({path for pattern in _HASHED for path in folder.glob(pattern)}, key=lambda path: path.name):
        with path.open("rb") as file:
            whole.update(path.name.encode() + b"\0" + file_digest(file, "sha256").digest())
    said = prompt(folder)
    # Not its file's bytes: they also hold the versions of the software that wrote it.
    if said:
        whole.update(b"prompt\0" + sha256(said.encode()).digest())
    return whole.hexdigest()


def record(folder: Path) -> None:
    """Write down the digest of a folder that was just made, for `verified_digest`."""
    (folder / RECORD_FILE).write_text(digest(folder) + "\n", encoding="ascii")


def verified_digest(folder: Path) -> str:
    """Return the digest of a folder, equal to the one on record where there is a record.

    Raises:
        EncoderLoadError: the files are not those that were recorded.
    """
    found = digest(folder)
    path = folder / RECORD_FILE
    if path.is_file() and path.read_bytes().strip() != found.encode():
        raise EncoderLoadError(
            f"expected the files in {folder} to have the digest on record there, found {found}: "
            "remove the folder, and it is made anew"
        )
    return found


def max_tokens(folder: Path, positions: int | None) -> int:
    """Return the most tokens of one text.

    Args:
        folder: of the encoder.
        positions: how many the model has, if it says so.

    Raises:
        EncoderLoadError: the file that says it is damaged.
    """
    path = folder / LENGTH_FILE
    try:
        trained = json.loads(path.read_bytes()).get("max_seq_length") if path.is_file() else None
        return min(int(trained or _DEFAULT_MAX_TOKENS), positions or _DEFAULT_MAX_TOKENS)
    except (AttributeError, TypeError, ValueError) as error:
        raise EncoderLoadError(
            f"expected a JSON object with an integer `max_seq_length` in {path}, found another: copy the model anew"
        ) from error


def prompt(folder: Path) -> str:
    """Return the default prompt of sentence-transformers, which goes before every text; mostly none.

    Raises:
        EncoderLoadError: the file that says it is damaged, or names a prompt that it does not hold.
    """
    path = folder / PROMPT_FILE
    try:
        settings = json.loads(path.read_bytes()) if path.is_file() else {}
        name = settings.get("default_prompt_name")
        said = "" if name is None else settings["prompts"][name]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise EncoderLoadError(
            f"expected a JSON object with the prompt that `default_prompt_name` names in {path}, found another: "
            "copy the model anew"
        ) from error
    if not isinstance(said, str):
        raise EncoderLoadError(f"expected a text as the prompt in {path}, found another type: copy the model anew")
    return said
