"""The reasons why a worker cannot do its work now, in words for `/readyz` and the log."""

from __future__ import annotations

from typing import Final

from streams.worker.flow import Flow
from streams.worker.lifecycle.awaited import awaited
from streams.worker.stages.stage import Stage

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
        """Look at what the stages of a flow wait for."""
        if self.joining:
            waiting = (_awaited(stage, of_two=len(flow.stages) > 1) for stage in flow.stages)
            self._seen = flow.started, next(filter(None, waiting), "")

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


def _awaited(stage: Stage, *, of_two: bool) -> str:
    """Return what a stage waits for; empty while it does its work."""
    if stage.joined and stage.app.consumer.delivering:
        return ""
    what = awaited(stage.app).what
    return f"{what}, of {stage.spec.name}" if of_two else what
