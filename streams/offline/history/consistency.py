"""Comparing served rows with a history: each logged row against a fold of the events, value by value.

A row may have fewer events than the history holds by its T, because events arrived late. That must be shown: the state
behind the row held the first events of each topic to arrive. So some first events of each topic, as many as the row's
revision in all, must give the row exactly. If none do, the row is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing
from itertools import islice, product
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from features.observation import EVENT_SOURCES, Observation, Source
from features.users.catalogue import NAMES, SCALARS
from features.users.point_in_time import Folded, Snapshot, snapshot_of
from features.users.row import scalars
from features.users.state import UserState
from streams.exceptions import ConfigurationError
from streams.offline.history.comparison import VECTOR_TOLERANCE, Difference, Report
from streams.offline.history.folding import History, User
from streams.offline.history.log_parts import ROWS_AT_ONCE, sampled_share
from streams.telemetry.served_log import EMITTED_AT, is_sampled

MAX_CUTS: Final = 1000
"""How many combinations of first events are tried for one row. A row that none of them explains is wrong."""

# The features that the events of one topic alone decide.
_COLUMNS: Final = {
    source: [place for place, scalar in enumerate(SCALARS) if scalar.sources == {source}] for source in EVENT_SOURCES
}


_TASTE: Final = ("taste_vector", "titles_waiting")

NOT_LOGGED: Final = "not logged"
"""In place of a value that a part of the log does not hold, for the release that wrote it did not know the feature."""


class Logged(NamedTuple):
    """A row of the log: `scalars` in the order of `NAMES`, `profile` and `taste` float[64], `emitted_at` ms.

    `taste` is None where a release wrote the part that knew no titles, and where titles were still to be read.
    """

    instant: int
    revision: int
    emitted_at: int
    encoder: str
    scalars: list[Any]
    profile: list[float]
    taste: list[float] | None


def read_log(parts: Sequence[Path]) -> Iterator[tuple[str, Logged]]:
    """Yield each row with its user.

    Raises:
        ConfigurationError: a part cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    fixed = ("user_id", "event_time", "revision", EMITTED_AT, "encoder", "profile_vector")
    for part in parts:
        try:
            file = pq.ParquetFile(part)
            held = set(file.schema_arrow.names)
            known = [*fixed, *(name for name in (*NAMES, *_TASTE) if name in held)]
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=known):
                columns = [
                    batch[name].to_pylist() if name in known else [NOT_LOGGED] * len(batch)
                    for name in (*fixed, *_TASTE, *NAMES)
                ]
                for user_id, instant, revision, emitted_at, encoder, profile, taste, waiting, *values in zip(
                    *columns, strict=True
                ):
                    # With titles to be read, it is not what the history says.
                    whole = taste if waiting == 0 else None
                    yield user_id, Logged(instant, revision, emitted_at, encoder, values, profile, whole)
        except (OSError, KeyError, pa.ArrowException) as error:
            raise ConfigurationError(f"{part}: expected a part of the log of what was served, found none") from error


def features_not_logged(parts: Sequence[Path]) -> list[str]:
    """Return the names of the features that some part lacks, for an earlier release wrote it.

    Raises:
        ConfigurationError: a part cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    missing: set[str] = set()
    for part in parts:
        try:
            held = set(pq.read_schema(part).names)
        except (OSError, pa.ArrowException) as error:
            raise ConfigurationError(f"{part}: expected a part of the log of what was served, found none") from error
        logged = [name for name in NAMES if name in held]
        # New features come last: a part that lacks others is no part of this log.
        if not logged or logged != list(NAMES[: len(logged)]):
            raise ConfigurationError(f"{part}: expected a part of the log of what was served, found none")
        missing.update(NAMES[len(logged) :])
    return [name for name in NAMES if name in missing]


async def compare(history: History, parts: Sequence[Path], encoder: str, limit: int) -> Report:
    """Compare a log with a history.

    Args:
        history: a history on which `gather` was not called yet.
        parts: the parts of the log.
        encoder: the identity of the encoder that reads the history.
        limit: the number of differences and users to name.
    """
    report = Report(limit, share=sampled_share(parts), features_not_logged=features_not_logged(parts))
    history.gather()
    for user_id, row in read_log(parts):
        history.note(user_id, row)
    async with aclosing(history.users()) as users:
        async for user in users:
            _compare_user(user, encoder, report)
    return report


def _compare_user(user: User, encoder: str, report: Report) -> None:
    rows = [Logged(*row) for row in user.notes]
    if not rows:
        if user.folded.applied and is_sampled(user.user_id, report.share):
            report.missing += 1
            report.name(report.missing_keys, user.user_id)
        return
    offline = {found.instant: found for found in user.folded.snapshots(sorted({row.instant for row in rows}))}
    for row in rows:
        report.logged += 1
        report.vectors_not_compared += row.encoder != encoder
        _judge(user, row, offline.get(row.instant), encoder, report)


def _judge(user: User, row: Logged, found: Snapshot | None, encoder: str, report: Report) -> None:
    differing = {} if found is None else _differences(row, found, encoder)
    if found is not None and not differing:
        report.equal += 1
    elif found is not None and row.revision < found.revision and _is_cut(user.folded, row, encoder):
        report.late += 1
    elif user.erased:
        report.erased += 1
    elif found is None:
        report.extra += 1
        report.name(report.extra_keys, user.user_id)
    else:
        report.mismatches += 1
        if len(report.differences) < report.limit:
            place = (user.user_id, row.instant, row.revision, row.emitted_at)
            report.differences.append(Difference(*place, differing))


def _differences(row: Logged, found: Snapshot, encoder: str) -> dict[str, tuple[Any, Any]]:
    served = {"revision": row.revision, **dict(zip(NAMES, row.scalars, strict=True))}
    offline = {"revision": found.revision, **dict(zip(NAMES, found.scalars, strict=True))}
    differing = {
        name: (value, offline[name]) for name, value in served.items() if value not in (offline[name], NOT_LOGGED)
    }
    if row.encoder == encoder:
        for name, logged, folded in (
            ("profile_vector", row.profile, found.profile),
            ("taste_vector", row.taste, found.taste),
        ):
            if logged is not None and not np.allclose(
                np.asarray(logged, np.float32), folded, rtol=0, atol=VECTOR_TOLERANCE
            ):
                differing[name] = (logged, folded.tolist())
    return differing


def _is_cut(folded: Folded, row: Logged, encoder: str) -> bool:
    """Tell whether some first events of each topic, as many as the row's revision in all, give the row."""
    arrived = folded.applied_by(row.instant)
    by_source = {source: [seen for seen in arrived if seen.source == source] for source in EVENT_SOURCES}
    fitting = {source: _fitting(by_source[source], source, row, encoder) for source in EVENT_SOURCES}
    for lengths in islice(_cuts(fitting, row.revision), MAX_CUTS):
        cut = [seen for source, length in lengths.items() for seen in by_source[source][:length]]
        if not _differences(row, snapshot_of(cut, row.instant, encoder), encoder):
            return True
    return False


def _fitting(arrived: Sequence[Observation], source: Source, row: Logged, encoder: str) -> list[int]:
    """Return the numbers of first events of a topic that agree with the features that it alone decides."""
    columns = [place for place in _COLUMNS[source] if row.scalars[place] != NOT_LOGGED]
    wanted = [row.scalars[place] for place in columns]
    state, fitting = UserState(), []
    for length in range(len(arrived) + 1):
        if length:
            state.apply(arrived[length - 1], encoder)
        values = scalars(state, row.instant)
        if [values[place] for place in columns] == wanted:
            fitting.append(length)
    return fitting


def _cuts(fitting: Mapping[Source, Sequence[int]], revision: int) -> Iterator[dict[Source, int]]:
    clicks = set(fitting[Source.CLICKS])
    # If many numbers agree, the largest are the most likely: nearly all events had arrived.
    for reviews, searches in product(reversed(fitting[Source.REVIEWS]), reversed(fitting[Source.SEARCHES])):
        rest = revision - reviews - searches
        if rest in clicks:
            yield {Source.REVIEWS: reviews, Source.SEARCHES: searches, Source.CLICKS: rest}
