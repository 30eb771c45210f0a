"""The binding of the remembered state: to a cluster, a number of partitions, and logs that reach as far as it does.

State that speaks of another log must never be used: its offset fence would take new records for records it holds, and
skip them silently.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

import msgspec
from aiokafka import TopicPartition

from streams.broker.connection import new_producer, reaching
from streams.broker.errors.explaining import WRITE
from streams.broker.topics.log_ends import high_watermarks, log_bounds
from streams.broker.topics.provisioning import Cluster
from streams.contract import topic_name
from streams.exceptions import ConfigurationError, LocalStateError, StateMismatchError
from streams.records.placement import added_partitions
from streams.settings import Settings, StateStore
from streams.worker.stage_spec import StageSpec
from streams.worker.state.local_store import Progress

_FILE: Final = "binding.json"

_BEGUN: Final = b"__wherewithal\0begun__"
"""The key of a changelog's first record."""

START_OVER: Final = (
    "set WHEREWITHAL_GROUP to a new name and WHEREWITHAL_STATE_DIR to a new folder to start over from the input that "
    "is still there"
)


def bind(settings: Settings, cluster: Cluster) -> None:
    """Bind the state folder to a cluster, or check that it is bound to this one.

    Raises:
        ConfigurationError: the folder cannot be made or written.
        LocalStateError: there is no room on its disk.
        StateMismatchError: it holds the state of another cluster, or partitions were added.
    """
    if settings.state_store is not StateStore.ROCKSDB or is_bound(settings, cluster):
        return
    path = settings.state_dir / _FILE
    unfinished = path.with_suffix(".partial")
    try:
        settings.state_dir.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(msgspec.json.encode(cluster))
        unfinished.replace(path)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise LocalStateError(
                f"WHEREWITHAL_STATE_DIR: expected room in {settings.state_dir}, found {error.strerror}; make some"
            ) from error
        raise ConfigurationError(
            f"WHEREWITHAL_STATE_DIR: expected a folder that can be written, found {error.strerror} "
            f"({settings.state_dir}); name another, or mend its rights"
        ) from error


def is_bound(settings: Settings, cluster: Cluster) -> bool:
    """Return whether the state folder is bound to this cluster; nothing is written.

    Returns:
        False if it is bound to none yet.

    Raises:
        StateMismatchError: it holds the state of another cluster, or partitions were added.
    """
    path = settings.state_dir / _FILE
    if not path.exists():
        return False
    known = _read(path)
    if known.identity != cluster.identity:
        raise StateMismatchError(
            f"{settings.state_dir} holds state of cluster {known.identity!r}, found cluster {cluster.identity!r}: "
            "set WHEREWITHAL_STATE_DIR to another folder, or remove this one to rebuild it from the changelog"
        )
    if known != cluster:
        raise added_partitions(
            {"the topics": cluster.partitions}, known.partitions, f"the state in {settings.state_dir}"
        )
    return True


def _read(path: Path) -> Cluster:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Cluster)
    except (OSError, msgspec.DecodeError) as error:
        raise StateMismatchError(
            f"{path} cannot be read: remove its folder to rebuild it from the changelog"
        ) from error


async def check_logs(
    settings: Settings, spec: StageSpec, progress: Mapping[int, Progress], committed: Mapping[TopicPartition, int]
) -> dict[int, int]:
    """Check that every log reaches as far as what was applied or committed of it.

    The changelog of a partition that has no state yet gets its first record here. One that is empty beside committed
    offsets was therefore deleted, or made anew, together with the state.

    Args:
        settings: of the stage.
        spec: of the stage.
        progress: of each assigned partition.
        committed: committed offsets of the assigned input partitions.

    Returns:
        The offset of the first record, of the partitions whose changelog got it here.

    Raises:
        BrokerError: the broker cannot be reached or does not answer.
        StateMismatchError: a log ends too early: it was made anew, or a broker in memory was restarted.
    """
    changelogs = [TopicPartition(spec.changelog(settings), number) for number in progress]
    reached = _reached(settings, spec, progress)
    for tp, offset in committed.items():
        reached[tp] = max(offset, reached.get(tp, 0))
    logs = await log_bounds(settings, list(reached))
    _compare(reached, {tp: bounds.end for tp, bounds in logs.items()})
    empty = []
    for changelog in changelogs:
        if logs[changelog].end == 0:
            _check_untouched(changelog, committed)
            empty.append(changelog)
    return await _begin(settings, empty) if empty else {}


async def check_ends(settings: Settings, spec: StageSpec, progress: Mapping[int, Progress]) -> None:
    """Check that no log ends before what was applied of it, the changelog included.

    Raises:
        BrokerError: the broker cannot be reached or does not answer.
        StateMismatchError: one does.
    """
    reached = _reached(settings, spec, progress)
    _compare(reached, await high_watermarks(settings, list(reached)))


def _reached(settings: Settings, spec: StageSpec, progress: Mapping[int, Progress]) -> dict[TopicPartition, int]:
    """The offsets after what the local state holds of each log."""
    reached = {}
    for number, partition in progress.items():
        reached[TopicPartition(spec.changelog(settings), number)] = partition.offset + 1
        for topic, offset in zip(spec.inputs, partition.applied, strict=True):
            reached[TopicPartition(topic_name(settings, topic), number)] = offset + 1
    return reached


def _compare(reached: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]) -> None:
    for tp, offset in reached.items():
        if offset > ends[tp]:
            raise StateMismatchError(
                f"{tp.topic}-{tp.partition} ends at offset {ends[tp]}, but the state remembers {offset}: the topic was "
                f"made anew; {START_OVER}"
            )


def check_beginning(changelog: TopicPartition, start: int, held: int) -> None:
    """Check, before a changelog is read, that it begins no later than what the local state lacks of it.

    Compaction never moves the beginning of a log: retention or an operator did.

    Args:
        changelog: one partition of it.
        start: the offset at which it begins.
        held: the offset up to which the local state has it; -1 for nothing.

    Raises:
        StateMismatchError: it begins behind that.
    """
    if start > held + 1:
        raise StateMismatchError(
            f"{changelog.topic}-{changelog.partition} begins at offset {start}, but the local state has it up to "
            f"{held + 1}: states were deleted from it, by retention or an operator; {START_OVER}"
        )


def _check_untouched(changelog: TopicPartition, committed: Mapping[TopicPartition, int]) -> None:
    for tp, offset in committed.items():
        if offset > 0 and tp.partition == changelog.partition:
            raise StateMismatchError(
                f"{changelog.topic}-{changelog.partition} is empty, but the group has committed "
                f"{tp.topic}-{tp.partition} up to offset {offset}: the changelog was deleted or made anew, and the "
                f"state with it; {START_OVER}"
            )


async def _begin(settings: Settings, changelogs: Collection[TopicPartition]) -> dict[int, int]:
    """Write a tombstone of no key, and return its offset by partition: that the log has begun outlives it."""
    producer = new_producer(settings)
    async with reaching(settings, WRITE):
        await producer.start()
        try:
            sent = [await producer.send(tp.topic, key=_BEGUN, partition=tp.partition) for tp in changelogs]
            return {written.partition: written.offset for written in await asyncio.gather(*sent)}
        finally:
            await producer.stop()
