"""A local database that cannot be used: removed and made anew, for the changelog holds all that it held."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from rocksdb.errors import Corruption, InvalidArgument, RocksIOError

from streams.exceptions import DamagedStateError, LocalStateError
from streams.log import log

_MARK: Final = "DAMAGED"


def open_or_remake(path: Path, open_: Callable[[], Any]) -> Any:
    """Open the database in a folder; one that is damaged is removed first, and opened empty.

    `open_` may read as well as open, to find damage early. A database that is locked, or that the disk refuses, is
    not damaged.

    Raises:
        LocalStateError: it is locked, or the disk refuses it.
    """
    if not (path / _MARK).exists():
        try:
            return open_()
        except (Corruption, InvalidArgument, RocksIOError) as error:
            if isinstance(error, RocksIOError) and "No such file" not in str(error):
                raise disk_error(path, error) from error
            reason = type(error).__name__
    else:
        reason = "damage found when it was read"
    log.warning("local state cannot be used, rebuilding it from the changelog", folder=path.name, reason=reason)
    shutil.rmtree(path)
    return open_()


def disk_error(path: Path, error: RocksIOError) -> LocalStateError:
    """Return the error to raise for what RocksDB was refused below `path`."""
    found = error.args[0] if error.args else ""
    text = found.decode(errors="replace") if isinstance(found, bytes) else str(found)
    # RocksDB tells first where it was, the system's own words come last.
    return LocalStateError(
        f"WHEREWITHAL_STATE_DIR: expected to write the local state in {path}, found {text.rpartition(': ')[2]}; "
        "check the free space, the rights, and that no other worker has this folder"
    )


def mark_damaged(path: Path) -> DamagedStateError:
    """Have a database that was found damaged made anew when it is opened next; return the error to raise."""
    (path / _MARK).touch()
    return DamagedStateError(
        f"expected sound local state in {path.name}, found damaged blocks: "
        "start the worker again, which rebuilds it from the changelog"
    )
