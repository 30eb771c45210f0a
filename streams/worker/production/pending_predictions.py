"""The file of predictions that wait for their outcome: in the state folder, replaced as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from streams.log import log


class Pending(msgspec.Struct, frozen=True, gc=False):
    """A prediction whose 30 days are not over.

    Attributes:
        made_at: T, ms.
        expected_spend: money, over the next 30 days.
        decile: of the score, 0..9.
        scorer: version that made it.
        spent: lifetime net spend at T, micro-units; may be negative.
        life: of the user's state; another one means that the user was erased since.
    """

    user_id: str
    made_at: int
    expected_spend: float
    decile: int
    scorer: str
    spent: int
    life: int


def read_pending(path: Path) -> list[Pending]:
    """Return what was written, or nothing where there is no file or a damaged one, which the log says."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Pending])
    except FileNotFoundError:
        return []
    except (OSError, msgspec.DecodeError) as error:
        # It holds no state of the contract: a worker must start without it.
        log.warning("pending predictions cannot be read, live calibration begins anew", error=type(error).__name__)
        return []


def write_pending(path: Path, pending: Sequence[Pending]) -> None:
    """Replace the file.

    Raises:
        OSError: the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".partial")
    unfinished.write_bytes(msgspec.json.encode(pending))
    unfinished.replace(path)
