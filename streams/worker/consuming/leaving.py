"""Leaving the group, so that whoever joins next need not wait for the end of a session."""

from __future__ import annotations

from typing import Any


def leave_from_the_first(coordinator: Any) -> None:
    """Have a member leave its group also in a generation numbered 0: the embedded broker begins with it.

    aiokafka takes 0 for no generation, and would say nothing to the broker.

    Args:
        coordinator: of aiokafka's consumer, which has been started.
    """
    leave = coordinator._maybe_leave_group

    async def leave_any() -> None:
        # The request names the member alone, and nothing more is asked in this generation.
        coordinator.generation = coordinator.generation or 1
        await leave()

    coordinator._maybe_leave_group = leave_any
