"""The lease on an assignment: from when it holds, for how long, and what ends it."""

from __future__ import annotations

import time

import pytest

from streams.broker.lease import Lease, LeaseLostError, no_lease
from streams.worker import assignment
from streams.worker.assignment import DRAIN_S, DRAIN_SHARE, Assignment


def test_a_lease_counts_from_when_the_broker_was_asked_and_not_from_when_its_answer_is_taken_in() -> None:
    asked_at = time.monotonic() - 20.0
    lease = Lease(10.0, asked_at)
    assert lease.expired
    assert lease.remaining_s == 0.0
    lease.renew(asked_at + 5.0)
    assert lease.expired, "the heartbeat was asked before the process was stopped"
    with pytest.raises(LeaseLostError, match="heartbeat answered within 10 s"):
        lease.check()


def test_a_renewed_lease_holds_for_its_term() -> None:
    lease = Lease(3600.0, time.monotonic() - 3000.0)
    assert 0 < lease.remaining_s <= 600.0
    lease.renew(time.monotonic())
    assert lease.remaining_s > 3000.0
    lease.renew(time.monotonic() - 3000.0)
    assert lease.remaining_s > 3000.0, "an answer that comes late takes nothing back"
    lease.check()


def test_a_lease_that_a_rebalance_has_ended_is_never_renewed() -> None:
    lease = Lease(3600.0, time.monotonic())
    lease.end()
    lease.renew(time.monotonic())
    assert lease.expired
    assert lease.remaining_s == 0.0
    with pytest.raises(LeaseLostError, match="a rebalance has ended it"):
        lease.check()


def test_partitions_drain_for_less_time_than_the_broker_waits_for_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Assignment(1, 1, Lease(3600.0, time.monotonic())).patience_s == DRAIN_S
    # A lease that is shorter, and yet does not end while this process stands still.
    monkeypatch.setattr(assignment, "DRAIN_S", 7200.0)
    short = Lease(3600.0, time.monotonic())
    assert 0 < Assignment(1, 1, short).patience_s <= DRAIN_SHARE * 3600.0
    short.end()
    assert Assignment(1, 1, short).patience_s == 0.0


def test_without_an_assignment_there_is_no_lease() -> None:
    assert no_lease().expired
