"""The Prometheus metrics of a process that re-keys, in one registry of its own: none of them is a worker's."""

from __future__ import annotations

from typing import Final

from streams.telemetry.metric_set import MetricSet

TAKEN: Final = "taken"
LEFT_OUT: Final = "left_out"
REFUSED: Final = "refused"
"""What becomes of a record of a source, whole or in part. Of a record that is refused in part, events are sent too."""


class RekeyMetrics(MetricSet):
    """All metrics of `rekey`. Labels have a bounded number of values."""

    def __init__(self) -> None:
        super().__init__("wherewithal_rekey")
        counter, gauge = self.counter, self.gauge
        self.records = counter("records", "Records of a source by what became of them", "source", "outcome")
        self.events = counter("events", "Events that the broker acknowledged, by input", "topic")
        self.dead_letters = counter("dead_letters", "Rejected records by reason", "reason")
        self.left_out = counter("left_out", "Records of which no event is made, by why", "why")
        self.lost_input = counter("lost_input_records", "Records deleted before they were read, at most", "source")
        self.dead_letters_cut = counter("dead_letters_cut", "Dead letters that their topic took only cut")
        self.dead_letters_refused = counter("dead_letters_refused", "Dead letters of which their topic took nothing")
        self.throttled_seconds = counter("throttled_seconds", "Seconds of waiting that client quotas asked for")
        self.lag_messages = gauge(
            "lag_messages", "Records not settled; absent while it is not known", "source", "partition"
        )
        self.lag_seconds = gauge(
            "lag_seconds",
            "Age of the last record taken in while more are waiting, of the first that waits while none was",
            "source",
            "partition",
        )
        self.ready = gauge("ready", "1 while this process reads its partitions")
