"""From the 4-bit file to an encoder's folder: safetensors in float32, settings, tokenizer, licence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from models.encoder.files import LENGTH_FILE, PROMPT_FILE, record
from models.encoder.multilingual.licence import LICENCE
from models.encoder.multilingual.packed_file import PackedFile, Shape
from models.encoder.multilingual.reader import damaged
from models.encoder.multilingual.tokenizer import tokenizer_config, tokenizer_json

PROMPT: Final = "query: "
"""The prompt of its authors before a text that is compared with its like (Wang et al. 2024, "Multilingual E5")."""

_EMBEDDINGS: Final = {"word": "word_embeddings", "pos": "position_embeddings", "type": "token_type_embeddings"}
_DENSE: Final = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
_NORMS: Final = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}

Named = tuple[str, str, tuple[int, ...]]
"""Name in the file, name in a `BertModel`, and shape of a tensor."""


def convert(data: bytes, folder: Path) -> None:
    """Write the encoder of a 4-bit file into a folder, and last of all the record of the files.

    Args:
        data: the file, its checksum verified.
        folder: an empty folder.

    Raises:
        EncoderLoadError: another format, or bytes that contradict themselves.
        OSError, SafetensorError: the folder cannot be written.
    """
    from safetensors.numpy import save_file

    packed = PackedFile(data)
    shape, vocabulary = packed.shape, packed.vocabulary
    wanted = list(tensors(shape))
    if packed.names != {source for source, _, _ in wanted}:
        raise damaged(f"the {len(wanted)} tensors of {shape.layers} layers", f"{len(packed.names)}, others among them")
    weights = {target: packed.tensor(source, size) for source, target, size in wanted}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    documents = {
        "config.json": config(shape),
        "tokenizer.json": tokenizer_json(vocabulary),
        "tokenizer_config.json": tokenizer_config(vocabulary, shape.positions),
        LENGTH_FILE: {"max_seq_length": shape.positions},
        PROMPT_FILE: {"prompts": {"query": PROMPT}, "default_prompt_name": "query"},
    }
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "LICENCE.txt").write_text(LICENCE, encoding="utf-8")
    record(folder)


def config(shape: Shape) -> dict[str, Any]:
    """Return the `config.json` of a BERT of this shape."""
    return {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.intermediate,
        "vocab_size": shape.vocabulary,
        "max_position_embeddings": shape.positions,
        "type_vocab_size": shape.types,
        # Written as float32, it says 9.999999960041972e-13.
        "layer_norm_eps": float(f"{shape.epsilon:.6g}"),
        "hidden_act": "gelu",
        "position_embedding_type": "absolute",
        # Without a version transformers takes so large a vocabulary for that of an old Mistral, and warns.
        "transformers_version": "5.0.0",
    }


def tensors(shape: Shape) -> Iterator[Named]:
    """Yield every tensor of a BERT of this shape, without its pooler."""
    rows = {"word": shape.vocabulary, "pos": shape.positions, "type": shape.types}
    for short, name in _EMBEDDINGS.items():
        yield f"emb.{short}", f"embeddings.{name}.weight", (rows[short], shape.hidden)
    yield from _pair("emb.ln", "embeddings.LayerNorm", (shape.hidden,))
    sizes = {"fi": (shape.intermediate, shape.hidden), "fo": (shape.hidden, shape.intermediate)}
    for layer in range(shape.layers):
        for short, name in _DENSE.items():
            yield from _pair(
                f"l{layer}.{short}", f"encoder.layer.{layer}.{name}", sizes.get(short, (shape.hidden, shape.hidden))
            )
        for short, name in _NORMS.items():
            yield from _pair(f"l{layer}.{short}", f"encoder.layer.{layer}.{name}", (shape.hidden,))


def _pair(source: str, target: str, weight: tuple[int, ...]) -> Iterator[Named]:
    yield f"{source}.w", f"{target}.weight", weight
    yield f"{source}.b", f"{target}.bias", weight[:1]
