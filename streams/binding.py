"""What the remembered state is bound to: a cluster, a number of partitions, and logs that reach as far as it does.

State that speaks of another log must never be used: its offset fence would take new records for records it holds, and
skip them silently.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from aiokafka import TopicPartition

from features.observation import Source
from streams.exceptions import ConfigurationError, LocalStateError, StateMismatchError
from streams.kafka import Cluster, changelog_name, topic_name
from streams.log_ends import high_watermarks
from streams.settings import Settings, StateStore
from streams.table import Progress

_FILE: Final = "binding.json"


def bind(settings: Settings, cluster: Cluster) -> None:
    """Bind the state folder to a cluster, or check that it is bound to this one.

    Raises:
        ConfigurationError: the folder cannot be made or written.
        LocalStateError: there is no room on its disk.
        StateMismatchError: it holds the state of another cluster or partition count.
    """
    if settings.state_store is not StateStore.ROCKSDB:
        return
    path = settings.state_dir / _FILE
    if path.exists():
        known = _read(path)
        if known != cluster:
            raise StateMismatchError(
                f"{settings.state_dir} holds state of cluster {known.identity!r} with {known.partitions} partitions, "
                f"found cluster {cluster.identity!r} with {cluster.partitions}: set WHEREWITHAL_STATE_DIR to another "
                "folder, or remove this one to rebuild it from the changelog"
            )
        return
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


def _read(path: Path) -> Cluster:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Cluster)
    except (OSError, msgspec.DecodeError) as error:
        raise StateMismatchError(
            f"{path} cannot be read: remove its folder to rebuild it from the changelog"
        ) from error


async def check_logs(
    settings: Settings, progress: Mapping[int, Progress], committed: Mapping[TopicPartition, int]
) -> None:
    """Check that no log ends before what was applied or committed of it, the changelog included.

    Args:
        settings: of the cluster.
        progress: of each assigned partition.
        committed: committed offsets of the assigned input partitions.

    Raises:
        StateMismatchError: one does: the topic was made anew, or a broker in memory was restarted.
    """
    reached = dict(committed)
    for number, partition in progress.items():
        reached[TopicPartition(changelog_name(settings), number)] = partition.offset + 1
        for source, offset in zip(Source, partition.applied, strict=True):
            tp = TopicPartition(topic_name(settings, source.name.lower()), number)
            reached[tp] = max(offset + 1, reached.get(tp, 0))
    ends = await high_watermarks(settings, list(reached))
    for tp, offset in reached.items():
        if offset > ends[tp]:
            raise StateMismatchError(
                f"{tp.topic}-{tp.partition} ends at offset {ends[tp]}, but the state remembers {offset}: the topic was "
                "made anew; set WHEREWITHAL_GROUP to a new name and WHEREWITHAL_STATE_DIR to a new folder to start over"
            )
