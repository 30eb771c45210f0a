"""The Prometheus metrics of one process, in a registry of their own."""

from __future__ import annotations

from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

# These would double the series with the time at which each began, which no rule or dashboard uses.
disable_created_metrics()  # type: ignore[no-untyped-call]

_SUFFIXES: Final = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}


class MetricSet:
    """The metrics of a process: of its processor, memory and files, its interpreter, and those that are made here.

    Args:
        prefix: begins the names of those that are made here.

    Attributes:
        registry: holds them all.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, GCCollector, PlatformCollector):
            collector(registry=self.registry)

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        """Make a counter. Labels have a bounded number of values."""
        return Counter(f"{self._prefix}_{name}", text, labels, registry=self.registry)

    def gauge(self, name: str, text: str, *labels: str) -> Gauge:
        """Make a gauge, as `counter`."""
        return Gauge(f"{self._prefix}_{name}", text, labels, registry=self.registry)

    def names(self) -> set[str]:
        """Return every series name that `/metrics` can show."""
        found: set[str] = set()
        for family in self.registry.collect():
            found.update(family.name + suffix for suffix in _SUFFIXES.get(family.type, ("",)))
        return found
