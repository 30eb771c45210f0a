"""The models of a worker, loaded on a thread beside its other work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from models.encoder.bert import Encoder
from streams.inference.loading import Inference, load_inference
from streams.settings import DEFAULT_LABELS, Settings
from streams.telemetry.metrics import Metrics


class Models:
    """Loads the models, at once or when told to, and stops the encoder once they are not needed any more.

    Args:
        settings: of the worker.
        metrics: told which models are in use.
        encoder: in place of the one that the settings name.
        at_once: whether to begin now.
    """

    def __init__(self, settings: Settings, metrics: Metrics, encoder: Encoder | None, at_once: bool) -> None:
        self._begun = asyncio.Event()
        if at_once:
            self.begin()
        self._loading = asyncio.create_task(self._load(settings, metrics, encoder), name="models")

    def begin(self) -> None:
        """Begin to load; a second call does nothing."""
        self._begun.set()

    async def given_to(self, equip: Callable[[Inference], None]) -> None:
        """Call `equip` with the models once they are loaded and the encoder is ready for texts.

        Raises:
            ConfigurationError: no encoder, scorer or labels where the settings point, or some that cannot be used.
        """
        equip(await asyncio.shield(self._loading))

    async def stop(self) -> None:
        """Stop the encoder, or wait for it no more."""
        self._loading.cancel()
        await asyncio.wait({self._loading})
        # An error of theirs is retrieved here even if another ended the start before it was asked for.
        if not self._loading.cancelled() and self._loading.exception() is None:
            await self._loading.result().batcher.stop()

    async def _load(self, settings: Settings, metrics: Metrics, encoder: Encoder | None) -> Inference:
        await self._begun.wait()
        if not settings.runs_users:
            # Items need the encoder and the projection of the artefact, and nothing of what scores users.
            settings = settings.model_copy(update={"labels": DEFAULT_LABELS, "capacity_artefact": ""})
        inference = await asyncio.to_thread(load_inference, settings, metrics, encoder)
        await inference.batcher.start()
        return inference
