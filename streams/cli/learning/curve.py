"""The curve of a training run, as it grows: on the screen, and for TensorBoard where it is wanted."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from streams.exceptions import ConfigurationError

Watch = Callable[[dict[str, float]], None]


def curve(folder: Path | None, show: Watch) -> tuple[Watch, Callable[[], None]]:
    """Return a function that shows a point of the curve, and one that ends the curve."""
    if folder is None:
        return show, lambda: None
    if importlib.util.find_spec("tensorboard") is None:
        raise ConfigurationError("--log-dir: expected tensorboard, found none: run `pip install wherewithal[finetune]`")
    from torch.utils.tensorboard import SummaryWriter

    writer: Any = SummaryWriter(str(folder))

    def watch(point: dict[str, float]) -> None:
        show(point)
        for name, value in point.items():
            writer.add_scalar(name, value, int(point["step"]))

    return watch, writer.close
