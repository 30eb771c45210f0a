"""Text that others wrote, made fit for a terminal: shown as characters, never obeyed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.text import Text

_OBEYED: Final = re.compile(
    # Controls, among them the escape that begins a sequence, and its one-character form of the C1 set.
    "[\x00-\x1f\x7f-\x9f"
    # What reorders the line: marks, embeddings, overrides, isolates.
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
    # What breaks it, or is not seen: separators, a zero-width space or no-break space, an interlinear annotation.
    "\u2028\u2029\u00ad\u200b\u2060-\u2064\ufeff\ufff9-\ufffb"
    # Half a character, which cannot be written; and tags, which are letters that nobody sees.
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def shown(text: object) -> str:
    r"""Return a text for a terminal, on one line: what a terminal would obey or hide stands as `\u001b`.

    A JSON document stays the same document, because JSON writes these characters in the same way.
    """
    return _OBEYED.sub(_escaped, str(text))


def literal(text: object) -> Text:
    """Return a text for a table of rich, which finds neither markup nor emoji in it."""
    from rich.text import Text

    return Text(shown(text))


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x1_0000:
        return f"\\u{code:04x}"
    code -= 0x1_0000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
