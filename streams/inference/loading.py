"""The models of a process, loaded once: encoder, projection, scorer, and the identity that binds them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from features.users.catalogue import NAMES, PROFILE_WIDTH
from models.artefact.artefact import Artefact
from models.batching.batcher import MicroBatcher
from models.encoder.bert import BertEncoder, Encoder
from models.exceptions import ArtefactError, DeviceError, ModelsError, PrecisionError
from models.labels.table import LabelTable
from models.profile import Projection, encoder_identity
from models.sentiment.head import PolarityHead
from models.text.cleaning import fingerprint as cleaning_fingerprint
from models.text.noise import fingerprint as noise_fingerprint
from streams.exceptions import ConfigurationError
from streams.inference.active_capacity import Estimating, load_estimating
from streams.inference.active_scorer import Scoring
from streams.inference.labelling import load_labels
from streams.inference.sentiment import load_sentiment
from streams.settings import DEFAULT_ARTEFACT, Settings
from streams.telemetry.metrics import Metrics


@dataclass(frozen=True)
class Inference:
    """The loaded models, which turn texts into vectors and features into scores.

    Attributes:
        batcher: the process-wide micro-batcher.
        projection: P, of the artefact where it was fitted for this encoder, else of the encoder's folder, else a seeded
            orthogonal one.
        encoder: identity of encoder, rules and P (`model.encoder`).
        loaded: the encoder itself.
        artefact: the scorer that the process began with, and what belongs to it.
        fitted: whether the artefact was fitted for this encoder; if not, scores come from behaviour alone.
        labels: the rules behind the labels of a score record.
        currency: of the deployment.
        estimating: what the process began to estimate capacity with; None for nothing.
        sentiment: what reads the polarity of reviews; None where there is no head for this encoder.
    """

    batcher: MicroBatcher
    projection: Projection
    encoder: str
    loaded: Encoder
    artefact: Artefact
    fitted: bool
    labels: LabelTable
    currency: str
    estimating: Estimating | None = None
    sentiment: PolarityHead | None = None

    @property
    def scoring(self) -> Scoring:
        """The scorer that the process began with."""
        return Scoring.of(self.artefact, self.encoder, self.labels, self.fitted, self.currency)

    def read(self, folder: Path) -> Scoring:
        """Return the scorer of another artefact that lies in a folder.

        Raises:
            ArtefactError: it cannot be read, or see `accept`.
            InvalidInputError: it cannot predict.
        """
        return self.accept(Artefact.load(folder))

    def read_capacity(self, folder: Path) -> Estimating:
        """Return what another capacity artefact estimates with, which lies in a folder.

        Raises:
            ArtefactError: it cannot be read, needs a feature that no row has, or was made for other vectors than those
                that are read now.
            InvalidInputError: it cannot estimate.
        """
        strict = self.estimating is not None and self.estimating.fitted
        return load_estimating(folder, self.encoder, strict=strict)

    def accept(self, artefact: Artefact) -> Scoring:
        """Return the scorer of another artefact, if it fits this process.

        Encoder and projection of a running process never change: vectors of two identities must not be mixed.

        Raises:
            ArtefactError: it needs a feature that no row has, or was made for another encoder, another projection or
                another width.
            InvalidInputError: it cannot predict.
        """
        if _fitted(artefact, self.loaded) and artefact.encoder_identity != self.encoder:
            raise ArtefactError(
                f"projection: expected an artefact with the projection in use ({self.encoder}), found "
                f"{artefact.version} for this encoder with another ({artefact.encoder_identity}); restart the workers "
                "with it, one after the other, to roll it out"
            )
        served = artefact.serving(NAMES, self.encoder if self.fitted else None, PROFILE_WIDTH)
        scoring = Scoring.of(served, self.encoder, self.labels, self.fitted, self.currency)
        scoring.try_out()
        return scoring


class _Observing:
    """Attaches the metrics to the micro-batcher."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def batch(self, texts: int, tokens: int, padded_tokens: int, seconds: float) -> None:
        self._metrics.encoder_texts.inc(texts)
        self._metrics.encoder_batch_tokens.observe(tokens)
        self._metrics.encoder_padded_tokens.inc(padded_tokens)
        self._metrics.encoder_batch_seconds.observe(seconds)

    def waited(self, seconds: float) -> None:
        self._metrics.encoder_wait.observe(seconds)

    def queued(self, texts: int) -> None:
        self._metrics.encoder_queue.set(texts)

    def cache(self, hits: int, misses: int) -> None:
        self._metrics.encoder_hits.inc(hits)
        self._metrics.encoder_misses.inc(misses)

    def failed(self) -> None:
        self._metrics.encoder_failures.inc()


def artefact_folder(settings: Settings) -> Path:
    """The folder of the scorer that the settings name."""
    if settings.artefact == DEFAULT_ARTEFACT:
        return Path(str(resources.files("models") / "artefacts" / "default"))
    return Path(settings.artefact)


def identify(encoder: Encoder, projection: Projection) -> str:
    """Return `model.encoder`: vectors of two identities are never mixed."""
    return encoder_identity(
        encoder.name, encoder.weights_digest, cleaning_fingerprint(), noise_fingerprint(), projection
    )


def open_encoder(settings: Settings, threads: int | None = None) -> BertEncoder:
    """Load the encoder that the settings name.

    Args:
        settings: of the encoder, its device and precision.
        threads: that it takes where the settings do not say; None for as many as there are cores.

    Raises:
        EncoderNotFoundError: there is no such encoder here.
        EncoderLoadError: it cannot be used, or not on this device or in this precision.
    """
    return BertEncoder.load(
        settings.encoder,
        settings.device,
        settings.encoder_threads or threads,
        settings.cache_dir,
        settings.encoder_precision,
    )


def load_encoder(settings: Settings, *, offline: bool = False) -> BertEncoder:
    """Load the encoder that the settings name, ready for its first text.

    One core that this process may use is left to the event loop, unless the settings give a number of threads.

    Args:
        settings: of the encoder, its device and precision.
        offline: whether the event loop waits for the texts, so that they may have all cores.

    Raises:
        EncoderNotFoundError: there is no such encoder here.
        EncoderLoadError: it cannot be used, or not on this device or in this precision.
    """
    encoder = open_encoder(settings, _cores() if offline else max(1, _cores() - 1))
    encoder.warm_up()
    return encoder


def load_inference(
    settings: Settings, metrics: Metrics, encoder: Encoder | None = None, *, offline: bool = False
) -> Inference:
    """Load encoder and scorer.

    Args:
        settings: name them.
        metrics: told of both.
        encoder: in place of the one that the settings name.
        offline: see `load_encoder`.

    Raises:
        ConfigurationError: no encoder, scorer or labels where the settings point, or some that cannot be used.
    """
    labels = load_labels(settings)
    with _blaming("WHEREWITHAL_ARTEFACT"):
        artefact = Artefact.load(artefact_folder(settings))
    if encoder is None:
        with _blaming("WHEREWITHAL_ENCODER"):
            encoder = load_encoder(settings, offline=offline)
    with _blaming("WHEREWITHAL_ARTEFACT, WHEREWITHAL_ENCODER"):
        fitted = _fitted(artefact, encoder)
        projection = artefact.projection if fitted else _without_artefact(encoder)
        identity = identify(encoder, projection)
        artefact = artefact.serving(NAMES, identity if fitted else None, PROFILE_WIDTH)
        batcher = MicroBatcher(
            encoder,
            token_budget=settings.token_budget,
            deadline_s=settings.encoder_deadline_ms / 1000,
            queue_texts=settings.encoder_queue_texts,
            queue_bytes=settings.encoder_queue_bytes,
            cache_texts=settings.embedding_cache_texts,
            timeout_s=settings.encoder_timeout_s,
            observer=_Observing(metrics),
        )
    estimating = None
    if settings.capacity_artefact:
        with _blaming("WHEREWITHAL_CAPACITY_ARTEFACT"):
            estimating = load_estimating(Path(settings.capacity_artefact), identity)
        metrics.capacity_model.labels(estimating.version, identity).set(1)
    with _blaming("WHEREWITHAL_SENTIMENT_ARTEFACT"):
        sentiment = load_sentiment(settings.sentiment_artefact, encoder)
    metrics.model.labels(artefact.version, identity).set(1)
    metrics.degraded.set(0 if fitted else 1)
    return Inference(
        batcher, projection, identity, encoder, artefact, fitted, labels, settings.currency, estimating, sentiment
    )


def _without_artefact(encoder: Encoder) -> Projection:
    """Return P of an encoder that no artefact was fitted to: that of its folder, or else a seeded orthogonal one."""
    own = getattr(encoder, "projection", None)
    return own if isinstance(own, Projection) else Projection.orthogonal(encoder.dimension)


def _fitted(artefact: Artefact, encoder: Encoder) -> bool:
    """Tell whether the artefact was fitted for this encoder and these rules for texts."""
    projection = artefact.projection
    return encoder.dimension == projection.dimension and artefact.matches(identify(encoder, projection))


@contextmanager
def _blaming(variables: str) -> Iterator[None]:
    try:
        yield
    except DeviceError as error:
        raise ConfigurationError(f"WHEREWITHAL_DEVICE: {error}") from error
    except PrecisionError as error:
        raise ConfigurationError(f"WHEREWITHAL_ENCODER_PRECISION: {error}") from error
    except ModelsError as error:
        raise ConfigurationError(f"{variables}: {error}") from error


def _cores() -> int:
    # A container or `taskset` may leave the process fewer cores than the machine has; only Linux tells.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
