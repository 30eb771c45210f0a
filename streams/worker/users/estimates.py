"""What is published of the capacity of the users of one micro-batch: a record and a row of each."""

from __future__ import annotations

from features.online.rows import CapacityRow
from features.users.state import UserState
from streams.inference.active_capacity import Estimating, Vectors
from streams.inference.active_scorer import Rows
from streams.records.capacity_record import encode_capacity


class Estimates:
    """Estimates users.

    Args:
        estimating: the artefact in use.
        rows: scalar features of n users, in the order of the catalogue.
        vectors: their vector features, by name.
        encoder_down: whether texts lag behind.
    """

    def __init__(self, estimating: Estimating, rows: Rows, vectors: Vectors, *, encoder_down: bool) -> None:
        self._model = estimating.model
        self._degraded = encoder_down or not estimating.fitted
        self._found = estimating.estimate(rows, vectors)

    def record(self, position: int, user_id: str, state: UserState, event_time: int, emitted_at: int) -> bytes:
        """Return the record of the user at this position; times in ms."""
        found = self._found
        return encode_capacity(
            user_id,
            capacity=found.capacity[position],
            band=found.band[position],
            evidence=found.evidence[position],
            prediction=found.prediction[position],
            intercept=found.intercept,
            reasons=found.reasons(position),
            life=state.life,
            revision=state.revision,
            event_time=event_time,
            emitted_at=emitted_at,
            model=self._model,
            degraded=self._degraded,
        )

    def row(self, position: int) -> CapacityRow:
        """Return what the online store is given of the user at this position."""
        found = self._found
        return CapacityRow(
            capacity=found.capacity[position],
            prediction=found.prediction[position],
            band=found.band[position],
            scorer=self._model["scorer"],
            encoder=self._model["encoder"],
            evidence=found.evidence[position],
        )
