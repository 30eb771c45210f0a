"""Errors of a consumer in a group that only a caller of `getmany` would see. Faust is not one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from streams.broker.errors.explaining import passes

PAUSE_S: Final = 0.2
"""Seconds before a group is joined again after an error that passes."""


def report_failures(consumer: Any, report: Callable[[BaseException], None]) -> None:
    """Make a consumer report the errors that end its membership or its fetching, once it is started.

    A coordinator that is refused (for a right, a session timeout, or another group's protocol) keeps its error for the
    next call of `getmany`, and waits for that call for ever. Faust asks the fetcher below, which does not know the
    error. After an error that passes by itself, as while a coordinator moves, the group is joined again.

    Args:
        consumer: of aiokafka, in a group, not started yet.
        report: called with each error, in the consumer's own thread.
    """
    start = consumer.start

    async def start_and_report() -> None:
        await start()
        coordinator = consumer._coordinator
        push = coordinator._push_error_to_user

        def report_and_push(error: BaseException) -> Awaitable[Any]:
            if passes(error):
                # Joining again makes a heartbeat that is alive. If pushed, the error would end the await of records.
                coordinator.request_rejoin()
                return asyncio.sleep(PAUSE_S)
            report(error)
            waiting: Awaitable[Any] = push(error)
            return waiting

        coordinator._push_error_to_user = report_and_push
        for task in (coordinator._coordination_task, consumer._fetcher.error_future):
            task.add_done_callback(ended)

    def ended(task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            report(error)

    consumer.start = start_and_report
