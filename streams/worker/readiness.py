"""The reasons why a worker cannot do its work now, in words for `/readyz` and the log."""

from __future__ import annotations

from typing import Final

from streams.worker.flow import Flow
from streams.worker.lifecycle.awaited import awaited

STOPPING: Final = "stopping"
"""The step after the last: the worker was told to end."""

_JOINING: Final = "consumer"
"""The step of a start in which the group is joined and the state recovered."""

_STEPS: Final = {
    "broker": "starting: waiting for the embedded broker to start",
    "topics": "starting: waiting for the broker to tell its topics, and to make those that are missing",
    "stores": "starting: waiting for the online store to answer",
    "models": "starting: waiting for the encoder and the scorer to be loaded",
    STOPPING: "stopping: settling what is applied",
}


class Readiness:
    """Knows what a worker waits for. The event loop looks; any thread may ask."""

    def __init__(self) -> None:
        self._step = ""
        # Whether the worker had started at the last look, and what its app waited for then.
        self._seen: tuple[bool, str] = (False, "")

    @property
    def joining(self) -> bool:
        """Whether a start has come to joining its group, the last step of it."""
        return self._step == _JOINING

    def begin(self, step: str) -> None:
        """Take note of the step that begins."""
        self._step = step

    def look(self, flow: Flow) -> None:
        """Look at what the app of a flow waits for."""
        if self.joining:
            delivering = flow.started and flow.app.consumer.delivering
            self._seen = flow.started, "" if delivering else awaited(flow.app).what

    def missing(self, flow: Flow) -> list[str]:
        """Return what a flow waits for; nothing while it does its work."""
        missing = flow.failing_dependencies()
        had_started, what = self._seen
        if had_started != flow.started:
            what = ""
        if not flow.started:
            joining = f"starting: waiting for {what}" if what else "starting"
            missing.append(_STEPS.get(self._step, joining))
        elif what:
            missing.append(f"joining the group again: waiting for {what}")
        return missing
