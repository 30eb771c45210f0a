"""The emitter: feature rows and score records of groups of users, computed in one vectorised step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from features.online.rows import OnlineRow
from features.users.row import profiles, scalars, tastes
from features.users.state import UserState
from streams.contract import CAPACITY, SCORES
from streams.inference.active_capacity import Estimating
from streams.inference.active_scorer import Scoring, Served
from streams.records.outgoing import Outgoing
from streams.records.score_record import encode_score
from streams.worker.publishing.emission import Emission, Instants, Subject, begin
from streams.worker.users.estimates import Estimates

AsOf = Callable[[], int | None]
"""The as-of instant (ms) of the features, None for nothing but the user's own newest event."""


class Watchers(Protocol):
    """Whatever is told of what a worker serves."""

    def served(self, served: Served) -> None:
        """Be told of a micro-batch of served users."""

    def erased(self, user_id: str) -> None:
        """Be told of a user who is gone, or who was erased and came back."""

    def released(self) -> None:
        """Be told that partitions are let go: erasures of their users are not heard of any more."""


class Emitter:
    """Computes emissions.

    Args:
        encoder: identity of the loaded encoder.
        scoring: what scores at first.
        as_of: asked once per call of `emit`.
        watchers: told of every micro-batch and of every erased user.

    Attributes:
        encoder_down: whether texts are being held back; scores then say `degraded`.
        scoring: what scores; replaced as a whole, and read once per call of `emit`. While it is told what is served, a
            watcher may put the same scorer with another verdict on its fit in its place.
        estimating: what estimates capacity, replaced and read in the same way; None for nothing.
    """

    def __init__(
        self, encoder: str, scoring: Scoring, as_of: AsOf, watchers: Watchers, estimating: Estimating | None = None
    ) -> None:
        self._encoder = encoder
        self._as_of = as_of
        self._watchers = watchers
        self._instants = Instants()
        self.encoder_down = False
        self.scoring = scoring
        self.estimating = estimating

    @property
    def degraded(self) -> bool:
        """Whether scores come from behaviour alone, or from texts that lag behind."""
        return self.encoder_down or not self.scoring.fitted

    def emit(self, groups: Sequence[Sequence[Subject[UserState]]]) -> list[Emission]:
        """Return what is to be published of each group of users, as their states are now."""
        emitted_at = self._instants.next()
        emissions, living = begin(groups, emitted_at, self._forget, self._reset)
        if living.subjects:
            self._score(living.subjects, emitted_at, living.into)
        return emissions

    def _forget(self, emission: Emission, user: Subject[UserState]) -> None:
        # Where no capacity is estimated any more, there may be records from before.
        _add_tombstones(emission, user.key, capacity=True)
        self._watchers.erased(user.key)

    def _reset(self, emission: Emission, user: Subject[UserState]) -> None:
        _add_tombstones(emission, user.key, capacity=self.estimating is not None)

    def _score(self, subjects: Sequence[Subject[UserState]], emitted_at: int, into: Sequence[Emission]) -> None:
        as_of, encoder, scoring = self._as_of(), self._encoder, self.scoring
        users, states = [subject.key for subject in subjects], [subject.state for subject in subjects]
        instants = [state.instant(as_of) for state in states]
        rows = [scalars(state, instant) for state, instant in zip(states, instants, strict=True)]
        vectors, titles = profiles(states, encoder), tastes(states, encoder)
        predicted = scoring.predict(rows, vectors)
        # Before the records are made: it may find that the scorer does not fit, which the records are to tell.
        self._watchers.served(Served(scoring, users, states, instants, rows, vectors, predicted))
        if self.scoring.artefact is scoring.artefact:
            scoring = self.scoring
        estimates = None
        if self.estimating is not None:
            named = {"profile_vector": vectors, "taste_vector": titles}
            estimates = Estimates(self.estimating, rows, named, encoder_down=self.encoder_down)
        tags, labels, degraded = scoring.tagger.tags, scoring.labeller.labels, self.degraded
        columns = zip(
            subjects,
            into,
            instants,
            rows,
            _lines(vectors),
            _lines(titles),
            predicted.prediction.tolist(),
            predicted.expected_spend.tolist(),
            predicted.score.tolist(),
            predicted.tier,
            strict=True,
        )
        for position, (subject, emission, instant, row, *both, prediction, spend, score, tier) in enumerate(columns):
            state, (profile, taste) = subject.state, both
            value = encode_score(
                subject.key,
                score=score,
                expected_spend=spend,
                tier=tier,
                tags=tags(state.categories.counts(instant)),
                labels=labels(row, state.categories, instant),
                prediction=prediction,
                intercept=predicted.intercept,
                reasons=predicted.reasons(position),
                life=state.life,
                revision=state.revision,
                event_time=instant,
                emitted_at=emitted_at,
                trigger=subject.trigger,
                model=scoring.model,
                degraded=degraded,
            )
            key, capacity = subject.key.encode(), None
            emission.add(SCORES, Outgoing(key, value))
            if estimates is not None:
                record = estimates.record(position, subject.key, state, instant, emitted_at)
                emission.add(CAPACITY, Outgoing(key, record))
                capacity = estimates.row(position)
            emission.rows.append(
                OnlineRow(
                    user_id=subject.key,
                    fence=subject.fence(emitted_at),
                    scalars=row,
                    event_time=instant,
                    revision=state.revision,
                    profile=profile,
                    taste=taste,
                    titles_waiting=len(state.waiting),
                    encoder=encoder,
                    score=score,
                    expected_spend=spend,
                    tier=tier,
                    scorer=scoring.version,
                    capacity=capacity,
                )
            )


def _lines(vectors: NDArray[np.float32]) -> list[bytes]:
    """Return the bytes of each vector."""
    joined, width = vectors.tobytes(), vectors.strides[0]
    return [joined[start : start + width] for start in range(0, len(joined), width)]


def _add_tombstones(emission: Emission, user_id: str, *, capacity: bool) -> None:
    """Have consumers forget the scores of a user so far, and the records of capacity too."""
    tombstone = Outgoing(user_id.encode(), None)
    emission.add(SCORES, tombstone)
    if capacity:
        emission.add(CAPACITY, tombstone)
