"""Coverage-guided fuzzing of the decoder, as a script: `python -m support.fuzz_decoder -runs=100000`."""

from __future__ import annotations

import resource
import sys

import atheris

with atheris.instrument_imports(
    include=[
        "streams.records.decoder",
        "streams.records.event_reader",
        "streams.records.fields",
        "streams.records.strict_json",
        "streams.records.timestamps",
    ]
):
    from streams.records.decoder import Decoder

from streams.records.events import Click, Erasure, Review, Search
from streams.records.rejection import Rejection

TOPICS = ("reviews", "searches", "clicks", "erasures")
NOW = 1_764_000_000_000
MEMORY_BYTES = 1 << 30
DECODER = Decoder()


def one_input(data: bytes) -> None:
    """Decode one record, its topic chosen by its first byte."""
    topic = TOPICS[data[0] % len(TOPICS)] if data else TOPICS[0]
    outcome = DECODER.decode(topic, b"u1", data[1:], NOW)
    if not isinstance(outcome, Review | Search | Click | Erasure | Rejection):
        raise TypeError(f"expected an event or a rejection, found {type(outcome).__name__}")


if __name__ == "__main__":
    # The engine's own limit reads the peak of resident memory, which a process takes over from the one that
    # started it: a test run that once held more than the limit would fail here whatever is decoded.
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    atheris.Setup([*sys.argv, "-rss_limit_mb=0"], one_input)
    atheris.Fuzz()
