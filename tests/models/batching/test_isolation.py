from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from models.batching.isolation import isolate
from models.exceptions import EncoderUnavailableError, TextRejectedError


@given(st.lists(st.sampled_from(["ok", "bad"]), max_size=40), st.integers(1, 9))
def test_isolating_rejects_the_bad_ones_and_no_other(items: list[str], most: int) -> None:
    def work(part: Sequence[str]) -> list[str]:
        if "bad" in part or len(part) > most:
            raise RuntimeError
        return [item.upper() for item in part]

    outcomes, failures = isolate(work, items, probe=lambda: None)
    assert [isinstance(outcome, TextRejectedError) for outcome in outcomes] == [item == "bad" for item in items]
    assert [outcome for outcome in outcomes if isinstance(outcome, str)] == ["OK"] * items.count("ok")
    assert (failures == 0) == ("bad" not in items and len(items) <= most)


def test_what_was_done_before_the_encoder_went_down_is_kept() -> None:
    calls: list[Sequence[int]] = []

    def work(part: Sequence[int]) -> list[int]:
        calls.append(part)
        if len(part) > 2 or len(calls) > 3:
            raise RuntimeError
        return [-item for item in part]

    def probe() -> None:
        raise RuntimeError("still down\nand more lines")

    outcomes, failures = isolate(work, range(1, 9), probe)
    assert outcomes[:2] == [-1, -2]
    assert {str(outcome).count("(RuntimeError: still down): ") for outcome in outcomes[2:]} == {1}
    assert all(isinstance(outcome, EncoderUnavailableError) for outcome in outcomes[2:])
    assert failures == 5  # 8 and 4 texts, then 2 and 1 once it is down, and the probe


def test_a_fault_that_passes_during_the_probe_rejects_nothing() -> None:
    probed: list[bool] = []

    def work(part: Sequence[int]) -> list[int]:
        if not probed:
            raise RuntimeError
        return list(part)

    assert isolate(work, [7], probe=lambda: probed.append(True)) == ([7], 1)


def test_work_that_gives_too_few_results_is_a_fault_of_the_encoder() -> None:
    def work(part: Sequence[int]) -> list[int]:
        return [item for item in part if item != 3]

    outcomes, failures = isolate(work, [1, 2, 3], probe=lambda: work([3])[0])
    assert outcomes[:2] == [1, 2]
    assert isinstance(outcomes[2], EncoderUnavailableError)
    assert failures == 4  # three items, two, one, and the probe
