"""A picture of what was printed, as an SVG that fetches nothing."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Final

from rich.console import Console

WIDTH: Final = 92
"""Columns of the picture: wide enough that the page looks as on a terminal, narrow enough to be read in a README."""

_WEB_FONT: Final = re.compile(r"@font-face\s*\{[^}]*\}\s*")


def picture(show: Callable[[Console], None], title: str) -> str:
    """Return an SVG of what is printed; the same print gives the same text.

    Args:
        show: prints to the console that it is given.
        title: in the bar of the window drawn.
    """
    console = Console(
        file=io.StringIO(), record=True, width=WIDTH, force_terminal=True, color_system="truecolor", no_color=False
    )
    show(console)
    # The picture says what font it would like; a page that fetched it would tell somebody else of its reader.
    return _WEB_FONT.sub("", console.export_svg(title=title, unique_id="wherewithal"))
