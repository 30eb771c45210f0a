"""A local database that cannot be used: removed and made anew, for the changelog holds all that it held."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from rocksdb.errors import Corruption, InvalidArgument, RocksIOError

from streams.exceptions import DamagedStateError
from streams.log import log

_MARK: Final = "DAMAGED"


def open_or_remake(path: Path, open_: Callable[[], Any]) -> Any:
    """Open the database in a folder; one that is damaged is removed first, and opened empty.

    `open_` may read as well as open, to find damage early. A database that is locked, or that the disk refuses, is
    not damaged: its error is passed on.
    """
    if not (path / _MARK).exists():
        try:
            return open_()
        except (Corruption, InvalidArgument, RocksIOError) as error:
            if isinstance(error, RocksIOError) and "No such file" not in str(error):
                raise
            reason = type(error).__name__
    else:
        reason = "damage found when it was read"
    log.warning("local state cannot be used, rebuilding it from the changelog", folder=path.name, reason=reason)
    shutil.rmtree(path)
    return open_()


def mark_damaged(path: Path) -> DamagedStateError:
    """Have a database that was found damaged made anew when it is opened next; return the error to raise."""
    (path / _MARK).touch()
    return DamagedStateError(
        f"expected sound local state in {path.name}, found damaged blocks: "
        "start the worker again, which rebuilds it from the changelog"
    )
