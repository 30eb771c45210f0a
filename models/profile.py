"""From an encoder's embedding to the 64 numbers of a profile, and the identity of that whole path."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.exceptions import ArtefactError, InvalidInputError

WIDTH: Final = 64
"""Width of the profile vector, in elements."""

LED: Final = 32
"""Rows of P, at most, that are led by what is known of texts: more of them serve these texts better, others worse."""

RIDGE: Final = 0.01
"""Ridge of the regression, as a share of the mean squared length of the embeddings per dimension."""

_IDENTITY_DIGITS: Final = 12


@dataclass(frozen=True, eq=False)
class Projection:
    """The linear map P from an embedding of `dimension` elements to the profile space.

    Its rows are orthogonal, and of length 1 unless `towards` made them. An embedding narrower than 64 has no 64
    orthonormal rows: then the columns are, so that lengths and angles are kept exactly.

    Attributes:
        matrix: float32 [64, dimension].

    Raises:
        ArtefactError: the matrix has another shape, or holds NaN or infinity.
    """

    matrix: NDArray[np.float32]

    def __post_init__(self) -> None:
        matrix = np.ascontiguousarray(self.matrix, dtype=np.float32)
        if matrix.ndim != 2 or matrix.shape[0] != WIDTH or matrix.shape[1] < 1:
            raise ArtefactError(
                f"projection: expected a matrix of shape [{WIDTH}, dimension], found {list(matrix.shape)}; "
                "train the artefact again"
            )
        if not np.isfinite(matrix).all():
            raise ArtefactError("projection: expected finite numbers, found NaN or infinity; train it again")
        matrix.flags.writeable = False
        object.__setattr__(self, "matrix", matrix)

    @property
    def dimension(self) -> int:
        """Width of the embeddings this projection takes."""
        return int(self.matrix.shape[1])

    @classmethod
    def orthogonal(cls, dimension: int, seed: int = 0) -> Self:
        """Draw a random orthogonal projection, the same for the same dimension and seed.

        The QR factor of a Gaussian matrix, with the diagonal of R made positive, is uniform over
        orthogonal matrices (Mezzadri 2007, "How to generate random matrices from the classical compact
        groups").

        Args:
            dimension: width of the embeddings, at least 1.
            seed: seed of the generator.

        Raises:
            InvalidInputError: the dimension is below 1.
        """
        if dimension < 1:
            raise InvalidInputError(f"dimension: expected at least 1, found {dimension}")
        return cls(_complete(np.empty((0, dimension)), seed).astype(np.float32))

    @classmethod
    def fit(cls, embeddings: ArrayLike, seed: int = 0) -> Self:
        """Keep the 64 directions that hold most of the embeddings' squared length.

        They are the leading right singular vectors of the uncentred embeddings (Eckart & Young 1936),
        each signed so that its largest component is positive. Embeddings that span fewer than 64
        directions are completed by seeded random rows orthogonal to them.

        Args:
            embeddings: [n, dimension], finite; n may be small or 0.
            seed: seed of the completing rows.

        Raises:
            InvalidInputError: not a matrix of finite numbers.
        """
        values = np.asarray(embeddings, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] < 1 or not np.isfinite(values).all():
            raise InvalidInputError(
                f"embeddings: expected finite numbers of shape [n, dimension], found shape "
                f"{list(values.shape)}; check the encoder's output"
            )
        # The Gram matrix is as wide as the embedding, however many texts there are.
        eigenvalues, vectors = np.linalg.eigh(values.T @ values)
        smallest = eigenvalues[-1] * values.shape[1] * np.finfo(np.float64).eps
        rank = min(WIDTH, int(np.count_nonzero(eigenvalues > smallest)))
        return cls(_complete(_signed(vectors[:, ::-1][:, :rank].T), seed).astype(np.float32))

    @classmethod
    def towards(cls, embeddings: ArrayLike, wanted: ArrayLike, weights: ArrayLike, seed: int = 0) -> Self:
        """Keep the directions from which numbers known of each text can best be told.

        A weighted ridge regression (Hoerl & Kennard 1970) leads from embeddings to the numbers. The leading left
        singular vectors of its coefficients are the first 32 rows, each as long as the root of its singular value
        over the greatest. The rest are seeded random rows orthogonal to them and as long as the last of them, which
        keep something of texts unlike any of these.

        Args:
            embeddings: [n, dimension], finite.
            wanted: [n, k], finite, such as the factors of what is bought together.
            weights: [n], >= 0, of the texts.
            seed: seed of the random rows.

        Raises:
            InvalidInputError: the shapes do not fit, or a number is not finite.
        """
        values, aims, shares = (np.asarray(each, dtype=np.float64) for each in (embeddings, wanted, weights))
        if (
            (values.ndim, aims.ndim, shares.ndim) != (2, 2, 1)
            or values.shape[1] < 1
            or not len(values) == len(aims) == len(shares)
            or not all(np.isfinite(each).all() for each in (values, aims, shares))
            or (shares < 0).any()
        ):
            raise InvalidInputError(
                "embeddings: expected finite numbers of shape [n, dimension], with [n, k] to tell and [n] weights from "
                f"0, found shapes {list(values.shape)}, {list(aims.shape)} and {list(shares.shape)}; check them"
            )
        weighted = values * shares[:, None]
        gram = values.T @ weighted
        dimension = len(gram)
        gram += (RIDGE * np.trace(gram) / dimension or 1.0) * np.eye(dimension)
        vectors, strengths, _ = np.linalg.svd(np.linalg.solve(gram, weighted.T @ aims), full_matrices=False)
        least = dimension * np.finfo(np.float64).eps * strengths.max(initial=0.0)
        rank = min(LED, int(np.count_nonzero(strengths > least)))
        rows = _complete(_signed(vectors[:, :rank].T), seed)
        lengths = np.ones(len(rows))
        if rank:
            lengths[:rank] = np.sqrt(strengths[:rank] / strengths[0])
            lengths[rank:] = lengths[rank - 1]
        return cls((rows * lengths[:, None]).astype(np.float32))

    def apply(self, embeddings: ArrayLike) -> NDArray[np.float64]:
        """Project embeddings.

        Args:
            embeddings: [n, dimension].

        Returns:
            float64 [n, 64], not normalised.

        Raises:
            InvalidInputError: the embeddings have another width.
        """
        values = np.asarray(embeddings, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != self.dimension:
            raise InvalidInputError(
                f"embeddings: expected shape [n, {self.dimension}], found {list(values.shape)}; "
                "use the encoder this projection was fitted for"
            )
        projected: NDArray[np.float64] = values @ self._transposed
        return projected

    @cached_property
    def _transposed(self) -> NDArray[np.float64]:
        return self.matrix.T.astype(np.float64)


def _signed(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rows, each signed so that its largest component is positive: LAPACK builds differ in the sign."""
    largest = np.take_along_axis(rows, np.abs(rows).argmax(axis=1, keepdims=True), axis=1)
    signed: NDArray[np.float64] = rows * np.sign(largest)
    return signed


def _complete(rows: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Complete orthonormal rows [r, d] to [64, d], by random rows orthogonal to them while d allows."""
    dimension = rows.shape[1]
    count = min(WIDTH, dimension)
    if dimension < WIDTH and len(rows) == 0:
        return _orthonormal_columns(np.random.default_rng(seed).standard_normal((WIDTH, dimension)))
    drawn = np.random.default_rng(seed).standard_normal((count - len(rows), dimension))
    complete = _orthonormal_columns(np.vstack([rows, drawn]).T).T
    return np.vstack([complete, np.zeros((WIDTH - count, dimension))])


def _orthonormal_columns(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    q, r = np.linalg.qr(matrix)
    # Without this the signs would depend on the LAPACK build, and given rows could come back negated.
    signed: NDArray[np.float64] = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return signed


def encoder_identity(
    name: str, weights_digest: str, cleaning_fingerprint: str, noise_fingerprint: str, projection: Projection
) -> str:
    """Name the whole path from a text to its profile, so that vectors of two paths are never mixed.

    Args:
        name: the encoder's name or folder; only its last part is shown, and it is not hashed.
        weights_digest: digest of the encoder's weights and tokenizer.
        cleaning_fingerprint: digest of the cleaning rules.
        noise_fingerprint: digest of the noise rules.
        projection: P.

    Returns:
        `<last part of the name>@<first 12 hex digits of a SHA-256>`.
    """
    return _identity(
        name,
        weights_digest.encode(),
        cleaning_fingerprint.encode(),
        noise_fingerprint.encode(),
        repr(projection.matrix.shape).encode(),
        projection.matrix.astype("<f4").tobytes(),
    )


def embedding_identity(name: str, weights_digest: str, cleaning_fingerprint: str) -> str:
    """Name the path from a text to its embedding, before any projection: what a head that reads embeddings depends on.

    Args:
        name: the encoder's name or folder; only its last part is shown, and it is not hashed.
        weights_digest: digest of the encoder's weights and tokenizer.
        cleaning_fingerprint: digest of the cleaning rules.

    Returns:
        `<last part of the name>@<first 12 hex digits of a SHA-256>`.
    """
    return _identity(name, weights_digest.encode(), cleaning_fingerprint.encode())


def short_name(name: str) -> str:
    """Return the last part of an encoder's name or folder."""
    return re.split(r"[\\/]", name.rstrip("\\/"))[-1]


def _identity(name: str, *parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        # With its length before it, no part can lend bytes to its neighbour.
        digest.update(len(part).to_bytes(8, "little") + part)
    return f"{short_name(name)}@{digest.hexdigest()[:_IDENTITY_DIGITS]}"
