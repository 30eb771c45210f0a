"""How long tests wait for what is to come."""

from __future__ import annotations

from typing import Final

PATIENCE_S: Final = 300.0
"""Outlasted by what hangs, and by nothing that is only slow: the machine may have other work."""
