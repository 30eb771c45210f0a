"""Passes on an NVIDIA GPU, each shape recorded once as a CUDA graph; copies run beside the computation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    from models.encoder.passes.buckets import Bucket


class GraphPasses:
    """Replays one graph a pass, on one stream; each caller's copies have a lane with a stream of its own.

    All graphs share their memory, for no two run at once. Nothing is allocated once a shape has been recorded.

    Args:
        means: from a shape and a layout int32[bucket.size] to float32[bucket.texts, width], without any step that
            looks at what it computes.
        largest: no pass is larger.
        width: of an embedding.
        device: a CUDA device.
        lanes: the most passes under way at once; a further caller waits.
    """

    def __init__(
        self,
        means: Callable[[Bucket, Tensor], Tensor],
        largest: Bucket,
        width: int,
        *,
        device: torch.device,
        lanes: int,
    ) -> None:
        self._means = means
        self._device = device
        self._turn = Lock()
        self._graphs: dict[Bucket, tuple[torch.cuda.CUDAGraph, Tensor]] = {}
        self._lanes: SimpleQueue[_Lane] = SimpleQueue()
        with torch.cuda.device(device), torch.inference_mode():
            self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            self._pool = torch.cuda.graph_pool_handle()
            self._layout = torch.zeros(largest.size, dtype=torch.int32, device=device)
            for _ in range(lanes):
                self._lanes.put(_Lane(largest, width, device))
            torch.cuda.synchronize()

    def run(self, bucket: Bucket, layout: NDArray[np.int32], texts: int) -> NDArray[np.float32]:
        """Return float32[texts, width], the means of a layout int32[bucket.size]."""
        lane = self._lanes.get()
        try:
            # Both are each thread's own.
            with torch.cuda.device(self._device), torch.inference_mode():
                return self._run(lane, bucket, layout, texts)
        finally:
            self._lanes.put(lane)

    def warm_up(self, buckets: Sequence[Bucket]) -> None:
        """Record the graphs of these shapes."""
        for bucket in buckets:
            self.run(bucket, np.zeros(bucket.size, dtype=np.int32), 0)

    def _run(self, lane: _Lane, bucket: Bucket, layout: NDArray[np.int32], texts: int) -> NDArray[np.float32]:
        # A pass that failed may have left a copy under way.
        lane.stream.synchronize()
        lane.host_layout[: bucket.size].copy_(torch.from_numpy(layout))
        with torch.cuda.stream(lane.stream):
            lane.layout[: bucket.size].copy_(lane.host_layout[: bucket.size], non_blocking=True)
        with self._turn, torch.cuda.stream(self._stream):
            graph, means = self._graph(bucket)
            self._stream.wait_stream(lane.stream)
            self._layout[: bucket.size].copy_(lane.layout[: bucket.size])
            graph.replay()
            # The next pass may overwrite what this one made.
            lane.means[:texts].copy_(means[:texts])
            lane.stream.wait_stream(self._stream)
        with torch.cuda.stream(lane.stream):
            lane.host_means[:texts].copy_(lane.means[:texts], non_blocking=True)
            lane.done.record()
        lane.done.synchronize()
        return lane.host_means[:texts].numpy().copy()

    def _graph(self, bucket: Bucket) -> tuple[torch.cuda.CUDAGraph, Tensor]:
        """Return the graph of a shape and the tensor of its means; records the graph the first time."""
        if bucket not in self._graphs:
            layout = self._layout[: bucket.size].zero_()
            # Once unrecorded: libraries set themselves up on their first call, which a graph must not hold.
            self._means(bucket, layout)
            graph = torch.cuda.CUDAGraph()
            # Other threads copy and wait meanwhile, which is no fault of this recording.
            with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
                means = self._means(bucket, layout)
            self._graphs[bucket] = (graph, means)
        return self._graphs[bucket]


class _Lane:
    """The buffers that one pass is copied through: pinned on the host, or copies would wait for other work."""

    def __init__(self, largest: Bucket, width: int, device: torch.device) -> None:
        self.host_layout = torch.empty(largest.size, dtype=torch.int32, pin_memory=True)
        self.layout = torch.empty(largest.size, dtype=torch.int32, device=device)
        self.means = torch.empty(largest.texts, width, device=device)
        self.host_means = torch.empty(largest.texts, width, pin_memory=True)
        self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        # A thread that waits sleeps, and leaves its core to the event loop.
        self.done = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]


def flash_attention(queries: Tensor, keys: Tensor, values: Tensor, starts: Tensor, longest: int) -> Tensor:
    """Attend within each text, by `models.encoder.passes.bucketed.Attend`."""
    from torch.nn.attention.varlen import varlen_attn

    attended = varlen_attn(queries, keys, values, starts, starts, longest, longest, scale=1.0)
    return cast("Tensor", attended)
