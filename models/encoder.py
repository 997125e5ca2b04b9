"""Encoders written out step by step: no row is padded, and the last layer answers for one token only.

The classifier reads the first token of the last layer, so there the other tokens' queries and feed-forward
blocks are not computed; one that reads the mean of all tokens has no such shortcut. Rows of equal length
attend together, without a mask. `assay.models.encoder_reading` finds the modules.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from assay.models.attention_kinds import AttentionKind
from assay.models.backward_rule import BackwardRule, Hook, no_hook
from assay.models.concept_layer import CONCEPTS, ConceptLayer, decide
from assay.models.dense import Dense
from assay.models.row_layout import Group, RowLayout, unpad
from assay.models.varlen import attend_at_once, kernel_for, reads_content_alone


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """The modules of one layer. A norm that is None is left out; gate: as of `LayerLayout`."""

    query: Dense
    key: Dense
    value: Dense
    merge: Dense
    widen: Dense
    narrow: Dense
    gate: Dense | None
    before_attention: nn.LayerNorm | None
    after_attention: nn.LayerNorm | None
    before_feed_forward: nn.LayerNorm | None
    after_feed_forward: nn.LayerNorm | None
    attention: AttentionKind


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """`hidden` and `output` with the elementwise function `squash` and maybe a norm between them.

    mean: whether it reads the mean of all tokens of the last layer, not the first. dropout: in training.
    """

    hidden: Dense
    squash: str
    norm: nn.LayerNorm | None
    output: Dense | ConceptLayer
    mean: bool
    dropout: float

    def vector(self, states: Tensor, rule: BackwardRule) -> Tensor:
        """(B, D) what the topmost layer reads, from what the head reads (B, D)."""
        squashed = rule.elementwise(self.squash, self.hidden(states))
        return _normalised(self.norm, squashed, rule)


@dataclass(frozen=True, slots=True, eq=False)
class Encoder:
    """Layers and the head.

    project: applied to every token before the first layer; it is linear, so the gradients of the embedding
    block's output need no other place for it. last_norm: behind the last layer.
    """

    layers: tuple[Layer, ...]
    heads: int
    activation: str
    head: Head
    project: Dense | None = None
    last_norm: nn.LayerNorm | None = None

    def refresh(self) -> None:
        """Have weights laid out anew that were changed since, see `Dense.refresh`."""
        for dense in _dense(self):
            dense.refresh()

    @property
    def token_layers(self) -> tuple[str, ...]:
        """As `layers` of assay.models.protocol.OpenModel."""
        below = len(self.layers) + self.head.mean
        return ("embedding", *(f"layer_{number}" for number in range(1, below)))

    @property
    def text_layers(self) -> tuple[str, ...]:
        """As `text_layers` of assay.models.protocol.OpenModel: the last layer has the first token only."""
        through = isinstance(self.head.output, ConceptLayer) and self.head.output.through
        lowest = "pooled" if self.head.mean else f"layer_{len(self.layers)}"
        return lowest, "head", *([CONCEPTS] if through else [])

    @property
    def steps(self) -> frozenset[str]:
        """As `steps` of assay.models.protocol.OpenModel."""
        own = {self.activation, self.head.squash}
        if any(layer.gate is not None for layer in self.layers):
            own.add("multiply")
        return frozenset({*own, "attend", "matmul", "softmax", "merge", "normalise"})

    def logits(
        self,
        entry: Tensor,
        attention: Tensor,
        rule: BackwardRule,
        hook: Hook,
        lengths: NDArray[np.integer] | None = None,
    ) -> Tensor:
        """(B, K) logits from what the first layer reads (B, T, D) and where tokens are (B, T).

        Without a hook rows are cut to their tokens. lengths: as of `Batch`.
        """
        rows, width, _ = entry.shape
        if hook is no_hook:
            states, layout = unpad(entry, attention, lengths)
        else:
            states = hook("embedding", entry).flatten(0, 1)
            layout = RowLayout.padded(attention, entry.dtype)
        if self.project is not None:
            states = self.project(states)
        for number, layer in enumerate(self.layers, start=1):
            last = number == len(self.layers)
            first_only = last and not (rule.every_query or self.head.mean)
            states = self._run(layer, number, states, layout, rule, first_only=first_only)
            if last:
                if not (first_only or self.head.mean):
                    states = states[layout.firsts]
                states = _normalised(self.last_norm, states, rule)
            if last and not self.head.mean:
                states = hook(f"layer_{number}", states)
            elif hook is not no_hook:
                states = hook(f"layer_{number}", states.view(rows, width, -1)).flatten(0, 1)
        if self.head.mean:
            states = hook("pooled", _mean(states, layout.groups))
        vector = hook("head", self.head.vector(states, rule))
        return decide(self.head.output, vector, rule, hook)

    def _run(
        self,
        layer: Layer,
        number: int,
        states: Tensor,
        layout: RowLayout,
        rule: BackwardRule,
        *,
        first_only: bool,
    ) -> Tensor:
        """(N, D) states after a layer, or (B, D) of each row's first token."""
        read = _normalised(layer.before_attention, states, rule)
        keys, values = layer.key(read), layer.value(read)
        if first_only:
            read, states = read[layout.firsts], states[layout.firsts]
        context = self._attend(layer, number, layer.query(read), keys, values, layout, rule, first_only)
        states = rule.merge(number, layer.merge, context, states)
        states = _normalised(layer.after_attention, states, rule)
        read = _normalised(layer.before_feed_forward, states, rule)
        wide = rule.activated(self.activation, layer.widen, read)
        if layer.gate is not None:
            wide = rule.multiply(wide, layer.gate(read))
        return _normalised(layer.after_feed_forward, layer.narrow(wide, plus=states), rule)

    def _attend(
        self,
        layer: Layer,
        number: int,
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
        layout: RowLayout,
        rule: BackwardRule,
        first_only: bool,
    ) -> Tensor:
        """Every row's queries over its own keys and values."""
        if reads_content_alone(layer.attention, rule):
            kernel = kernel_for(queries, layout, self.heads)
            if kernel is not None:
                return attend_at_once(kernel, queries, keys, values, layout, self.heads)
        groups = layout.groups
        read = [group.rows * group.length for group in groups]
        asked = [group.rows for group in groups] if first_only else read
        parts = zip(groups, queries.split(asked), keys.split(read), values.split(read), strict=True)
        prepare = layer.attention.ready(max((group.length for group in groups), default=1), self.heads)
        attended = []
        for group, *states in parts:
            query, key, value = (
                part.view(group.rows, -1, self.heads, part.shape[1] // self.heads).transpose(1, 2)
                for part in states
            )
            query, key, added = prepare(query, key, group.mask)
            context = rule.attend(number, query, key, value, added)
            attended.append(context.transpose(1, 2).flatten(0, 1).flatten(1))
        return attended[0] if len(attended) == 1 else torch.cat(attended)


def _mean(states: Tensor, groups: Sequence[Group]) -> Tensor:
    """(B, D) the mean of each row's tokens, from all tokens (N, D)."""
    means = []
    for group, part in zip(
        groups, states.split([group.rows * group.length for group in groups]), strict=True
    ):
        tokens = part.view(group.rows, group.length, -1)
        if group.mask is None:
            means.append(tokens.mean(dim=1))
        else:
            real = (group.mask[:, 0, 0, :, None] == 0).to(tokens.dtype)
            means.append((tokens * real).sum(dim=1) / real.sum(dim=1))
    return torch.cat(means)


def _dense(part: object) -> Iterator[Dense]:
    """The linear layers of a part of an encoder."""
    if isinstance(part, Dense):
        yield part
    elif isinstance(part, tuple):
        for one in part:
            yield from _dense(one)
    elif is_dataclass(part):
        for field in fields(part):
            yield from _dense(getattr(part, field.name))


def _normalised(norm: nn.LayerNorm | None, x: Tensor, rule: BackwardRule) -> Tensor:
    return x if norm is None else rule.normalise(norm, x)
