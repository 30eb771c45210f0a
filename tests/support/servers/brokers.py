"""The broker that the tests of a process share; each test has topics and groups of its own on it."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from uuid import uuid4

_PREFIX = "WHEREWITHAL_TOPIC_PREFIX"
_flows = itertools.count()


def fresh_prefix() -> str:
    """Return what no other test's topics begin with."""
    return f"t{uuid4().hex[:8]}-"


@dataclass(frozen=True)
class Broker:
    """A shared broker as one test sees it.

    Attributes:
        url: for the setting `broker`.
        topic_prefix: of the topics and groups that are this test's alone.
    """

    url: str
    topic_prefix: str

    @property
    def environment(self) -> dict[str, str]:
        """For a command in a process of its own."""
        return {"WHEREWITHAL_BROKER": self.url, _PREFIX: self.topic_prefix}


def another_prefix() -> str:
    """Return a prefix within the test's own, for a flow that has nothing in common with its other ones."""
    return f"{os.environ.get(_PREFIX, '')}{next(_flows)}-"
