"""The ablation of text on Complete Journey: both heads, by baskets, and BERT beside plainer ways to read titles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from features.users.catalogue import NAMES, TRANSFORMS
from models.measures.lift import order_of
from models.profile import WIDTH
from models.scoring.standardising import Transform
from models.training.capacity.design import PARTS
from models.training.capacity.fitting import out_of_fold
from models.training.capacity.people import Labelled, People
from models.training.threads import one_thread
from streams.offline.capacity.journey import BASKETS, BEFORE, YEAR, Journey, Snapshot
from streams.offline.capacity.judging import BEHAVIOUR, BOTH, by_groups
from streams.offline.capacity.people import WINDOW_DAYS
from streams.offline.capacity.tastes import SERVED, WAYS, Tastes
from streams.offline.complete_journey.households import Household
from streams.progress import Progress

Vector = NDArray[np.float64]

TRAITS: Final = ("age", "household_size", "household", "children")
"""The columns of `Household` that income goes with."""

_POINTS: Final = (*map(str, BASKETS), YEAR)


def ablation(
    journey: Journey,
    tastes: Tastes,
    households: Sequence[Household],
    *,
    draws: int,
    seed: int,
    progress: Progress,
    ways: Sequence[str] = WAYS,
) -> dict[str, Any]:
    """Measure what text adds.

    Every figure is of households that the fit has not seen, by nested cross-validation; fits, folds and draws are the
    same for all ways to read titles. Both heads are fitted in the same way: ranks by ridge regression.

    Args:
        journey: folded.
        tastes: the ways.
        households: those with a label.
        draws: resamplings of households, >= 1.
        seed: of folds and resamplings.
        progress: called before each way is fitted.
        ways: to read titles, beside the served one.

    Returns:
        `capacity`: by the number of baskets and `year`, of the served vector; `spend`: of the 30 days that follow; each
        `n`, and by measure and part `value`, `low`, `high`, and under `lift` those of both less behaviour.
        `ways`: by way, `decayed` and `plain`, the same of the year. `fairness`: by trait.
    """
    labels = {household.user_id: float(household.label) for household in households}
    steps = len(_POINTS) + 1 + 2 * len(ways)
    done = 0
    of_behaviour: dict[int, Vector] = {}

    def measured(found: Snapshot, given: Mapping[str, float], way: str, decayed: bool) -> tuple[dict[str, Any], Any]:
        nonlocal done
        progress(f"fitting {way}", done, steps)
        done += 1
        people, labelled = _people(found, given, tastes.of(way, found, decayed=decayed))
        if id(found) not in of_behaviour:
            of_behaviour[id(found)] = out_of_fold(people, labelled, BEHAVIOUR, seed=seed)
        predictions = {
            part: of_behaviour[id(found)] if part == BEHAVIOUR else out_of_fold(people, labelled, part, seed=seed)
            for part in PARTS
        }
        alone, against = order_of(labelled.labels, predictions, draws=draws, seed=seed)
        document = {
            "n": len(labelled.users),
            **{measure: {part: value._asdict() for part, value in by.items()} for measure, by in alone.items()},
            "lift": {measure: by[BOTH]._asdict() for measure, by in against.items()},
        }
        return document, (labelled, predictions[BOTH])

    with one_thread():
        capacity, last = {}, None
        for point in _POINTS:
            capacity[point], last = measured(journey.snapshots[point], labels, SERVED, True)
        before = journey.snapshots[BEFORE]
        spend, _ = measured(before, {user: journey.spent.get(user, 0.0) for user in before.users}, SERVED, True)
        year = journey.snapshots[YEAR]
        by_way = {
            way: {
                name: measured(year, labels, way, decayed)[0] for name, decayed in (("decayed", True), ("plain", False))
            }
            for way in ways
        }
    assert last is not None
    return {
        "capacity": capacity,
        "spend": spend,
        "ways": by_way,
        "fairness": _fairness(households, *last, draws=draws, seed=seed),
    }


def _people(found: Snapshot, given: Mapping[str, float], taste: Vector) -> tuple[People, Labelled]:
    order = sorted(range(len(found.users)), key=lambda place: found.users[place])
    users = [found.users[place] for place in order]
    people = People(
        names=NAMES,
        values=found.values[order],
        # Nobody wrote anything: the profile is empty.
        vectors=np.hstack([np.zeros((len(order), WIDTH)), taste[order]]),
        transforms={name: Transform(transform) for name, transform in TRANSFORMS.items()},
        windows=WINDOW_DAYS,
    )
    known = [place for place, user in enumerate(users) if user in given]
    return people, Labelled(
        tuple(users[place] for place in known),
        np.array(known, dtype=np.int64),
        np.array([given[users[place]] for place in known], dtype=np.float64),
    )


def _fairness(
    households: Sequence[Household], labelled: Labelled, predicted: Vector, *, draws: int, seed: int
) -> dict[str, Any]:
    by_user = {household.user_id: household for household in households}
    groups = {trait: [getattr(by_user[user], trait) for user in labelled.users] for trait in TRAITS}
    return by_groups(groups, labelled.labels, predicted, draws=draws, seed=seed)
