"""The ways to make 64 numbers of what households bought: the served vector, and what it has to come level with."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.batching.batcher import MicroBatcher
from models.encoder.bert import Encoder
from models.finetuning.titles.association import association, factors
from models.libraries import library
from models.profile import WIDTH, Projection
from models.text.cleaning import clean
from models.text.noise import is_noisy
from streams.offline.capacity.journey import Snapshot, sparse

Vector = NDArray[np.float64]

SERVED: Final = "BERT, P of the scorer in use"
RANDOM: Final = "BERT, random P"
FITTED: Final = "BERT, P of the households' sums"
LED: Final = "BERT, P led by who buys what together"
TF_IDF: Final = "tf-idf of the words"
TITLES: Final = "tf-idf of whole titles"
CATEGORIES: Final = "bag of categories"
WAYS: Final = (SERVED, RANDOM, FITTED, LED, TF_IDF, TITLES, CATEGORIES)


class Tastes:
    """Makes vectors of households.

    What is fitted here (P of the households' sums, and the 64 leading directions of words and categories) is fitted to
    all households, without labels.
    """

    def __init__(
        self, embeddings: Vector, projection: Projection, led: Projection, titles: Sequence[str], kinds: Sequence[str]
    ) -> None:
        """Prepare.

        Args:
            embeddings: float64 [titles, dimension], zeros for a title that says nothing.
            projection: P of the scorer in use.
            led: P of `led_by`.
            titles: in words.
            kinds: the category of each title.
        """
        self._embeddings = embeddings
        self._projections = {
            SERVED: projection,
            LED: led,
            RANDOM: Projection.orthogonal(embeddings.shape[1]),
        }
        self._titles, self._kinds = titles, kinds

    def of(self, way: str, found: Snapshot, *, decayed: bool = True) -> Vector:
        """Return the vectors of a snapshot: float64 [n, 64], unit or zero.

        Args:
            way: of `WAYS`.
            found: the snapshot.
            decayed: by the half-life of the taste; else each line counts alike.
        """
        weights = sparse(found.bought if decayed else found.plain, len(self._titles))
        if way == TF_IDF:
            return _leading(weights @ self._words())
        if way == TITLES:
            return _leading(weights)
        if way == CATEGORIES:
            return _leading(weights @ _one_hot(self._kinds))
        sums = np.asarray(weights @ self._embeddings)
        if way == FITTED:
            units = _unit(sums)
            return _unit(Projection.fit(units - units.mean(axis=0)).apply(sums))
        return _unit(self._projections[way].apply(sums))

    def _words(self) -> Any:
        counting = library("sklearn.feature_extraction.text")
        return counting.CountVectorizer(token_pattern=r"\S+").fit_transform(self._titles)


def led_by(found: Snapshot, apart: Collection[str], embeddings: Vector) -> Projection:
    """Return P, led from embeddings to the factors of what the same households buy, as `finetune` fits it.

    Args:
        found: the households at the end.
        apart: those that have no say, because they are to be judged.
        embeddings: float64 [titles, dimension].
    """
    others = [row for user, row in zip(found.users, found.plain, strict=True) if user not in apart]
    counts = sparse(others, len(embeddings))
    logged = counts.copy()
    logged.data = np.log1p(logged.data)
    lines = np.asarray(counts.sum(axis=0)).ravel().astype(np.int64)
    return Projection.towards(embeddings, factors(association(logged), WIDTH), lines)


async def embed(titles: Sequence[str], encoder: Encoder) -> Vector:
    """Return the embedding of each title as the worker reads it: float64 [n, dimension], zeros for a noisy one."""
    prepared = ["" if is_noisy(title) else clean(title) for title in titles]
    batcher = MicroBatcher(encoder, queue_texts=len(titles) + 1, cache_texts=len(titles) + 1)
    await batcher.start()
    try:
        read = await batcher.encode([text for text in prepared if text])
    finally:
        await batcher.stop()
    embeddings = np.zeros((len(titles), encoder.dimension))
    embeddings[[place for place, text in enumerate(prepared) if text]] = read
    return embeddings


def read(titles: Sequence[str], encoder: Encoder) -> Vector:
    """Return `embed` of the titles, from outside of an event loop."""
    return asyncio.run(embed(titles, encoder))


def _leading(counts: Any) -> Vector:
    """Return the 64 leading directions of log tf-idf, rows of unit length before: float64 [n, 64], unit.

    Source: latent semantic indexing, Deerwester et al. 1990, with sublinear counts.
    """
    logged = counts.copy().astype(np.float64)
    logged.data = np.log1p(logged.data)
    weighted = library("sklearn.feature_extraction.text").TfidfTransformer().fit_transform(logged)
    width = min(WIDTH, min(weighted.shape) - 1)
    reduced = library("sklearn.decomposition").TruncatedSVD(width, random_state=0).fit_transform(weighted)
    return _unit(np.pad(reduced, ((0, 0), (0, WIDTH - width))))


def _one_hot(kinds: Sequence[str]) -> Any:
    names, codes = np.unique(np.asarray(kinds), return_inverse=True)
    places = (np.ones(len(codes)), (np.arange(len(codes)), codes))
    return library("scipy.sparse").csr_matrix(places, shape=(len(codes), len(names)))


def _unit(rows: Vector) -> Vector:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1.0)
