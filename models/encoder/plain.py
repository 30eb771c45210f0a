"""A plain BERT read from its files without transformers, whose import costs more than all else of a start.

What is read here is only what is surely the same: weights are tensors by name, and the tokenizer of a BERT is wholly
described by its files. Anything unusual in them is left to transformers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from models.encoder.passes.layers import PlainBert
from models.exceptions import EncoderLoadError

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer

_WEIGHTS: Final = "model.safetensors"

_ELSEWHERE: Final = ("adapter_config.json", "model.safetensors.index.json", "added_tokens.json", "chat_template.jinja")
"""Files that change what the others mean."""

_UNUSED: Final = ("pooler.dense.weight", "pooler.dense.bias", "embeddings.position_ids")
"""Tensors of a BERT that no embedding needs."""

_SPECIAL: Final = frozenset({"unk_token", "sep_token", "pad_token", "cls_token", "mask_token"})


def read_model(folder: Path) -> PlainBert | None:
    """Return the model of a folder in float32, or None if it is not surely a plain BERT with every weight.

    Raises:
        OSError: a file cannot be read.
    """
    config = _json(folder / "config.json")
    if not _is_plain(folder, config):
        return None
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        stored = load_file(folder / _WEIGHTS)
        shapes = dict(_shapes(config))
    except (SafetensorError, KeyError, TypeError, ValueError):
        return None
    weights = {name: weight for name, weight in stored.items() if name not in _UNUSED}
    if {name: tuple(weight.shape) for name, weight in weights.items()} != shapes:
        return None
    return _assembled(config, weights)


def read_tokenizer(folder: Path) -> PlainTokenizer | None:
    """Return the tokenizer of a folder, or None if it is not surely that of a plain BERT.

    Raises:
        EncoderLoadError: its layout is BERT's, and the rest cannot be used.
        OSError: a file cannot be read.
    """
    said, layout = _json(folder / "tokenizer_config.json"), _json(folder / "tokenizer.json")
    try:
        known = _is_wordpiece(said, layout)
    except (AttributeError, KeyError, StopIteration, TypeError):
        # A part of another type.
        known = False
    if not known or any((folder / name).exists() for name in _ELSEWHERE):
        return None
    special = _json(folder / "special_tokens_map.json")
    if not set(special) <= _SPECIAL or any(type(token) is not str for token in special.values()):
        return None
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:
        # It raises no class of its own.
        raise EncoderLoadError(
            f"expected a tokenizer in {folder / 'tokenizer.json'}, found none ({error}): save or copy the model anew"
        ) from error
    padding = tokenizer.token_to_id(str(said.get("pad_token", "[PAD]")))
    return None if padding is None else PlainTokenizer(tokenizer, padding)


class PlainTokenizer:
    """A tokenizer that is called as one of transformers, for token ids alone.

    Attributes:
        pad_token_id: the id that stands for nothing.
    """

    def __init__(self, tokenizer: Tokenizer, pad_token_id: int) -> None:
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._tokenizer = tokenizer
        self._longest = 0
        self.pad_token_id = pad_token_id

    def __call__(self, texts: Sequence[str], *, max_length: int, **_: object) -> dict[str, list[list[int]]]:
        """Return the `input_ids` of each text, special tokens included, truncated to `max_length`."""
        if max_length != self._longest:
            self._tokenizer.enable_truncation(max_length)
            self._longest = max_length
        return {"input_ids": [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]}


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes()) if path.is_file() else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _is_plain(folder: Path, config: Mapping[str, Any]) -> bool:
    return (
        config.get("model_type") == "bert"
        and config.get("hidden_act") == "gelu"
        and config.get("position_embedding_type", "absolute") == "absolute"
        and not any(
            config.get(name) for name in ("is_decoder", "add_cross_attention", "quantization_config", "auto_map")
        )
        and (folder / _WEIGHTS).is_file()
        and not any((folder / name).exists() for name in _ELSEWHERE)
    )


def _shapes(config: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the name and the shape of every weight that an embedding needs."""
    width, inner = int(config["hidden_size"]), int(config["intermediate_size"])
    if width % int(config["num_attention_heads"]):
        raise ValueError("a width that the heads cannot share")
    yield "embeddings.word_embeddings.weight", (int(config["vocab_size"]), width)
    yield "embeddings.position_embeddings.weight", (int(config["max_position_embeddings"]), width)
    yield "embeddings.token_type_embeddings.weight", (int(config["type_vocab_size"]), width)
    vectors, dense = ["embeddings.LayerNorm"], []
    for number in range(int(config["num_hidden_layers"])):
        layer = f"encoder.layer.{number}"
        vectors += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
        dense += [(f"{layer}.attention.self.{part}", width, width) for part in ("query", "key", "value")]
        dense += [
            (f"{layer}.attention.output.dense", width, width),
            (f"{layer}.intermediate.dense", inner, width),
            (f"{layer}.output.dense", width, inner),
        ]
    for name in vectors:
        yield f"{name}.weight", (width,)
        yield f"{name}.bias", (width,)
    for name, outputs, inputs in dense:
        yield f"{name}.weight", (outputs, inputs)
        yield f"{name}.bias", (outputs,)


def _assembled(config: Mapping[str, Any], weights: Mapping[str, torch.Tensor]) -> PlainBert:
    """Put the tensors into the places that they have in a model of transformers."""
    import torch

    root = SimpleNamespace()
    for name, weight in weights.items():
        *path, last = name.split(".")
        place = root
        for part in path:
            if not hasattr(place, part):
                setattr(place, part, SimpleNamespace())
            place = getattr(place, part)
        # A copy: the file, which it would else lie in, may be replaced while this process lives.
        setattr(place, last, weight.to(torch.float32, copy=True))
        if path[-1] == "LayerNorm":
            place.eps = float(config.get("layer_norm_eps", 1e-12))
    layers = root.encoder.layer
    root.encoder.layer = [getattr(layers, str(number)) for number in range(int(config["num_hidden_layers"]))]
    return PlainBert(SimpleNamespace(**config), root.embeddings, root.encoder)


def _is_wordpiece(said: Mapping[str, Any], layout: Mapping[str, Any]) -> bool:
    """Return whether a tokenizer is BERT's, its settings those of its layout."""
    normalizer = layout.get("normalizer") or {}
    template = (layout.get("post_processor") or {}).get("single")
    framed = [next(iter(part.values())).get("id") for part in template] if isinstance(template, list) else []
    added = {str(token["id"]): token["content"] for token in layout.get("added_tokens") or []}
    declared = {number: token["content"] for number, token in said.get("added_tokens_decoder", {}).items()}
    return (
        said.get("tokenizer_class") in ("BertTokenizer", "BertTokenizerFast")
        and (layout.get("model") or {}).get("type") == "WordPiece"
        and (layout.get("pre_tokenizer") or {}).get("type") == "BertPreTokenizer"
        and normalizer.get("type") == "BertNormalizer"
        and normalizer.get("clean_text") is True
        and normalizer.get("lowercase") is said.get("do_lower_case", True)
        and normalizer.get("handle_chinese_chars") is said.get("tokenize_chinese_chars", True)
        and normalizer.get("strip_accents") is said.get("strip_accents")
        and framed == [said.get("cls_token", "[CLS]"), "A", said.get("sep_token", "[SEP]")]
        and said.get("truncation_side", "right") == "right"
        and not said.get("additional_special_tokens")
        and not said.get("extra_special_tokens")
        and not said.get("split_special_tokens")
        and declared in ({}, added)
    )
