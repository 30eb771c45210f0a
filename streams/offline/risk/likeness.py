"""How well signatures tell light rewrites of a text from other texts, beside bits of the texts' embeddings."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.items.review_signature import HASHES, LEAST_EQUAL, LEAST_TEXT_BYTES, equal_hashes, signature
from streams.offline.risk.rewriting import rewritten

LONG_BYTES: Final = 60
"""Bytes of letters from which on a text counts as long."""
EDITS: Final = (1, 2, 3)
"""Edits of the rewrites that are compared with each other."""
FALSE_ALARMS: Final = 2e-4
"""Share of pairs of other texts at which the two ways are compared."""

Matrix = NDArray[np.int64]


class Spoken(NamedTuple):
    """A text, and what it speaks of.

    Attributes:
        text: cleaned.
        subject: pairs of one subject are counted apart, where subjects have several texts.
    """

    text: str
    subject: str


def of_signatures(texts: Sequence[Spoken], rewrites: int, rng: random.Random) -> dict[str, Any]:
    """Measure signatures, by the length of the texts.

    Args:
        texts: of one language, each once.
        rewrites: texts that are rewritten.
        rng: draws.

    Returns:
        By `short`, `middle` and `long`: `texts`; `found`: share of pairs of rewrites that are told alike; `false`:
        share of pairs of other texts; `false_same_subject`: of those that speak of one subject, null without any.
    """
    signed = [signature(each.text) for each in texts]
    known = [place for place, each in enumerate(signed) if each]
    lengths = np.array([signed[place][0] for place in known])
    subjects = np.array([texts[place].subject for place in known])
    equal = equal_hashes([signed[place] for place in known])
    chosen = rng.sample(known, min(rewrites, len(known)))
    bounds = {"short": (1, LEAST_TEXT_BYTES), "middle": (LEAST_TEXT_BYTES, LONG_BYTES), "long": (LONG_BYTES, 256)}
    found: dict[str, Any] = {}
    for name, (least, below) in bounds.items():
        here = np.flatnonzero((lengths >= least) & (lengths < below))
        first, second = np.triu_indices(len(here), 1)
        alike = equal[np.ix_(here, here)][first, second] >= LEAST_EQUAL
        same = subjects[here][first] == subjects[here][second]
        copies = [_rewrites(texts[place].text, rng) for place in chosen if least <= signed[place][0] < below]
        found[name] = {
            "texts": len(here),
            "rewritten": len(copies),
            "found": _share(_among(copies) >= LEAST_EQUAL),
            "false": _share(alike[~same]),
            "false_same_subject": _share(alike[same]),
        }
    return found


def beside_embeddings(
    texts: Sequence[Spoken],
    rewrites: int,
    project: Callable[[Sequence[str]], NDArray[np.float64]],
    rng: random.Random,
) -> dict[str, Any]:
    """Compare signatures with as many bytes of signs of random projections of the embedding (Charikar 2002).

    Both are given the bound at which at most `FALSE_ALARMS` of the pairs of other texts are told alike.

    Args:
        texts: of one language, each long enough for its likeness to say something.
        rewrites: texts that are rewritten.
        project: gives the projected embeddings of texts: float64 [n, 64].
        rng: draws.

    Returns:
        `signature` and `embedding`: the shares of pairs of rewrites that are told alike.
    """
    chosen = rng.sample(list(texts), min(rewrites, len(texts)))
    copies = [_rewrites(each.text, rng) for each in chosen]
    flat = [text for each in copies for text in each]
    vectors = project([*(each.text for each in texts), *flat])
    planes = np.random.default_rng(rng.randrange(1 << 32)).standard_normal((vectors.shape[1], 8 * HASHES))
    bits = (vectors @ planes > 0.0).astype(np.int64)
    own, others = bits[len(texts) :].reshape(len(copies), len(EDITS), -1), bits[: len(texts)]
    of_embedding = np.concatenate([_pairs((each[:, None] == each[None]).sum(axis=2)) for each in own])
    return {
        "rewritten": len(copies),
        "signature": _found(_among(copies), _pairs(equal_hashes([signature(each.text) for each in texts]))),
        "embedding": _found(of_embedding, _pairs(others @ others.T + (1 - others) @ (1 - others).T)),
    }


def _found(of_rewrites: Matrix, of_others: Matrix) -> float | None:
    bound = next(bound for bound in range(8 * HASHES + 2) if (of_others >= bound).mean() <= FALSE_ALARMS)
    return _share(of_rewrites >= bound)


def _among(copies: Sequence[list[str]]) -> Matrix:
    """Return how many hashes each pair of rewrites of one text has in common."""
    pairs = [_pairs(equal_hashes(list(map(signature, each)))) for each in copies]
    return np.concatenate(pairs) if pairs else np.empty(0, np.int64)


def _rewrites(text: str, rng: random.Random) -> list[str]:
    return [rewritten(text, rng, edits) for edits in EDITS]


def _pairs(equal: Matrix) -> Matrix:
    return equal[np.triu_indices(len(equal), 1)]


def _share(hits: NDArray[np.bool_]) -> float | None:
    return float(hits.mean()) if hits.size else None
