"""An encoder that learns: the transformer, its trained weights, and the linear head on its pooled tokens."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoModel, AutoTokenizer, PreTrainedModel
from transformers.utils import logging

from models.encoder.passes.packed import PackedForward, can_pack
from models.encoder.passes.padded import PaddedForward
from models.exceptions import EncoderLoadError
from models.finetuning.options import Options
from models.libraries import FINETUNE, library

TOKEN_LEAST: Final = 3
"""Occurrences from which a token's embedding is trained: a rarer one teaches its own text by heart."""


TOKENS_AT_ONCE: Final = 1024
"""About the tokens of one pass of evaluation; more is slower on a CPU, which then takes its memory anew."""


class Head(NamedTuple):
    """y = weight e + bias on a mean-pooled embedding e.

    Attributes:
        weight: float64[dimension].
        bias: number.
    """

    weight: NDArray[np.float64]
    bias: float


class Adapted(torch.nn.Module):
    """A transformer with mean pooling and a linear head; made by `load`.

    Attributes:
        model: of transformers, or of peft around one.
        head: the linear layer.
        padding: the id that fills a row up.
        device: where it computes.
        mixed: whether products of a forward pass are in bfloat16, which needs no scaling of the loss; weights,
            gradients of weights and pooling stay in float32.
    """

    def __init__(self, model: Any, padding: int, device: torch.device) -> None:
        super().__init__()
        self.model = model
        self.head = torch.nn.Linear(int(model.config.hidden_size), 1)
        self.padding = padding
        self.device = device
        self.mixed = device.type == "cuda"
        self.to(device)

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> Adapted:
        """Load an encoder in float32, not trained yet.

        Args:
            folder: of the encoder.
            device: where to compute.

        Raises:
            EncoderLoadError: its files cannot be used.
        """
        model, tokenizer = pretrained(folder)
        return cls(model, int(tokenizer.pad_token_id or 0), device)

    def adapt(self, options: Options, seen: Iterable[Sequence[int]]) -> None:
        """Choose the weights to train: all, or adapters and the embeddings of tokens that were seen.

        Args:
            options: `full`, `rank`, `precision` and `seed` are used.
            seen: token ids of the training texts.
        """
        self.mixed = has_bfloat16(self.device) if options.precision is None else options.precision == "bfloat16"
        for name, weight in self.model.named_parameters():
            weight.requires_grad = "pooler." not in name
        if options.full:
            return
        peft = library("peft", FINETUNE)
        counts = Counter(token for tokens in seen for token in set(tokens))
        often = sorted(token for token, count in counts.items() if count >= TOKEN_LEAST)
        modules = dict(self.model.named_modules())
        table = next(name for name, module in modules.items() if module is self.model.get_input_embeddings())
        linear = [
            name for name, module in modules.items() if isinstance(module, torch.nn.Linear) and "pooler" not in name
        ]
        torch.manual_seed(options.seed)
        self.model = peft.get_peft_model(
            self.model,
            peft.LoraConfig(
                r=options.rank,
                lora_alpha=2 * options.rank,
                target_modules=linear,
                trainable_token_indices={table: often} if often else None,
            ),
        )

    def trained(self) -> dict[str, torch.nn.Parameter]:
        """Return what is trained, by name."""
        return {name: weight for name, weight in self.named_parameters() if weight.requires_grad}

    def token_rows(self) -> dict[str, torch.nn.Parameter]:
        """Return the embeddings of single tokens that are trained beside adapters, by name."""
        return {name: weight for name, weight in self.trained().items() if "trainable_tokens" in name}

    def set_head(self, head: Head) -> None:
        """Begin with a head that was fitted before."""
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(head.weight)[None])
            self.head.bias.fill_(head.bias)

    def get_head(self) -> Head:
        """Return a copy of the head."""
        return Head(self.head.weight[0].detach().cpu().double().numpy().copy(), float(self.head.bias.detach()))

    def rows(self, batch: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Return the ids, int64[n, longest], and which of them are no padding, int64[n, longest]."""
        longest = max(map(len, batch))
        ids = torch.tensor([[*tokens, *[self.padding] * (longest - len(tokens))] for tokens in batch])
        real = torch.arange(longest) < torch.tensor([len(tokens) for tokens in batch])[:, None]
        return ids.to(self.device), real.long().to(self.device)

    def forward(self, embedded: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """Pool and predict.

        Args:
            embedded: float32[n, tokens, width], the tokens' embeddings.
            real: int64[n, tokens], 0 for padding.

        Returns:
            float32[n, dimension], mean-pooled; float32[n], the head's predictions from it.
        """
        with self.precision():
            hidden = self.model(inputs_embeds=embedded, attention_mask=real).last_hidden_state
        weights = real.unsqueeze(-1).float()
        pooled = (hidden.float() * weights).sum(1) / weights.sum(1)
        return pooled, self.head(pooled).squeeze(-1)

    def embedded(self, ids: Tensor) -> Tensor:
        """Return the embeddings of token ids, float32[n, tokens, width]."""
        result: Tensor = self.model.get_input_embeddings()(ids)
        return result

    def precision(self) -> AbstractContextManager[Any]:
        """Return the context of the forward pass."""
        return torch.autocast(self.device.type, torch.bfloat16) if self.mixed else nullcontext()

    def snapshot(self) -> Any:
        """Return a copy of the plain transformer with the adapters folded into its weights, ready to embed."""
        model = copy.deepcopy(self.model)
        if not isinstance(model, PreTrainedModel):
            model = model.merge_and_unload()
        return model.eval().requires_grad_(False)


def pretrained(folder: Path) -> tuple[Any, Any]:
    """Load model (float32, on the CPU) and tokenizer of an encoder's folder.

    Raises:
        EncoderLoadError: its files cannot be used.
    """
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        model, loaded = AutoModel.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            attn_implementation="sdpa",
            dtype=torch.float32,
            output_loading_info=True,
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise EncoderLoadError(
            f"expected a BERT-like model in {folder}, found files that do not load ({type(error).__name__}): "
            "save or copy the model anew"
        ) from error
    # transformers fills what is missing with random numbers, which would end up in the output.
    missing = sorted(loaded["missing_keys"])
    if any("pooler." not in key for key in missing):
        raise EncoderLoadError(f"expected every weight in {folder}, found some missing: save or copy the model anew")
    if missing:
        model.pooler = None
    return model, tokenizer


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 faster than float32: a GPU, or a CPU with instructions for it."""
    if device.type == "cuda":
        return True
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def embed_all(model: Any, tokens: Sequence[Sequence[int]], padding: int, device: torch.device) -> NDArray[np.float64]:
    """Embed texts as a worker would.

    Args:
        model: of transformers, in evaluation mode, on `device`.
        tokens: n lists of token ids.
        padding: the id that fills a row up.
        device: where the model is.

    Returns:
        float64[n, dimension], mean-pooled, not normalised.
    """
    packed = device.type == "cpu" and can_pack(model)
    forward = PackedForward(model) if packed else PaddedForward(model, padding=padding, device=device)
    order = np.argsort([len(one) for one in tokens], kind="stable")
    lengths = np.cumsum([len(tokens[index]) for index in order])
    embeddings = np.zeros((len(tokens), int(model.config.hidden_size)))
    for batch in np.split(order, np.flatnonzero(np.diff(lengths // TOKENS_AT_ONCE)) + 1):
        embeddings[batch] = forward.embed([tokens[index] for index in batch])
    return embeddings
