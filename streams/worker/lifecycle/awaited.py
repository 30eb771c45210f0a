"""The things that a worker waits for before it takes events: the group, the changelog, or the ends of the logs."""

from __future__ import annotations

from typing import Any, NamedTuple


class Awaited(NamedTuple):
    """A thing that is waited for.

    Attributes:
        what: in words, to follow "expected".
        position: it is progress, however long it takes, as long as this changes.
    """

    what: str
    position: object


def awaited(app: Any) -> Awaited:
    """Return what a Faust app that delivers no events yet is waiting for."""
    recovery, serial = app.tables.recovery, app.consumer_generation_id
    offsets, ends = dict(recovery.active_offsets), dict(recovery.active_highwaters)
    position = (serial, sorted(offsets.items()))
    left = {
        tp: ends[tp] - offset
        for tp, offset in sorted(offsets.items())
        if offset is not None and (ends.get(tp) or 0) > offset
    }
    if recovery.in_recovery and left:
        tp = next(iter(left))
        return Awaited(
            f"the state to be recovered from the changelog ({tp.topic}-{tp.partition} at {offsets[tp]} of {ends[tp]}, "
            f"{sum(left.values())} records left in {len(left)} partitions)",
            position,
        )
    if recovery.in_recovery or recovery.active_tps:
        return Awaited("the broker to tell the committed offsets and the ends of the logs", position)
    return Awaited("the group to assign partitions", position)
