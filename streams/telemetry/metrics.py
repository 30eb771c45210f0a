"""The Prometheus metrics of a worker, in one registry of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from prometheus_client import Histogram
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from streams.telemetry.metric_set import MetricSet

LATENCY_BUCKETS_S: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0),
)
DISTANCES: Final = (0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0)
TOKEN_BUCKETS: Final = (32, 64, 128, 256, 512, 768, 1024, 1536, 2048, 4096, 8192)


class BatchHistogram(Collector):
    """A histogram that takes a whole batch of observations in one vectorised step.

    Prometheus' own histogram takes about a microsecond an observation, which is too much for every event.
    """

    def __init__(self, name: str, documentation: str, buckets: Iterable[float]) -> None:
        self.name = name
        self._documentation = documentation
        self._bounds = np.asarray(tuple(buckets))
        self._counts = np.zeros(len(self._bounds) + 1, np.int64)
        self._sum = 0.0

    def observe(self, values: ArrayLike) -> None:
        """Add observations, in the unit of the name."""
        observed = np.asarray(values, np.float64)
        where = np.searchsorted(self._bounds, observed, side="left")
        self._counts += np.bincount(where, minlength=len(self._counts))
        self._sum += float(observed.sum())

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """Yield the family for the registry."""
        cumulative = np.cumsum(self._counts).tolist()
        bounds = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        family = HistogramMetricFamily(self.name, self._documentation)
        family.add_metric([], list(zip(bounds, cumulative, strict=True)), sum_value=self._sum)
        return [family]


class Metrics(MetricSet):
    """All metrics of a worker. Names carry their unit; labels have a bounded number of values."""

    def __init__(self) -> None:
        super().__init__("wherewithal")
        registry, counter, gauge = self.registry, self.counter, self.gauge

        def histogram(name: str, text: str, buckets: Iterable[float] = LATENCY_BUCKETS_S) -> Histogram:
            return Histogram(f"wherewithal_{name}", text, buckets=tuple(buckets), registry=registry)

        def batched(name: str, text: str, buckets: Iterable[float] = LATENCY_BUCKETS_S) -> BatchHistogram:
            made = BatchHistogram(f"wherewithal_{name}", text, buckets)
            registry.register(made)
            return made

        self.events = counter("events", "Input records by topic and by what became of them", "topic", "outcome")
        self.lost_input = counter("lost_input_records", "Records deleted before they were taken in, at most", "topic")
        self.dead_letters = counter("dead_letters", "Rejected records by reason", "reason")
        self.dead_letters_cut = counter("dead_letters_cut", "Dead letters that their topic took only cut")
        self.throttled_seconds = counter("throttled_seconds", "Seconds of waiting that client quotas asked for")
        self.dead_letters_refused = counter("dead_letters_refused", "Dead letters of which their topic took nothing")
        self.events_ahead = counter(
            "events_ahead", "Accepted events whose time is ahead of the worker's clock", "topic"
        )
        self.records_ahead = counter(
            "records_ahead", "Records whose Kafka timestamp is ahead of the worker's clock", "topic"
        )
        self.event_to_features = batched(
            "event_to_features_seconds", "From a record's Kafka timestamp to its row in the online store"
        )
        self.event_to_score = batched(
            "event_to_score_seconds", "From a record's Kafka timestamp to the acknowledgement of its score"
        )
        self.encoder_batch_tokens = histogram(
            "encoder_batch_tokens", "Tokens in a batch of the encoder, padding left out", TOKEN_BUCKETS
        )
        self.encoder_padded_tokens = counter("encoder_padded_tokens", "Tokens computed by the encoder, with padding")
        self.encoder_texts = counter("encoder_texts", "Texts the encoder has embedded")
        self.encoder_batch_seconds = histogram("encoder_batch_seconds", "Time of one forward pass")
        self.encoder_queue = gauge("encoder_queue_texts", "Texts waiting for the encoder")
        self.encoder_wait = histogram("encoder_queue_wait_seconds", "Time a text waited for the encoder")
        self.encoder_hits = counter("encoder_cache_hits", "Texts answered from the embedding cache")
        self.encoder_misses = counter("encoder_cache_misses", "Texts not in the embedding cache")
        self.encoder_failures = counter("encoder_failures", "Batches the encoder failed on")
        self.titles_read = counter("titles_read", "Distinct titles that were read, by what came of it", "outcome")
        self.titles_waited = counter("titles_waited", "Clicks whose titles were not known yet, and had to wait")
        self.waiting_titles = gauge("waiting_titles", "Clicks that are applied and whose titles wait", "partition")
        self.title_wait = gauge("title_wait_seconds", "For how long the first of them has waited", "partition")
        self.waiting_item_titles = gauge("waiting_item_titles", "Items whose titles are to be read", "partition")
        self.clicks_paused = gauge("clicks_paused", "1 while clicks wait since too many titles do", "partition")
        self.clicks_pauses = counter("clicks_pauses", "Times that clicks had to wait for titles", "partition")
        self.online_write_seconds = histogram("online_write_seconds", "Time of one write to the online store")
        self.online_rows = counter("online_rows", "Rows of users and items written to the online store")
        self.online_fenced = counter("online_fenced", "Rows refused because the store holds a newer one")
        self.online_failures = counter("online_failures", "Writes the online store refused")
        self.served_log_rows = counter("served_log_rows", "Rows written to the log of what was served")
        self.served_log_dropped = counter("served_log_dropped", "Rows missing from the log of what was served")
        self.lag_messages = gauge(
            "consumer_lag_messages",
            "Records not settled; absent while it is not known",
            "topic",
            "partition",
        )
        self.lag_seconds = gauge(
            "consumer_lag_seconds",
            "Age of the last record taken in while more are waiting, of the first that waits while none was",
            "topic",
            "partition",
        )
        self.table_bytes = gauge("table_bytes", "Bytes of the states in the local store", "stage", "partition")
        self.decay_backlog = gauge(
            "decay_backlog_keys", "Users or items due to be published again by the clock", "stage", "partition"
        )
        self.decay_lateness = gauge(
            "decay_lateness_seconds", "For how long the longest due of them has been due", "stage", "partition"
        )
        self.reset = counter(
            "reset_keys", "Users or items published again because their record was ahead of the clock", "stage"
        )
        self.foreign_records = counter(
            "foreign_records",
            "Records that somebody else wrote into the changelog or the published topics of an assigned partition",
        )
        self.recovered = counter("state_recovered", "Changelog records read to rebuild the local store")
        self.scores = counter("scores", "Score records acknowledged by the broker")
        self.facts_sent = counter("facts_sent", "Facts of items acknowledged by the broker, each place once")
        self.facts_applied = counter("facts_applied", "Facts applied to items, each place once")
        self.facts_repeated = counter("facts_repeated", "Facts that their items held already")
        self.facts_refused = counter("facts_refused", "Facts left out of their batch, as no event can have given them")
        self.signals = counter("item_signals", "Signal records of items acknowledged by the broker")
        self.estimates = counter("capacity_records", "Records of purchasing capacity acknowledged by the broker")
        self.capacity_model = gauge("capacity_info", "1 for the capacity artefact in use", "scorer", "encoder")
        self.risk_items = gauge(
            "risk_items", "Items whose reviews are to be looked at, by the foremost evidence", "evidence"
        )
        self.model = gauge("model_info", "1 for the models in use", "scorer", "encoder")
        self.model_fit = gauge("model_fit_info", "1 for what the scorer is found to be to this shop", "fit")
        self.category_events = counter(
            "category_events", "Applied events with a category, by whether the scorer lists it", "listed"
        )
        self.artefact_refused = counter("artefact_refused", "Artefacts found and not taken over", "role")
        self.refreshed = counter("refreshed_users", "Users scored anew because a new artefact took over")
        self.republished = counter("republished_users", "Users published again on request, or for want of rows")
        self.republished_items = counter("republished_items", "Items published again on request, or for want of rows")
        self.shadow_model = gauge("shadow_info", "1 for the shadow in use", "scorer")
        self.shadow_difference = batched(
            "shadow_difference", "Distance of the shadow's prediction (log1p of money) from the live one", DISTANCES
        )
        self.shadow_scores = counter(
            "shadow_scores", "Users scored by the shadow too, by its tier beside the live one", "tier"
        )
        self.shadow_failures = counter("shadow_failures", "Shadows put out of use because they failed")
        self.drift = gauge("drift_psi", "Population stability index against the training rows", "feature")
        self.drift_users = gauge("drift_sample_users", "Users behind the next indices")
        calibration = ("scorer", "decile")
        self.calibration_predicted = counter(
            "calibration_predicted", "Money predicted 30 days before, of judged predictions", *calibration
        )
        self.calibration_actual = counter("calibration_actual", "Money then spent, of judged predictions", *calibration)
        self.calibration_judged = counter("calibration_judged", "Predictions judged after 30 days", *calibration)
        self.calibration_unjudged = counter("calibration_unjudged", "Predictions dropped without a judgement")
        self.calibration_pending = gauge("calibration_pending_users", "Users whose prediction waits to be judged")
        self.degraded = gauge("degraded", "1 while scores come from behaviour alone")
        self.ready = gauge("ready", "1 while this worker has recovered its partitions and serves them")
