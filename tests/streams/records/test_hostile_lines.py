"""A brute-force reading of the contract and the decoder agree on every line of a hostile file."""

from __future__ import annotations

import time

import pytest
from support.twofold.hostile import hostile_lines
from support.twofold.records import Event, read_line

from streams.records.decoder import Decoder
from streams.records.judging import judge
from streams.records.ndjson import parse_line
from streams.records.rejection import Rejection


@pytest.mark.parametrize("seed", range(2))
def test_the_verdict_on_every_line_is_that_of_the_contract(seed: int) -> None:
    now = int(time.time() * 1000)
    verdicts = set()
    for line in hostile_lines(seed, 3000, now - 1000):
        wanted, found = read_line(line, now), judge(Decoder(), parse_line(line), now)
        if isinstance(wanted, Event):
            assert not isinstance(found, Rejection), (line, found)
            assert (found.user_id, found.timestamp) == (wanted.user_id, wanted.timestamp)
            assert {name: getattr(found, name) for name in wanted.fields} == wanted.fields
        else:
            assert isinstance(found, Rejection), line
            assert str(found.reason) == wanted.reason, line
            verdicts.add(wanted.reason)
    assert verdicts == {"malformed", "invalid", "key_mismatch", "too_large", "future"}
