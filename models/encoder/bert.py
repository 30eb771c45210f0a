"""From text to a mean-pooled BERT embedding: the protocol of an encoder, and the one that runs on transformers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.encoder.files import digest as digest
from models.encoder.files import max_tokens, prompt, verified_digest
from models.encoder.locate import locate
from models.encoder.own_projection import own_projection
from models.encoder.passes.choice import forward_of
from models.encoder.passes.dense import Precision
from models.encoder.pretrained import pretrained
from models.exceptions import DeviceError
from models.profile import Projection

if TYPE_CHECKING:
    import torch


class Encoder(Protocol):
    """Turns texts to tokens and tokens to vectors. Called from one thread at a time.

    Attributes:
        name: short name for people, without a path.
        dimension: width of an embedding.
        max_tokens: the most tokens of one text, special tokens included.
        weights_digest: hex SHA-256 of what decides an embedding; equal digests mean comparable vectors.
        packed: whether a batch costs its tokens and no padding (see `models.batching.batch_forming`).
        passes: the most calls of `embed` that may be under way at once, >= 1. Above 1 each comes from a thread of its
            own, and another thread may be tokenising meanwhile.
        token_budget: the tokens of a pass that keeps the device busy, >= 1; more only holds up the next text.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def dimension(self) -> int: ...  # noqa: D102
    @property
    def max_tokens(self) -> int: ...  # noqa: D102
    @property
    def weights_digest(self) -> str: ...  # noqa: D102
    @property
    def packed(self) -> bool: ...  # noqa: D102
    @property
    def passes(self) -> int: ...  # noqa: D102
    @property
    def token_budget(self) -> int: ...  # noqa: D102

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text, special tokens included, truncated to `max_tokens`."""
        ...

    def embed(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return mean-pooled, not normalised float32[n, dimension] of n token lists, in one forward pass."""
        ...

    def warm_up(self) -> None:
        """Pay the costs of the first passes before the first text waits for one."""
        ...


class BertEncoder:
    """A BERT-like transformer with mean pooling over a text's tokens; made by `load`.

    A plain BERT runs without padding, on the CPU (`models.encoder.passes.packed`) and on a GPU new enough
    (`models.encoder.passes.bucketed`); any other model runs padded.

    Mean pooling: sum over tokens of hidden state / number of tokens, special tokens included and padding
    left out (Reimers and Gurevych 2019, Sentence-BERT, section 3).
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        name: str,
        max_tokens: int,
        weights_digest: str,
        device: torch.device,
        prompt: str = "",
        precision: Precision = "float32",
        projection: Projection | None = None,
    ) -> None:
        self.name = name
        self.projection = projection
        self.dimension = int(model.config.hidden_size)
        self.max_tokens = max_tokens
        self.weights_digest = weights_digest
        self.device = device
        self._tokenizer = tokenizer
        self._prompt = prompt
        self._forward = forward_of(model, int(tokenizer.pad_token_id or 0), device, precision)

    @property
    def packed(self) -> bool:
        """Whether a batch costs its tokens, and no padding."""
        return self._forward.packed

    @property
    def passes(self) -> int:
        """How many passes may be under way at once."""
        return self._forward.passes

    @property
    def token_budget(self) -> int:
        """The tokens of a pass that keeps the device busy."""
        return self._forward.token_budget

    @classmethod
    def load(
        cls,
        name: str,
        device: str = "auto",
        threads: int | None = None,
        cache: Path | None = None,
        precision: Precision = "float32",
    ) -> BertEncoder:
        """Load an encoder from this machine's files; the network is never asked.

        Args:
            name: what `models.encoder.locate.locate` takes: a bundled name, a folder, a cached model.
            device: `auto` (a GPU when there is one), `cpu`, `cuda` or `cuda:N`. A GPU computes in bfloat16
                and pools in float32; the CPU computes in float32.
            threads: CPU threads of one forward pass, for the whole process; None leaves torch's choice.
            cache: folder of converted encoders; None is the user's.
            precision: of a plain BERT's products on the CPU. Any but float32 gives other vectors, and so another
                `weights_digest`.

        Raises:
            EncoderNotFoundError: there is no such encoder here.
            EncoderLoadError: its files cannot be used, or lack weights.
            DeviceError: the device is not there.
            PrecisionError: it has no such precision.
        """
        # Both libraries read it once, on import.
        os.environ["HF_HUB_OFFLINE"] = "1"
        # Torch reads it once too. Its threads would else spin while they wait for each other, on cores that others
        # need, above all the event loop.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        folder = locate(name, cache)
        import torch

        if threads is not None:
            torch.set_num_threads(threads)
        place = _device(device)
        identity = verified_digest(folder)
        model, tokenizer = pretrained(folder, place)
        return cls(
            model,
            tokenizer,
            name=Path(name).expanduser().resolve().name,
            max_tokens=max_tokens(folder, getattr(model.config, "max_position_embeddings", None)),
            weights_digest=identity if precision == "float32" else _in_precision(identity, precision),
            device=place,
            prompt=prompt(folder),
            precision=precision,
            projection=own_projection(folder),
        )

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text behind the prompt, special tokens included, truncated to `max_tokens`."""
        if not texts:
            return []
        encoded = self._tokenizer(
            [self._prompt + text for text in texts],
            truncation=True,
            max_length=self.max_tokens,
            padding=False,
            return_attention_mask=False,
            return_token_type_ids=False,
        )
        return [list(tokens) for tokens in encoded["input_ids"]]

    def embed(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return the embeddings of a batch, in one forward pass.

        Args:
            batch: n lists of 1..max_tokens token ids; texts of like length cost the least.

        Returns:
            float32[n, dimension], mean-pooled over the real tokens, not normalised.
        """
        if not batch:
            return np.zeros((0, self.dimension), dtype=np.float32)
        return self._forward.embed(batch)

    def warm_up(self) -> None:
        """Run one short and one full-length text, so that memory and kernels are ready; prepare all fixed shapes."""
        self._forward.warm_up()
        short, *_ = self.tokenize(["warm up"])
        self.embed([short])
        self.embed([(short * self.max_tokens)[: self.max_tokens]])


def _in_precision(identity: str, precision: Precision) -> str:
    return sha256(f"{identity}\0{precision}".encode()).hexdigest()


def _device(wanted: str) -> torch.device:
    import torch

    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise DeviceError(f"expected device auto, cpu, cuda or cuda:N, found {wanted!r}: name one") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(
            f"expected a GPU for device {wanted!r}, found {torch.cuda.device_count()}: use `auto` or `cpu`"
        )
    return device
