"""One line of what was looked at."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """What was found out about one thing.

    Attributes:
        what: the thing.
        well: whether a worker could go on with it.
        said: what was found, in one line; of a thing that is not well, what was expected and what to do.
        told: whether it could be looked at. What the broker does not tell keeps no worker from starting, so far as
            anybody knows.
    """

    what: str
    well: bool
    said: str
    told: bool = True

    @property
    def verdict(self) -> str:
        """The finding in a word or two, of eight characters at most."""
        return "NOT WELL" if not self.well else "ok" if self.told else "not told"
