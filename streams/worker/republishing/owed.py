"""A note in the state folder that the online store lacks users, until all of them were published again."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_FILE: Final = "online-store-incomplete"


class Owed:
    """Remembers across restarts that users are to be published: a store is found empty only once.

    Args:
        folder: of the local state; made with the note if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self._note = folder / _FILE

    @property
    def pending(self) -> bool:
        """Whether users may be missing from the online store."""
        return self._note.exists()

    def note(self) -> None:
        """Note that users may be missing."""
        self._note.parent.mkdir(parents=True, exist_ok=True)
        self._note.touch()

    def settle(self) -> None:
        """Forget the note: every user was published."""
        self._note.unlink(missing_ok=True)
