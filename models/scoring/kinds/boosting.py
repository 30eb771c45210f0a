"""Boosted trees as flat arrays, evaluated by numpy: serving them needs no training library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from models.exceptions import ArtefactError
from models.profile import WIDTH
from models.scoring.kinds.protocol import (
    PROFILE_ALONE,
    Tensors,
    TensorTypes,
    Vector,
    checked_inputs,
    require_finite,
)

Integers = NDArray[np.int64]

_LEAF: Final = -1


@dataclass(frozen=True, eq=False, kw_only=True)
class BoostedModel:
    """prediction = sum over trees of the value of the leaf a shopper falls into.

    Nodes of all trees stand in one list, a parent before its children. A node sends a value <= threshold to the
    left; a null as `null_left` says. Contributions follow a shopper's path (Saabas 2014, "Interpreting random
    forests"): each split adds to its feature the difference between the mean prediction of the training rows
    below the child taken and that of those below the node. They depend on the leaf alone, and sum exactly.

    Attributes:
        names: the k scalar features; features k .. k + 63 are the profile's elements.
        roots: int64 [t], the first node of each tree.
        feature: int64 [m], the feature that a node compares; -1 for a leaf.
        threshold: float64 [m]; 0 for a leaf.
        null_left: int64 [m], 1 or 0.
        left: int64 [m], the child; a leaf's is itself.
        right: int64 [m].
        value: float64 [m], mean of the tree's output over the training rows below the node.

    Raises:
        ArtefactError: arrays that are no such trees, or numbers that are not finite.
    """

    kind: ClassVar[str] = "gbm"
    attribution: ClassVar[str] = "tree_path"
    vectors: ClassVar[tuple[str, ...]] = PROFILE_ALONE
    tensor_types: ClassVar[TensorTypes] = {
        "roots": ("int64", 1),
        "feature": ("int64", 1),
        "threshold": ("float64", 1),
        "null_left": ("int64", 1),
        "left": ("int64", 1),
        "right": ("int64", 1),
        "value": ("float64", 1),
    }

    names: tuple[str, ...]
    roots: Integers
    feature: Integers
    threshold: Vector
    null_left: Integers
    left: Integers
    right: Integers
    value: Vector

    def __post_init__(self) -> None:
        count = self.feature.size
        sizes = {array.size for array in (self.threshold, self.null_left, self.left, self.right, self.value)}
        if sizes != {count} or not 1 <= self.roots.size <= count:
            raise ArtefactError("trees: expected arrays of one size and a root, found others; train the artefact again")
        require_finite("trees", self.threshold, self.value)
        position, leaf = np.arange(count), self.feature == _LEAF
        # Children come after their parent and before the next tree: so a walk ends, inside its tree.
        ends = np.append(self.roots[1:], count)
        rising = self.roots[0] == 0 and (ends > self.roots).all()
        end = np.repeat(ends, ends - self.roots) if rising else position
        fits = rising and all(
            (np.where(leaf, child == position, (child > position) & (child < end))).all()
            for child in (self.left, self.right)
        )
        if not fits or not ((self.feature >= _LEAF) & (self.feature < len(self.names) + WIDTH)).all():
            raise ArtefactError(
                f"trees: expected nodes that lead to leaves by {len(self.names)} features and {WIDTH} elements of a "
                "profile, found others; train the artefact again"
            )

    @cached_property
    def intercept(self) -> float:
        """The mean prediction over the training rows."""
        return float(self.value[self.roots].sum())

    def predict(self, values: Vector, profiles: NDArray[np.floating] | None) -> Vector:
        """Return the predictions of n users: float64 [n]; arguments as for `contributions`."""
        leaves = self._leaves(values, profiles)
        predicted = np.zeros(leaves.shape[1])
        for tree in leaves:
            predicted += self.value[tree]
        return predicted

    def contributions(self, values: Vector, profiles: NDArray[np.floating] | None) -> Vector:
        """Return what each feature adds: float64 [n, k + 1], as `Model.contributions` says."""
        leaves = self._leaves(values, profiles)
        terms = np.zeros((leaves.shape[1], len(self.names) + 1))
        for tree in leaves:
            terms += self._paths[tree]
        return terms

    def _leaves(self, values: Vector, profiles: NDArray[np.floating] | None) -> Integers:
        """Return the leaf of each tree and row: int64 [t, n]."""
        inputs = np.hstack(checked_inputs(values, profiles, len(self.names)))
        rows, width = len(inputs), inputs.shape[1]
        flat, offset = inputs.ravel(), np.arange(rows) * width
        node = np.repeat(self.roots[:, None], rows, axis=1)
        asked, children = np.maximum(self.feature, 0), np.stack([self.right, self.left], axis=1).ravel()
        null_left = self.null_left == 1
        for _ in range(self._depth):
            value = flat[asked[node] + offset]
            # A null compares as false.
            goes_left = (value <= self.threshold[node]) | (np.isnan(value) & null_left[node])
            node = children[2 * node + goes_left]
        return node

    @cached_property
    def _depth(self) -> int:
        depth = np.zeros(self.feature.size, dtype=np.int64)
        for node in range(self.feature.size):
            for child in (self.left[node], self.right[node]):
                if child != node:
                    depth[child] = depth[node] + 1
        return int(depth.max())

    @cached_property
    def _paths(self) -> Vector:
        """Contributions of the path from the root to each node, by feature: float64 [m, k + 1]."""
        paths = np.zeros((self.feature.size, len(self.names) + 1))
        for node, feature in enumerate(self.feature.tolist()):
            if feature == _LEAF:
                continue
            for child in (self.left[node], self.right[node]):
                paths[child] = paths[node]
                paths[child, min(feature, len(self.names))] += self.value[child] - self.value[node]
        return paths

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return the numbers to write, by name."""
        return {name: getattr(self, name) for name in self.tensor_types}

    def document(self) -> dict[str, Any]:
        """Return nothing: trees are numbers."""
        return {}

    @classmethod
    def of(cls, names: Sequence[str], document: Mapping[str, Any], tensors: Tensors) -> Self:
        """Make the model again from what `tensors` returned.

        Raises:
            ArtefactError: they hold no such model.
        """
        return cls(names=tuple(names), **{name: tensors[name] for name in cls.tensor_types})
