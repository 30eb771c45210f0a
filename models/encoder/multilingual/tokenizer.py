"""The Unigram tokenizer of the 4-bit file, as the `tokenizer.json` that `tokenizers` reads."""

from __future__ import annotations

from typing import Any, Final

from models.encoder.multilingual.packed_file import Vocabulary

MASK: Final = "<mask>"
UNREACHABLE: Final = -100.0
"""Score of a special piece. Its real one is 0, better than any spelling: a user who writes "</s>" would end a text."""
_SPACE: Final = "\u2581"


def tokenizer_json(vocabulary: Vocabulary) -> dict[str, Any]:
    """Return the tokenizer: NFKC, single spaces, Unigram over the whole text, special pieces around it."""
    special = _special(vocabulary)
    pieces = [
        [piece, UNREACHABLE if index in special else score]
        for index, (piece, score) in enumerate(zip(vocabulary.pieces, vocabulary.scores.tolist(), strict=True))
    ]
    space = {"type": "Metaspace", "replacement": _SPACE, "prepend_scheme": "always", "split": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": index,
                "content": vocabulary.pieces[index],
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for index in sorted(special)
        ],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "Nmt"},
                {"type": "NFKC"},
                {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
            ],
        },
        "pre_tokenizer": space,
        "post_processor": _around(vocabulary),
        "decoder": space,
        "model": {"type": "Unigram", "unk_id": vocabulary.unknown, "vocab": pieces, "byte_fallback": False},
    }


def tokenizer_config(vocabulary: Vocabulary, max_tokens: int) -> dict[str, Any]:
    """Return what transformers reads beside it; special pieces in a text are text.

    Args:
        vocabulary: of the file.
        max_tokens: positions of the model.
    """
    pieces = vocabulary.pieces
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": max_tokens,
        "split_special_tokens": True,
        "clean_up_tokenization_spaces": False,
        "bos_token": pieces[vocabulary.bos],
        "cls_token": pieces[vocabulary.bos],
        "eos_token": pieces[vocabulary.eos],
        "sep_token": pieces[vocabulary.eos],
        "pad_token": pieces[vocabulary.pad],
        "unk_token": pieces[vocabulary.unknown],
    }


def _special(vocabulary: Vocabulary) -> set[int]:
    named = {vocabulary.bos, vocabulary.eos, vocabulary.pad, vocabulary.unknown}
    return named | {index for index, piece in enumerate(vocabulary.pieces) if piece == MASK}


def _around(vocabulary: Vocabulary) -> dict[str, Any]:
    ends = {vocabulary.pieces[index]: index for index in (vocabulary.bos, vocabulary.eos)}
    first, last = ({"SpecialToken": {"id": piece, "type_id": 0}} for piece in ends)
    one, other = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    return {
        "type": "TemplateProcessing",
        "single": [first, one, last],
        "pair": [first, one, last, last, other, last],
        "special_tokens": {piece: {"id": piece, "ids": [index], "tokens": [piece]} for piece, index in ends.items()},
    }
