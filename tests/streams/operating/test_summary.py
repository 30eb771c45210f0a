"""When the summary of a run says that everything is accounted for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streams.operating.summary import Summary

WHOLE = Summary(
    events_in=7,
    events_applied=3,
    duplicates=2,
    dead_letters=1,
    erased=1,
    users=2,
    scores_out=3,
    texts_encoded=0,
    titles_encoded=0,
    facts_sent=3,
    facts_applied=3,
    items=2,
    seconds=1.0,
    event_to_score_ms={},
)


def test_a_run_is_complete_whose_events_and_facts_are_all_accounted_for() -> None:
    assert WHOLE.complete


@pytest.mark.parametrize(
    "changed",
    [{"facts_applied": 2}, {"facts_applied": 4}, {"events_applied": 2}, {"dead_letters": 2}],
    ids=["a fact lost", "a fact counted twice", "an event lost", "an event counted twice"],
)
def test_a_run_is_not_complete_that_lost_or_repeated_an_event_or_a_fact(changed: dict[str, int]) -> None:
    assert not replace(WHOLE, **changed).complete
