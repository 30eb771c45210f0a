"""BERT's layers over rows, each row a token of some text; the caller decides which rows attend to each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from models.encoder.passes.dense import Dense

if TYPE_CHECKING:
    from torch import Tensor


class PlainBert(NamedTuple):
    """A plain BERT as tensors alone, each where it is in a model of transformers, in float32 on the CPU."""

    config: Any
    embeddings: Any
    encoder: Any


class BertLayers:
    """The hidden states of a plain BERT (Devlin et al. 2019, section 3), but for attention.

    Keeps the embedding tables and what `make_dense` makes of the layers' weights, not the model.

    Args:
        model: one that `is_plain_bert` accepts.
        make_dense: makes a dense layer of a weight [out, in] and a bias [out].

    Attributes:
        width: of a hidden state.
        heads: of attention, each width / heads wide.
        longest: the most tokens of a text.
        vocabulary: token ids are below it.
    """

    def __init__(self, model: Any, make_dense: Callable[[Tensor, Tensor], Dense]) -> None:
        config, tables = model.config, model.embeddings
        self.width = int(config.hidden_size)
        self.heads = int(config.num_attention_heads)
        self._words: Tensor = tables.word_embeddings.weight
        # Every token is of the first kind, so that kind and position are one table.
        self._positions: Tensor = tables.position_embeddings.weight + tables.token_type_embeddings.weight[0]
        self.vocabulary, self.longest = len(self._words), len(self._positions)
        self._norm = _Norm.of(tables.LayerNorm)
        scale = (self.width // self.heads) ** -0.5
        self._layers = [_Layer.of(module, scale, make_dense) for module in model.encoder.layer]

    def hidden(self, ids: Tensor, positions: Tensor, attend: Callable[[Tensor], Tensor]) -> Tensor:
        """Return the last hidden states.

        Args:
            ids: int[rows], of the tokens.
            positions: int[rows], of the tokens in their texts.
            attend: from [rows, 3 x width], the scaled queries, the keys and the values of all heads, to [rows, width].

        Returns:
            [rows, width], of the model's type.
        """
        from torch.nn.functional import embedding

        x = self._norm(embedding(ids, self._words) + embedding(positions, self._positions))
        for layer in self._layers:
            x = layer.attention_norm(layer.attention.plus(attend(layer.heads(x)), x))
            x = layer.output_norm(layer.output.plus(layer.intermediate.gelu(x), x))
        return x


def is_plain_bert(model: Any) -> bool:
    """Whether a model is a BERT that `BertLayers` computes, whatever its type and device.

    Args:
        model: of transformers, or a `PlainBert`.
    """
    if isinstance(model, PlainBert):
        return True
    from transformers import BertModel

    config = model.config
    return (
        type(model) is BertModel
        and config.hidden_act == "gelu"
        and getattr(config, "position_embedding_type", "absolute") == "absolute"
        and not getattr(config, "is_decoder", False)
        and not getattr(config, "add_cross_attention", False)
        # An adapter or a quantiser puts layers of its own in their places.
        and all(type(module).__module__.startswith(("torch.nn.", "transformers.")) for module in model.modules())
    )


class _Norm(NamedTuple):
    """Layer normalisation over the last axis."""

    weight: Tensor
    bias: Tensor
    epsilon: float

    @classmethod
    def of(cls, module: Any) -> _Norm:
        return cls(module.weight, module.bias, float(module.eps))

    def __call__(self, x: Tensor) -> Tensor:
        from torch.nn.functional import layer_norm

        return layer_norm(x, self.weight.shape, self.weight, self.bias, self.epsilon)


class _Layer(NamedTuple):
    """The weights of one transformer layer.

    Attributes:
        heads: to queries, keys and values in one product, the queries scaled already.
        attention: from what all heads have seen.
    """

    heads: Dense
    attention: Dense
    attention_norm: _Norm
    intermediate: Dense
    output: Dense
    output_norm: _Norm

    @classmethod
    def of(cls, module: Any, scale: float, make_dense: Callable[[Tensor, Tensor], Dense]) -> _Layer:
        import torch

        inner, outer = module.attention.self, module.attention.output
        weights = [inner.query.weight * scale, inner.key.weight, inner.value.weight]
        biases = [inner.query.bias * scale, inner.key.bias, inner.value.bias]
        return cls(
            make_dense(torch.cat(weights), torch.cat(biases)),
            make_dense(outer.dense.weight, outer.dense.bias),
            _Norm.of(outer.LayerNorm),
            make_dense(module.intermediate.dense.weight, module.intermediate.dense.bias),
            make_dense(module.output.dense.weight, module.output.dense.bias),
            _Norm.of(module.output.LayerNorm),
        )
