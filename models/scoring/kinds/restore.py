"""From the document and tensors of an artefact to a model, by its kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from models.exceptions import ArtefactError
from models.scoring.kinds.boosting import BoostedModel
from models.scoring.kinds.ensemble import EnsembleModel
from models.scoring.kinds.linear import LinearModel
from models.scoring.kinds.loglinear import LogLinearModel
from models.scoring.kinds.protocol import Model, Tensors, TensorTypes
from models.scoring.kinds.ziln import ZilnModel

_SINGLE: Final = {model.kind: model for model in (LogLinearModel, LinearModel, ZilnModel, BoostedModel)}


def tensor_types(kind: str, document: Mapping[str, Any]) -> dict[str, tuple[str, int]]:
    """Return dtype and number of axes of every tensor that a model of this kind writes.

    Raises:
        ArtefactError: an unknown kind, or a document that does not describe an ensemble.
    """
    if kind != EnsembleModel.kind:
        return dict(_types_of(kind, document))
    types = {"member_weights": ("float64", 1)}
    for member, part in _members(document):
        types |= {f"{member}.{name}": expected for name, expected in _types_of(member, part).items()}
    return types


def restore(kind: str, names: Sequence[str], document: Mapping[str, Any], tensors: Tensors) -> Model:
    """Make a model again from what its `document` and `tensors` returned.

    Args:
        kind: of the model.
        names: the k scalar features.
        document: of the model.
        tensors: of the names and types that `tensor_types` gives, others beside them.

    Raises:
        ArtefactError: they hold no such model.
    """
    if kind != EnsembleModel.kind:
        return _restored(kind, names, document, tensors)
    members = []
    for member, part in _members(document):
        own = {name: tensors[f"{member}.{name}"] for name in _types_of(member, part)}
        members.append(_restored(member, names, part, own))
    return EnsembleModel(members=tuple(members), weights=tensors["member_weights"])


def _restored(kind: str, names: Sequence[str], document: Mapping[str, Any], tensors: Tensors) -> Model:
    try:
        return _single(kind).of(names, document, tensors)
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, ArtefactError):
            raise
        raise ArtefactError(
            f"{kind}: expected the description of such a model, found another ({type(error).__name__}); "
            "train the artefact again"
        ) from error


def _single(kind: str) -> type[LogLinearModel | LinearModel | ZilnModel | BoostedModel]:
    model = _SINGLE.get(kind)
    if model is None:
        raise ArtefactError(
            f"model: expected one of {', '.join(sorted([*_SINGLE, EnsembleModel.kind]))}, found another kind; "
            "use the release that wrote the artefact"
        )
    return model


def _types_of(kind: str, document: Mapping[str, Any]) -> TensorTypes:
    model = _single(kind)
    # The linear kind alone has tensors that depend on the vectors it was fitted on.
    return model.types_of(document) if issubclass(model, LinearModel) else model.tensor_types


def _members(document: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    try:
        members = [(str(member["kind"]), member["model"]) for member in document["members"]]
    except (KeyError, TypeError) as error:
        raise ArtefactError("ensemble: expected its members' kinds, found none; train the artefact again") from error
    if len({kind for kind, _ in members}) < len(members):
        raise ArtefactError("ensemble: expected members of different kinds, found two of one; train it again")
    return members
