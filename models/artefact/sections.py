"""The sections of a model card, put together as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def joined(sections: Mapping[str, Sequence[str]]) -> str:
    """Return a page of the paragraphs under each title; the first title is that of the page."""
    parts: list[str] = []
    for position, (title, paragraphs) in enumerate(sections.items()):
        parts += [f"{'#' if position == 0 else '##'} {title}", *paragraphs]
    return "\n\n".join(parts) + "\n"
