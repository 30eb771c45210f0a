"""How many of the shop's categories the scorer lists, told when they are few."""

from __future__ import annotations

from typing import Final

from streams.log import log
from streams.telemetry.tally import Tally

LEAST_EVENTS: Final = 1000
"""Applied events with a category that are judged together."""

FEW: Final = 0.5
"""Below this share of listed ones, tags and interests leave out most of what shoppers look at."""


class KnownCategories:
    """Looks at the events applied since it last judged.

    Args:
        tally: counts them.
    """

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._few = False
        self.begin()

    def begin(self) -> None:
        """Judge events from now on, as another scorer has another list."""
        self._named, self._unlisted = self._tally.named, self._tally.unlisted

    def look(self, scorer: str) -> None:
        """Judge, if enough events came; say it when it changes."""
        named, unlisted = self._tally.named - self._named, self._tally.unlisted - self._unlisted
        if named < LEAST_EVENTS:
            return
        self.begin()
        few = named - unlisted < FEW * named
        if few and not self._few:
            log.warning(
                "few of the shop's categories are known to the scorer, tags and interests leave the others out",
                scorer=scorer,
                events=named,
                unlisted=unlisted,
            )
        elif self._few and not few:
            log.info("most of the shop's categories are known to the scorer", scorer=scorer)
        self._few = few
