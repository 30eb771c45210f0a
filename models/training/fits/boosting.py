"""Fitting boosted trees by LightGBM, and taking them out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.exceptions import InvalidInputError
from models.libraries import library
from models.scoring.kinds.boosting import BoostedModel
from models.scoring.kinds.protocol import Fitted, Vector, Watch
from models.training.rows import TrainingRows


@dataclass(frozen=True, kw_only=True)
class BoostingOptions:
    """How trees are boosted.

    Attributes:
        rounds: trees, at most; >= 1.
        leaves: of a tree, >= 2.
        learning_rate: share of a tree's output that is taken, > 0.
        rows_per_leaf: the least, >= 1.
        weight_decay: L2 penalty on the outputs of leaves, >= 0.
        feature_share: of the features a tree may ask for, 0 < share <= 1.
        row_share: of the rows a tree is grown on, 0 < share <= 1.
        patience: trees without a better validation loss after which it stops.
    """

    rounds: int = 300
    leaves: int = 8
    learning_rate: float = 0.05
    rows_per_leaf: int = 100
    weight_decay: float = 1.0
    feature_share: float = 0.5
    row_share: float = 0.7
    patience: int = 20

    def __post_init__(self) -> None:
        whole = min(self.rounds, self.leaves - 1, self.rows_per_leaf, self.patience)
        shares = 0 < self.feature_share <= 1 and 0 < self.row_share <= 1
        if whole < 1 or not shares or self.weight_decay < 0 or self.learning_rate <= 0:
            raise InvalidInputError(
                f"boosting: expected positive sizes, shares in (0, 1], decay >= 0 and a positive rate, found {self}"
            )


def fit_boosting(
    names: Sequence[str],
    rows: TrainingRows,
    options: BoostingOptions,
    *,
    seed: int,
    validation: TrainingRows | None = None,
    watch: Watch | None = None,
) -> Fitted:
    """Boost trees on squared error of log1p(money), in one thread: the same arguments give the same trees.

    Args:
        names: the k features.
        rows: what to fit.
        options: sizes and rates.
        seed: of the rows and features each tree sees.
        validation: rows of other users; boosting stops when their error no longer falls, and the trees up to the
            best are kept. None grows every tree.
        watch: called with the `validation` loss after each tree.

    Raises:
        MissingLibraryError: LightGBM is not installed.
    """
    lightgbm = library("lightgbm")
    parameters = {
        "objective": "regression",
        "num_leaves": options.leaves,
        "learning_rate": options.learning_rate,
        "min_data_in_leaf": options.rows_per_leaf,
        "lambda_l2": options.weight_decay,
        "feature_fraction": options.feature_share,
        "bagging_fraction": options.row_share,
        "bagging_freq": 1,
        "seed": seed,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(_inputs(rows), rows.target)
    callbacks, held = [], []
    if validation is not None:
        held = [lightgbm.Dataset(_inputs(validation), validation.target, reference=data)]
        callbacks.append(lightgbm.early_stopping(options.patience, verbose=False))
        if watch is not None:
            callbacks.append(_watching(watch))
    booster = lightgbm.train(
        parameters, data, options.rounds, valid_sets=held, valid_names=["validation"] * len(held), callbacks=callbacks
    )
    # Where nothing could be split LightGBM stops by itself.
    kept = booster.best_iteration if booster.best_iteration > 0 else booster.num_trees()
    return Fitted(exported(names, booster.dump_model(num_iteration=kept)), kept)


def exported(names: Sequence[str], dump: dict[str, Any]) -> BoostedModel:
    """Turn LightGBM's description of its trees into flat arrays.

    Args:
        names: the k scalar features.
        dump: `Booster.dump_model()`, of numerical splits alone.

    Raises:
        InvalidInputError: trees that ask for something else than whether a number is small enough.
    """
    nodes: list[list[float]] = []
    roots = []
    for tree in dump["tree_info"]:
        roots.append(len(nodes))
        _append(tree["tree_structure"], nodes)
    feature, threshold, null_left, left, right, value, _ = np.array(nodes, dtype=np.float64).T
    whole = [column.astype(np.int64) for column in (feature, null_left, left, right)]
    return BoostedModel(
        names=tuple(names),
        roots=np.array(roots, dtype=np.int64),
        feature=whole[0],
        threshold=threshold.copy(),
        null_left=whole[1],
        left=whole[2],
        right=whole[3],
        value=value.copy(),
    )


def _append(node: dict[str, Any], nodes: list[list[float]]) -> int:
    """Append a node and all below it, parents first: feature, threshold, null, left, right, value, rows."""
    position = len(nodes)
    nodes.append([])
    if "leaf_value" in node:
        nodes[position] = [-1, 0, 0, position, position, node["leaf_value"], node.get("leaf_count", 1)]
        return position
    if node["decision_type"] != "<=" or node["missing_type"] == "Zero":
        raise InvalidInputError("trees: expected splits of numbers, null apart, found another kind; fit them anew")
    left, right = _append(node["left_child"], nodes), _append(node["right_child"], nodes)
    # A feature that was never null in training has no side for null: LightGBM takes 0 for it.
    null_left = node["default_left"] if node["missing_type"] == "NaN" else node["threshold"] >= 0
    rows = nodes[left][-1] + nodes[right][-1]
    mean = sum(nodes[child][-2] * nodes[child][-1] for child in (left, right)) / rows
    nodes[position] = [node["split_feature"], node["threshold"], null_left, left, right, mean, rows]
    return position


def _inputs(rows: TrainingRows) -> Vector:
    return np.hstack([rows.values, rows.profiles])


def _watching(watch: Watch) -> Any:
    def after_tree(environment: Any) -> None:
        for name, _, loss, _ in environment.evaluation_result_list:
            watch(name, environment.iteration + 1, loss)

    return after_tree
