"""Which of two score records of a user a consumer is to take."""

from __future__ import annotations

import pytest

from streams.records.score_record import newer


def record(life: int | None, revision: int, event_time: int = 0, emitted_at: int = 0) -> dict[str, int]:
    ranked = {"revision": revision, "event_time": event_time, "emitted_at": emitted_at}
    return ranked if life is None else {"life": life} | ranked


@pytest.mark.parametrize(
    ("record", "known"),
    [
        (record(1, 1), record(0, 500, 9, 9)),
        (record(1, 1), record(None, 500, 9, 9)),
        (record(0, 2), record(0, 1, 9, 9)),
        (record(0, 1, 2), record(0, 1, 1, 9)),
        (record(0, 1, 1, 2), record(None, 1, 1, 1)),
    ],
    ids=["a life later", "a life later than none", "a revision later", "as of later", "emitted later"],
)
def test_the_newer_record_is_that_of_the_later_life_then_revision_then_instant(
    record: dict[str, int], known: dict[str, int]
) -> None:
    assert newer(record, known)
    assert not newer(known, record)


def test_a_record_is_not_newer_than_itself() -> None:
    assert not newer(record(None, 1), record(0, 1))
