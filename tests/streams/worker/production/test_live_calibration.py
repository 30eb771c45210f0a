"""Live calibration: predictions judged 30 days later by what was really spent."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from features.observation import Kind, Observation, Source, event_key
from features.tiles import DAY, HOUR
from features.users.state import UserState
from streams.contract import HORIZON
from streams.telemetry.metrics import Metrics
from streams.worker.production import live_calibration as outcomes_module
from streams.worker.production.live_calibration import Outcomes

START = 1_764_000_000_000


class World:
    """Users with states, a clock that moves when told to, and what watches them."""

    def __init__(self, folder: Path, share: float = 1.0) -> None:
        self.folder = folder
        self.share = share
        self.states: dict[str, UserState] = {}
        self.now = START
        self.serves = True
        self.offset = 0
        self.restart()

    def restart(self) -> None:
        self.metrics = Metrics()
        self.outcomes = Outcomes(
            self,
            self.folder / "pending.json",
            share=self.share,
            clock=lambda: self.now,
            metrics=self.metrics,
            on_failure=pytest.fail,
        )

    def find(self, user_id: str) -> UserState | None:
        return self.states.get(user_id)

    def serving(self) -> bool:
        return self.serves

    def buy(self, user_id: str, money: float, when: int | None = None, event: int | None = None) -> None:
        self._take(Kind.PURCHASE, user_id, money, when, event)

    def give_back(self, user_id: str, money: float, when: int | None = None, event: int | None = None) -> None:
        self._take(Kind.REFUND, user_id, money, when, event)

    def _take(self, kind: Kind, user_id: str, money: float, when: int | None, event: int | None) -> None:
        self.offset += 1
        self.states.setdefault(user_id, UserState()).apply(
            Observation(
                kind=int(kind),
                source=int(Source.CLICKS),
                offset=self.offset,
                timestamp=self.now if when is None else when,
                event_key=event_key(str(self.offset if event is None else event)),
                amount=round(money * 1e6),
            ),
            "e",
        )

    def predict(self, *users: str, spend: float = 10.0, score: float = 95.0, scorer: str = "v1") -> None:
        served: Any = SimpleNamespace(
            scoring=SimpleNamespace(version=scorer),
            users=users,
            states=[self.states[user] for user in users],
            instants=[self.now] * len(users),
            predicted=SimpleNamespace(
                expected_spend=np.full(len(users), spend), score=np.full(len(users), score, float)
            ),
        )
        self.outcomes.remember(served)

    def shown(self, scorer: str = "v1", decile: str = "9") -> tuple[float | None, ...]:
        labels = {"scorer": scorer, "decile": decile}
        names = ("predicted", "actual", "judged")
        get = self.metrics.registry.get_sample_value
        return tuple(get(f"wherewithal_calibration_{name}_total", labels) for name in names)

    @property
    def unjudged(self) -> float | None:
        return self.metrics.registry.get_sample_value("wherewithal_calibration_unjudged_total")


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.buy("u", 100.0)
    return made


async def test_what_was_spent_within_30_days_is_set_against_what_was_predicted(world: World) -> None:
    world.predict("u", spend=12.5)
    world.now = START + 10 * DAY
    world.buy("u", 7.0)
    world.predict("u", spend=99.0)
    world.now = START + HORIZON - 1
    await world.outcomes.judge()
    assert world.shown() == (None, None, None), "not before its 30 days are over"
    world.now = START + HORIZON
    await world.outcomes.judge()
    assert world.shown() == (12.5, 7.0, 1)
    world.now += DAY
    await world.outcomes.judge()
    assert world.shown() == (12.5, 7.0, 1), "once"


async def test_a_redelivered_or_repeated_purchase_counts_once(world: World) -> None:
    world.predict("u")
    world.now += DAY
    world.buy("u", 7.0, event=77)
    world.buy("u", 7.0, event=77)
    state = world.states["u"]
    kind, source, key = int(Kind.PURCHASE), int(Source.CLICKS), event_key("77")
    repeated = Observation(kind, source, world.offset - 1, world.now, key, amount=7_000_000)
    state.apply(repeated, "e")
    world.now = START + HORIZON
    await world.outcomes.judge()
    assert world.shown() == (10.0, 7.0, 1)


async def test_what_came_after_the_30_days_is_left_out_when_judged_late(world: World) -> None:
    world.predict("u")
    world.buy("u", 5.0, when=START + HORIZON - HOUR)
    world.buy("u", 50.0, when=START + HORIZON + 2 * HOUR)
    world.now = START + HORIZON + DAY
    await world.outcomes.judge()
    assert world.shown() == (10.0, 5.0, 1)


async def test_what_is_given_back_within_the_30_days_is_taken_off_once(world: World) -> None:
    world.predict("u")
    world.now += DAY
    world.buy("u", 7.0)
    world.give_back("u", 2.5, event=88)
    world.give_back("u", 2.5, event=88)
    world.give_back("u", 4.0, when=START + HORIZON + 2 * HOUR)
    world.now = START + HORIZON + DAY
    await world.outcomes.judge()
    assert world.shown() == (10.0, 4.5, 1)


async def test_more_given_back_than_paid_is_a_spend_of_nothing(world: World) -> None:
    world.predict("u")
    world.give_back("u", 100.0, when=START + DAY)
    world.now = START + HORIZON
    await world.outcomes.judge()
    assert world.shown() == (10.0, 0.0, 1)


async def test_what_can_no_longer_be_told_is_counted_as_unjudged(world: World) -> None:
    world.predict("u")
    world.buy("u", 50.0, when=START + HORIZON + 8 * DAY)
    world.now = START + HORIZON + 9 * DAY
    await world.outcomes.judge()
    assert world.shown() == (None, None, None)
    assert world.unjudged == 1


async def test_a_title_that_is_read_after_the_prediction_loses_nothing(world: World) -> None:
    state, click = world.states["u"], world.offset + 1
    state.apply(
        Observation(
            kind=int(Kind.VIEW),
            source=int(Source.CLICKS),
            offset=click,
            timestamp=START,
            event_key=event_key("titled"),
            title_weight=0.25,
            title_waits=True,
        ),
        "e",
    )
    world.predict("u", spend=12.5)
    assert state.read_title(click, START, 0.25, np.ones(64), "e")
    world.now = START + HORIZON
    await world.outcomes.judge()
    assert world.shown() == (12.5, 0.0, 1)


async def test_predictions_are_kept_apart_by_scorer_and_decile_of_the_score(world: World) -> None:
    for number, score in enumerate((0.0, 9.99, 10.0, 100.0)):
        world.buy(f"d{number}", 1.0)
        world.predict(f"d{number}", score=score)
    world.predict("u", scorer="v2", spend=3.0)
    world.now += HORIZON
    await world.outcomes.judge()
    assert [world.shown(decile=decile)[2] for decile in ("0", "1", "9")] == [2, 1, 1]
    assert world.shown("v2") == (3.0, 0.0, 1)


async def test_pending_predictions_survive_a_restart(world: World) -> None:
    world.outcomes.start()
    world.predict("u", spend=12.5)
    await world.outcomes.stop()
    world.restart()
    world.outcomes.start()
    world.now += 3 * DAY
    world.buy("u", 4.0)
    world.now = START + HORIZON
    await world.outcomes.judge()
    assert world.shown() == (12.5, 4.0, 1)
    await world.outcomes.stop()
    world.restart()
    world.outcomes.start()
    await world.outcomes.judge()
    assert world.shown() == (None, None, None), "what was judged is not judged again"
    await world.outcomes.stop()


async def test_a_crash_before_a_judgement_is_written_counts_it_at_most_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = []
    write = outcomes_module.write_pending
    monkeypatch.setattr(
        outcomes_module, "write_pending", lambda *args: (order.append(world.shown()[2]), write(*args))[1]
    )
    world.predict("u")
    world.now += HORIZON
    await world.outcomes.judge()
    assert (order, world.shown()[2]) == ([None], 1), "written while nothing was counted yet"


async def test_an_erased_user_has_no_pending_prediction_in_memory_or_on_disk(world: World) -> None:
    world.outcomes.start()
    world.buy("stays", 1.0)
    world.predict("u", "stays")
    await world.outcomes.judge()
    path = world.folder / "pending.json"
    assert b'"u"' in path.read_bytes()
    world.outcomes.erase("u")
    await world.outcomes.stop()
    assert b'"u"' not in path.read_bytes()
    assert b'"stays"' in path.read_bytes()


async def test_a_user_who_was_erased_and_came_back_is_not_judged(world: World) -> None:
    world.predict("u")
    world.states["u"].erase(START + 1, 5, int(Source.ERASURES))
    world.now += 2 * DAY
    for _ in range(3):
        world.buy("u", 200.0)
    world.now = START + HORIZON
    await world.outcomes.judge()
    assert world.shown() == (None, None, None)
    assert world.unjudged == 1


async def test_an_erasure_that_a_crash_kept_from_the_file_is_found_at_the_next_start(world: World) -> None:
    world.outcomes.start()
    world.predict("u")
    await world.outcomes.stop()
    world.states["u"].erase(START + 1, 5, int(Source.ERASURES))
    world.restart()
    world.outcomes.start()
    await world.outcomes.judge()
    assert (world.folder / "pending.json").read_bytes() == b"[]"
    await world.outcomes.stop()


async def test_while_partitions_move_nobody_is_taken_for_gone(world: World) -> None:
    world.predict("u")
    states, world.states, world.serves = world.states, {}, False
    await world.outcomes.judge()
    world.states, world.serves = states, True
    world.now += HORIZON
    await world.outcomes.judge()
    assert world.shown() == (10.0, 0.0, 1)


async def test_users_served_elsewhere_are_dropped(world: World) -> None:
    world.predict("u")
    world.states.clear()
    await world.outcomes.judge()
    assert world.unjudged == 1


def test_the_sample_is_a_share_of_the_users_and_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path, share=0.25)
    users = [f"user-{number}" for number in range(2000)]
    world.states = dict.fromkeys(users, UserState())
    world.predict(*users)
    assert len(world.outcomes._pending) == pytest.approx(500, abs=80)
    monkeypatch.setattr(outcomes_module, "MOST_PENDING", 100)
    world.restart()
    world.predict(*users)
    assert len(world.outcomes._pending) == 100


async def test_a_damaged_file_is_no_reason_not_to_start(world: World, caplog: pytest.LogCaptureFixture) -> None:
    (world.folder / "pending.json").write_bytes(b'[{"user_id": "u"')
    world.outcomes.start()
    await world.outcomes.judge()
    await world.outcomes.stop()
    assert "begins anew" in caplog.text
    assert '"u"' not in caplog.text


async def test_the_series_of_a_scorer_goes_when_nothing_more_will_be_judged_of_it(world: World) -> None:
    world.predict("u")
    world.now += HORIZON
    await world.outcomes.judge()
    world.predict("u", scorer="v2")
    await world.outcomes.judge()
    assert world.shown()[2] == 1, "for a scrape in between"
    await world.outcomes.judge()
    assert world.shown() == (None, None, None)
