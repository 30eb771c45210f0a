"""Events of the micro-batcher for its metrics."""

from __future__ import annotations

from typing import Protocol


class BatchObserver(Protocol):
    """Receives the batcher's events; every method is called on the event loop and must return at once."""

    def batch(self, texts: int, tokens: int, padded_tokens: int, seconds: float) -> None:
        """`texts` embeddings were made, of `tokens` tokens, at the cost of `padded_tokens`, in `seconds`."""

    def waited(self, seconds: float) -> None:
        """A text waited this long from being queued until its batch began."""

    def queued(self, texts: int) -> None:
        """This many texts are now queued or being encoded, at most `queue_texts`."""

    def cache(self, hits: int, misses: int) -> None:
        """Of the texts just asked for, `hits` cost no pass of their own: cached, or in flight already."""

    def failed(self) -> None:
        """A pass of the encoder raised, gave no usable answer, or outran its time."""


class NullObserver:
    """Listens to nothing."""

    def batch(self, texts: int, tokens: int, padded_tokens: int, seconds: float) -> None:
        """Ignore it."""

    def waited(self, seconds: float) -> None:
        """Ignore it."""

    def queued(self, texts: int) -> None:
        """Ignore it."""

    def cache(self, hits: int, misses: int) -> None:
        """Ignore it."""

    def failed(self) -> None:
        """Ignore it."""
