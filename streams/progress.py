"""What long work tells how far it is to."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int | None], None]
"""Takes the name of a step, the amount done, and the whole amount if it is known. 0 of 1 just begins a step."""
