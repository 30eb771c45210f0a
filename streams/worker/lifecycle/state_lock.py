"""One worker per state folder: two would write over each other's local state."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from streams.exceptions import ConfigurationError, LocalStateError
from streams.settings import Settings, StateStore

_FILE: Final = "lock"


def lock_state(settings: Settings) -> Callable[[], None]:
    """Lock the state folder, made if missing, as long as this process lives or until what is returned is called.

    The system holds the lock, not the file: it is free as soon as the process is gone, however it ended. State in
    memory needs none.

    Raises:
        ConfigurationError: the folder cannot be made or written.
        LocalStateError: another worker has it.
    """
    if settings.state_store is not StateStore.ROCKSDB:
        return _nothing
    folder = settings.state_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / _FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise ConfigurationError(
            f"WHEREWITHAL_STATE_DIR: expected a folder that can be written, found {error.strerror} "
            f"({folder}); name another, or mend its rights"
        ) from error
    try:
        _take(descriptor, folder)
    except BaseException:
        os.close(descriptor)
        raise
    return lambda: os.close(descriptor)


def check_lock(settings: Settings) -> None:
    """Check that no other worker has the state folder; nothing is made, and nothing written.

    Raises:
        ConfigurationError: the lock cannot be opened or taken.
        LocalStateError: another worker has it.
    """
    path = settings.state_dir / _FILE
    if settings.state_store is not StateStore.ROCKSDB or not path.exists():
        return
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigurationError(
            f"WHEREWITHAL_STATE_DIR: expected to open {path}, found {error.strerror}; mend its rights"
        ) from error
    try:
        _lock(descriptor, settings.state_dir)
    finally:
        os.close(descriptor)


def _take(descriptor: int, folder: Path) -> None:
    _lock(descriptor, folder)
    # For the message of a worker that is refused. A full disk has no room for it, and the lock holds all the same.
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        owner = os.read(descriptor, 32).decode(errors="replace").strip()
        raise LocalStateError(
            f"WHEREWITHAL_STATE_DIR: expected a folder of this worker's own, found {folder} in use by another "
            f"(process {owner or 'unknown'}); give each worker a folder of its own, or end the other first"
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"WHEREWITHAL_STATE_DIR: expected a file system with locks, found {error.strerror} ({folder}); name a "
            "folder on another"
        ) from error


def _nothing() -> None:
    """There is nothing to unlock."""
