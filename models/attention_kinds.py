"""How known encoders score keys by queries: what is done to both before their product, and added to it.

All of it is linear in queries and in keys, so every backward rule takes its derivative, and a rule for
products sees the product of queries and keys alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from assay.models.dense import Dense


class NotOpenError(Exception):
    """A network whose forward pass is not written out; the message is a clause that says what is missing."""


class Prepare(Protocol):
    """What stands before the attention of rows of one length."""

    def __call__(
        self, queries: Tensor, keys: Tensor, added: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """What `BackwardRule.attend` takes.

        Args:
            queries: (B, H, Q, E) of the first Q tokens of every row.
            keys: (B, H, T, E) of all tokens of every row.
            added: (B, 1, 1, T), -inf where a key is padding; None where none is.

        Returns:
            queries, keys, and what is added to their product over sqrt(E): (B or 1, H or 1, Q or 1, T), or
            None.
        """
        ...


class AttentionKind(Protocol):
    """How a layer scores keys by queries."""

    def ready(self, tokens: int, heads: int) -> Prepare:
        """What stands before the attention of rows of at most so many tokens, with what they share."""
        ...


# Makes the kind of a layer from its network and the layer's module. Raises NotOpenError.
MakeKind = Callable[[PreTrainedModel, nn.Module], AttentionKind]


@dataclass(frozen=True, slots=True)
class ByContent:
    """The product of queries and keys alone; positions are in what the first layer reads."""

    def ready(self, tokens: int, heads: int) -> Prepare:
        return _as_they_are


def _as_they_are(queries: Tensor, keys: Tensor, added: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
    return queries, keys, added


def by_content(network: PreTrainedModel, layer: nn.Module) -> ByContent:
    """The kind of BERT's layers."""
    return ByContent()


@dataclass(frozen=True, slots=True, eq=False)
class Rotary:
    """Queries and keys turned by their position (RoPE), and at most `window` tokens to either side read.

    angles: the network's own module, asked with (values for type and device, positions (1, T), `layer_type`).
    window: None where every token is read.
    """

    angles: Callable[[Tensor, Tensor, str], tuple[Tensor, Tensor]]
    layer_type: str
    window: int | None

    def ready(self, tokens: int, heads: int) -> Prepare:
        return self._prepare

    def _prepare(
        self, queries: Tensor, keys: Tensor, added: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        tokens, asked = keys.shape[2], queries.shape[2]
        place = torch.arange(tokens, device=keys.device)
        cosine, sine = (part[:, None] for part in self.angles(keys, place[None], self.layer_type))
        turned = _turned(queries, cosine[:, :, :asked], sine[:, :, :asked]), _turned(keys, cosine, sine)
        if self.window is None or tokens <= self.window + 1:
            return *turned, added
        far = (place[:asked, None] - place).abs() > self.window
        local = torch.zeros(far.shape, dtype=keys.dtype, device=keys.device).masked_fill(far, -torch.inf)
        if added is None:
            return *turned, local[None, None]
        # Padding far from any token would read nothing, and softmax fail; it reads itself, nobody reads it.
        itself = place[:asked, None] == place
        return *turned, (added + local).masked_fill(itself, 0)


def _turned(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    # Numbers of 16 bits are turned in float32, as transformers does.
    wide = x if x.dtype in (torch.float32, torch.float64) else x.float()
    first, second = wide.chunk(2, dim=-1)
    return (wide * cosine + torch.cat([-second, first], dim=-1) * sine).to(x.dtype)


def rotary(network: PreTrainedModel, layer: nn.Module) -> Rotary:
    """The kind of ModernBERT's layers, of which some read all tokens and some their neighbours."""
    config: Any = network.config
    layer_type = str(layer.attention_type)
    turning = str(config.rope_parameters[layer_type]["rope_type"])
    if turning != "default":
        raise NotOpenError(f"positions by RoPE of type {turning!r} are not written out, only 'default'")
    window = int(config.sliding_window) if layer_type == "sliding_attention" else None
    return Rotary(network.base_model.get_submodule("rotary_emb"), layer_type, window)


@dataclass(frozen=True, slots=True, eq=False)
class Disentangled:
    """Scores by content and by distance, which has vectors of its own (He et al., ICLR 2021 and 2023).

    The score of a key is query . key + query . position key + key . position query, the last two of the
    distance from key to query, over sqrt(E x terms). Vectors of positions do not depend on the text.

    Attributes:
        distances: (2 * span, D), the table of vectors by distance.
        norm: their normalisation, or None.
        position_key, position_query: what makes keys and queries of them; None where the term is left out.
        span: distances below it in size have vectors of their own, or share those of their bucket.
        buckets: how many buckets of distances there are to either side; 0 for none.
        farthest: the distance that the last bucket ends at.
    """

    distances: nn.Embedding
    norm: nn.LayerNorm | None
    position_key: Dense | None
    position_query: Dense | None
    span: int
    buckets: int
    farthest: int

    def ready(self, tokens: int, heads: int) -> Prepare:
        # Of the table only the distances that occur.
        lowest, highest = self._row(torch.tensor([1 - tokens, tokens - 1])).tolist()
        with torch.no_grad():
            vectors = self.distances.weight[lowest : highest + 1]
            vectors = vectors if self.norm is None else self.norm(vectors)
            position_keys, position_queries = (
                None if make is None else make(vectors).view(len(vectors), heads, -1).permute(1, 2, 0)
                for make in (self.position_key, self.position_query)
            )
        row = self._row(torch.arange(1 - tokens, tokens, device=vectors.device)) - lowest
        return partial(self._prepare, row, position_keys, position_queries)

    def _prepare(
        self,
        row_of_distance: Tensor,
        position_keys: Tensor | None,
        position_queries: Tensor | None,
        queries: Tensor,
        keys: Tensor,
        added: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """row_of_distance: by distance from the lowest. position_keys, position_queries: (H, E, rows)."""
        asked, width = queries.shape[2:]
        place = torch.arange(keys.shape[2], device=keys.device)
        row = row_of_distance[place[:asked, None] - place + len(row_of_distance) // 2]
        row = row.expand(*queries.shape[:2], -1, -1)
        terms: list[Tensor] = [] if added is None else [added]
        # In float32 as transformers takes it, whatever the type of the model.
        scale = math.sqrt(width) / float(torch.tensor(float(width * self._terms)).sqrt())
        if position_keys is not None:
            terms.append((queries @ position_keys).gather(-1, row) * (scale / math.sqrt(width)))
        if position_queries is not None:
            by_key = (keys @ position_queries).gather(-1, row.transpose(-1, -2)).transpose(-1, -2)
            terms.append(by_key * (scale / math.sqrt(width)))
        return queries * scale, keys, sum(terms[1:], start=terms[0]) if terms else None

    def _row(self, distance: Tensor) -> Tensor:
        """Where in the table the vectors of distances are."""
        if self.buckets > 0:
            distance = distance_buckets(distance, self.buckets, self.farthest)
        return (distance + self.span).clamp(0, 2 * self.span - 1)

    @property
    def _terms(self) -> int:
        return 1 + (self.position_key is not None) + (self.position_query is not None)


def distance_buckets(distance: Tensor, buckets: int, farthest: int) -> Tensor:
    """The bucket of every distance (whole numbers, of either sign): itself up to half the number of buckets,
    on a logarithmic scale beyond."""
    middle = buckets // 2
    size = torch.where(distance.abs() < middle, torch.full_like(distance, middle - 1), distance.abs())
    scale = torch.log(torch.tensor((farthest - 1) / middle))
    beyond = torch.ceil(torch.log(size / middle) / scale * (middle - 1)) + middle
    return torch.where(size <= middle, distance, (beyond * distance.sign()).long())


def disentangled(network: PreTrainedModel, layer: nn.Module) -> Disentangled:
    """The kind of DeBERTa's layers of version 2 and 3."""
    config: Any = network.config
    encoder: Any = network.base_model.get_submodule("encoder")
    if getattr(config, "conv_kernel_size", 0) > 0:
        raise NotOpenError("the convolution behind its first layer is not written out")
    if not config.relative_attention:
        raise NotOpenError("DeBERTa's attention is written out with relative_attention only")
    kinds = set(config.pos_att_type or ())
    own: Any = layer.get_submodule("attention.self")

    def made(kind: str, shared: str, separate: str) -> Dense | None:
        if kind not in kinds:
            return None
        module = own.get_submodule(shared if own.share_att_key else separate)
        assert isinstance(module, nn.Linear)
        return Dense(module)

    distances, norm = encoder.get_submodule("rel_embeddings"), None
    assert isinstance(distances, nn.Embedding)
    if "layer_norm" in encoder.norm_rel_ebd:
        norm = encoder.get_submodule("LayerNorm")
        assert isinstance(norm, nn.LayerNorm)
    return Disentangled(
        distances=distances,
        norm=norm,
        position_key=made("c2p", "key_proj", "pos_key_proj"),
        position_query=made("p2c", "query_proj", "pos_query_proj"),
        span=int(own.pos_ebd_size),
        buckets=max(0, int(own.position_buckets)),
        farthest=int(own.max_relative_positions),
    )
