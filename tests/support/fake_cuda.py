"""Stands in for `torch.cuda` where there is no GPU: streams do nothing, and a graph replays the steps it recorded.

A replay runs each recorded operator again on the same memory, as a CUDA graph does: so a step that had looked at what
it computes would show, for it would not look again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten


class _Recording(TorchDispatchMode):
    def __init__(self, steps: list[tuple[Any, Any, Any, Any]]) -> None:
        super().__init__()
        self._steps = steps

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        self._steps.append((func, args, kwargs or {}, made))
        return made


class _Graph:
    def __init__(self, cuda: FakeCuda) -> None:
        self._cuda = cuda
        self.steps: list[tuple[Any, Any, Any, Any]] = []

    def replay(self) -> None:
        self._cuda.replays += 1
        for func, args, kwargs, made in self.steps:
            again = func(*args, **kwargs)
            for old, new in zip(tree_flatten(made)[0], tree_flatten(again)[0], strict=True):
                # A view and a result in place are the same memory already.
                if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


class _Stream:
    def __init__(self, device: object = None) -> None:
        pass

    def synchronize(self) -> None:
        pass

    def wait_stream(self, other: _Stream) -> None:
        pass


class _Event:
    def __init__(self, blocking: bool = False) -> None:
        self._recorded = False

    def record(self) -> None:
        self._recorded = True

    def synchronize(self) -> None:
        assert self._recorded


class FakeCuda:
    """What `models.encoder.passes.cuda_graphs` uses of `torch.cuda`, and how often it recorded and replayed."""

    Stream, Event = _Stream, _Event

    def __init__(self) -> None:
        self.recordings = self.replays = 0

    def CUDAGraph(self) -> _Graph:
        return _Graph(self)

    def graph_pool_handle(self) -> tuple[int, int]:
        return (0, 0)

    def synchronize(self) -> None:
        pass

    def device(self, device: torch.device) -> AbstractContextManager[None]:
        return nullcontext()

    def stream(self, stream: _Stream) -> AbstractContextManager[None]:
        return nullcontext()

    @contextmanager
    def graph(self, graph: _Graph, *, pool: Any, stream: _Stream, capture_error_mode: str) -> Iterator[None]:
        assert capture_error_mode == "thread_local"
        self.recordings += 1
        with _Recording(graph.steps):
            yield


class FakeTorch:
    """`torch`, but for CUDA and pinned memory, which it pretends to have."""

    def __init__(self) -> None:
        self.cuda = FakeCuda()

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)

    def empty(self, *shape: int, pin_memory: bool = False, **options: Any) -> torch.Tensor:
        return torch.empty(*shape, **options)
