"""Live calibration: predictions of a sample of users, compared after 30 days with what those users then spent, net."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol
from zlib import crc32

from features.tiles import DAY, HOUR
from features.users.columns import HOURS
from features.users.state import UserState
from streams.contract import HORIZON
from streams.inference.active_scorer import Served
from streams.log import log
from streams.net_spend import net_money
from streams.tasks import Tasks
from streams.telemetry.metrics import Metrics
from streams.worker.production.pending_predictions import Pending, read_pending, write_pending

MOST_PENDING: Final = 20_000
"""Predictions that are kept at once, about 200 bytes each; further users are left out until some are judged."""

INTERVAL_S: Final = 60.0
"""How often due predictions are judged and changes written: what a crash loses at most."""

VERIFY_EVERY: Final = 60
"""One of so many judgements looks at every pending user, and drops users who were erased or moved to another worker."""

AT_ONCE: Final = 100
"""Users looked at before other work gets its turn."""

_HOURLY: Final = 7 * DAY
"""How long spend is known by the hour."""

_SPEND: Final = HOURS.place("spend")
_REFUNDED: Final = HOURS.place("refunded")
_HASHES: Final = 1 << 32


class Users(Protocol):
    """The users that this worker serves now."""

    def find(self, user_id: str) -> UserState | None:
        """Return the state of a user of an assigned partition, or None."""

    def serving(self) -> bool:
        """Return whether partitions are assigned, and none of them is on its way out."""


class Outcomes:
    """Keeps at most one prediction of each sampled user, and judges it when its 30 days are over.

    The spend is net of refunds: the difference of the user's lifetime net spend, so that an event delivered twice
    counts once. What is known by the hour to have come after the 30 days is taken off. The user's next prediction is
    then a new one.

    Args:
        users: those served now.
        path: of the file that keeps pending predictions across restarts.
        share: of users that are sampled, by a hash of their id, 0..1.
        clock: the wall clock, ms.
        metrics: where sums of predicted and actual money go.
        on_failure: told of an error that ends it.
    """

    def __init__(
        self,
        users: Users,
        path: Path,
        *,
        share: float,
        clock: Callable[[], int],
        metrics: Metrics,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._users = users
        self._path = path
        self._bound = int(share * _HASHES)
        self._clock = clock
        self._metrics = metrics
        self._pending: dict[str, Pending] = {}
        self._changed = False
        self._judgements = 0
        self._idle: set[str] = set()
        self._saving = asyncio.Lock()
        self._tasks = Tasks("outcomes", on_failure)

    def start(self) -> None:
        """Take up what was pending, and judge until stopped."""
        self._pending = {pending.user_id: pending for pending in read_pending(self._path)}
        self._tasks.begin(self._run())

    async def stop(self) -> None:
        """Judge no more, and write what is pending."""
        self._tasks.cancel()
        await self._tasks.ended()
        await self._save()

    def remember(self, served: Served) -> None:
        """Take up the predictions of sampled users who have none pending."""
        predicted, bound = served.predicted, self._bound
        # Computed for every user that is served: a checksum is spread evenly enough, and the same after a restart.
        sampled = [place for place, user_id in enumerate(served.users) if crc32(user_id.encode()) < bound]
        for position in sampled:
            user_id = served.users[position]
            if user_id in self._pending:
                continue
            if len(self._pending) >= MOST_PENDING:
                return
            state = served.states[position]
            self._changed = True
            self._pending[user_id] = Pending(
                user_id=user_id,
                made_at=served.instants[position],
                expected_spend=float(predicted.expected_spend[position]),
                decile=min(int(predicted.score[position] // 10), 9),
                scorer=served.scoring.version,
                spent=_net(state),
                life=state.life,
            )

    def erase(self, user_id: str) -> None:
        """Drop the pending prediction of a user, from the file too and at once."""
        if self._pending.pop(user_id, None) is not None:
            self._changed = True
            self._tasks.begin(self._save())

    async def _run(self) -> None:
        while True:
            await self.judge()
            await asyncio.sleep(INTERVAL_S)

    async def judge(self) -> None:
        """Compare what is due, drop what can no longer be compared, and write what is left."""
        if not self._users.serving():
            return
        verify = self._judgements % VERIFY_EVERY == 0
        self._judgements += 1
        now = self._clock()
        sums: defaultdict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
        unjudged = 0
        for position, pending in enumerate(list(self._pending.values())):
            if position % AT_ONCE == 0:
                await asyncio.sleep(0)
            due = pending.made_at + HORIZON <= now
            # Other work had its turn: users whose partition is on its way out must not be taken for gone.
            if not self._users.serving():
                break
            if not (due or verify) or self._pending.get(pending.user_id) is not pending:
                continue
            state = self._users.find(pending.user_id)
            lost = state is None or state.life != pending.life
            if not (due or lost):
                continue
            del self._pending[pending.user_id]
            self._changed = True
            actual = None if lost or state is None else _spent_within(pending, state)
            if actual is None:
                unjudged += 1
            else:
                place = sums[pending.scorer, str(pending.decile)]
                place[:] = [place[0] + pending.expected_spend, place[1] + actual, place[2] + 1]
        # Written before it is counted: a crash in between loses a judgement, and never counts one twice.
        await self._save()
        self._publish(sums, unjudged)

    def _publish(self, sums: dict[tuple[str, str], list[float]], unjudged: int) -> None:
        metrics = self._metrics
        for (scorer, decile), (predicted, actual, count) in sums.items():
            metrics.calibration_predicted.labels(scorer, decile).inc(predicted)
            metrics.calibration_actual.labels(scorer, decile).inc(actual)
            metrics.calibration_judged.labels(scorer, decile).inc(count)
        metrics.calibration_unjudged.inc(unjudged)
        metrics.calibration_pending.set(len(self._pending))
        self._drop_idle({scorer for scorer, _ in sums})

    def _drop_idle(self, judged: set[str]) -> None:
        """Remove the series of scorers that have had nothing judged, nor pending, since the judgement before."""
        counters = (
            self._metrics.calibration_predicted,
            self._metrics.calibration_actual,
            self._metrics.calibration_judged,
        )
        busy = judged | {pending.scorer for pending in self._pending.values()}
        shown = {sample.labels["scorer"] for family in counters[2].collect() for sample in family.samples}
        for scorer in shown & self._idle - busy:
            for counter in counters:
                counter.remove_by_labels({"scorer": scorer})
        self._idle = shown - busy

    async def _save(self) -> None:
        async with self._saving:
            if not self._changed:
                return
            self._changed = False
            try:
                await asyncio.to_thread(write_pending, self._path, list(self._pending.values()))
            except OSError as error:
                self._changed = True
                log.warning("pending predictions cannot be written, they would not survive a restart", error=str(error))


def _net(state: UserState) -> int:
    """Return the lifetime net spend, micro-units; below 0 where refunds have come before their purchases."""
    return state.lifetime_spend - state.lifetime_refunded


def _spent_within(pending: Pending, state: UserState) -> float | None:
    """Return the net spend within the 30 days, money, at least 0; None where too much came after them to tell."""
    due = pending.made_at + HORIZON
    if state.newest is None or state.newest - due >= _HOURLY:
        return None
    hours = state.by_hour
    by_hour = zip(hours.indices, hours.column(_SPEND), hours.column(_REFUNDED), strict=True)
    after = sum(spend - refunded for index, spend, refunded in by_hour if index * HOUR > due)
    return net_money(_net(state) - pending.spent - after)
