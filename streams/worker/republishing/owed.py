"""A note in the state folder that the online store lacks rows, until all of them were published again."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from streams.log import log

_FILE: Final = "online-store-incomplete"


class Owed:
    """Remembers across restarts that everything is to be published: a store is found empty only once.

    State in memory needs no folder that can be written. Without one, a restart forgets the note.

    Args:
        folder: of the local state; made with the note if it is not there.

    Attributes:
        pending: whether rows may be missing from the online store.
    """

    def __init__(self, folder: Path) -> None:
        self._note = folder / _FILE
        self.pending = self._note.exists()

    def note(self) -> None:
        """Note that rows may be missing."""
        self.pending = True
        try:
            self._note.parent.mkdir(parents=True, exist_ok=True)
            self._note.touch()
        except OSError as error:
            log.warning("a restart would forget that the online store lacks rows", error=str(error))

    def settle(self) -> None:
        """Forget the note: everything was published."""
        self.pending = False
        try:
            self._note.unlink(missing_ok=True)
        except OSError as error:
            log.warning("a restart will publish everything again", error=str(error))
