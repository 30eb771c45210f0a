"""What becomes of a record that is brought to a state."""

from __future__ import annotations

from enum import Enum, auto


class Outcome(Enum):
    """What became of an observation, or of a fact."""

    APPLIED = auto()
    DUPLICATE = auto()
    """Its event id is remembered: nothing changed."""
    REDELIVERED = auto()
    """The state holds this very record: nothing changed."""
    REFUSED = auto()
    """Not newer than the user's erasure, or a forecast of an item without a fact: nothing changed."""

    # One is hashed for every event, and that of an enumeration runs in Python.
    __hash__ = object.__hash__
