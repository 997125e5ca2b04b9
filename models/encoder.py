"""BERT's encoder written out step by step: no row is padded, and the last layer answers for one token only.

The classifier reads the first token of the last layer, so there the other tokens' queries and feed-forward
blocks are not computed. Rows of equal length attend together, without a mask.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from assay.models.backward_rule import ELEMENTWISE, BackwardRule, Hook, no_hook
from assay.models.concept_layer import CONCEPTS, ConceptLayer, decide, find_concept_layer
from assay.models.dense import Dense


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """The modules of one layer."""

    query: Dense
    key: Dense
    value: Dense
    merge: Dense
    after_attention: nn.LayerNorm
    widen: Dense
    narrow: Dense
    after_feed_forward: nn.LayerNorm


@dataclass(frozen=True, slots=True, eq=False)
class Encoder:
    """Layers, and the head: `hidden` and `output` with the elementwise function `squash` between them."""

    layers: tuple[Layer, ...]
    heads: int
    activation: str
    hidden: Dense
    squash: str
    output: Dense | ConceptLayer

    @property
    def text_layers(self) -> tuple[str, ...]:
        """As `text_layers` of assay.models.protocol.OpenModel: the last layer has the first token only."""
        through = isinstance(self.output, ConceptLayer) and self.output.through
        return f"layer_{len(self.layers)}", "head", *([CONCEPTS] if through else [])

    @property
    def steps(self) -> frozenset[str]:
        """As `steps` of assay.models.protocol.OpenModel."""
        own = {self.activation, self.squash}
        return frozenset({*own, "attend", "matmul", "softmax", "merge", "normalise"})

    def logits(self, entry: Tensor, attention: Tensor, rule: BackwardRule, hook: Hook) -> Tensor:
        """(B, K) logits from what the first layer reads (B, T, D) and where tokens are (B, T).

        Without a hook rows are cut to their tokens.
        """
        rows, width, _ = entry.shape
        if hook is no_hook:
            states, groups = entry[attention], tuple(_by_length(attention))
        else:
            states = hook("embedding", entry).flatten(0, 1)
            mask = torch.zeros(attention.shape, dtype=entry.dtype, device=entry.device)
            groups = (Group(rows, width, mask.masked_fill(~attention, -torch.inf)[:, None, None]),)
        for number, layer in enumerate(self.layers, start=1):
            last = number == len(self.layers)
            first_only = last and not rule.every_query
            states = self._run(layer, number, states, groups, rule, first_only=first_only)
            if last:
                states = states if first_only else states[_firsts(groups, states.device)]
                states = hook(f"layer_{number}", states)
            elif hook is not no_hook:
                states = hook(f"layer_{number}", states.view(rows, width, -1)).flatten(0, 1)
        vector = hook("head", rule.elementwise(self.squash, self.hidden(states)))
        return decide(self.output, vector, rule, hook)

    def _run(
        self,
        layer: Layer,
        number: int,
        states: Tensor,
        groups: Sequence[Group],
        rule: BackwardRule,
        *,
        first_only: bool,
    ) -> Tensor:
        """(N, D) states after a layer, or (B, D) of each row's first token."""
        keys, values = layer.key(states), layer.value(states)
        if first_only:
            states = states[_firsts(groups, states.device)]
        context = self._attend(number, layer.query(states), keys, values, groups, rule, first_only)
        merged = rule.merge(number, layer.merge, context)
        states = rule.normalise(layer.after_attention, merged + states)
        wide = rule.elementwise(self.activation, layer.widen(states))
        return rule.normalise(layer.after_feed_forward, layer.narrow(wide) + states)

    def _attend(
        self,
        number: int,
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
        groups: Sequence[Group],
        rule: BackwardRule,
        first_only: bool,
    ) -> Tensor:
        """Every row's queries over its own keys and values."""
        read = [group.rows * group.length for group in groups]
        asked = [group.rows for group in groups] if first_only else read
        parts = zip(groups, queries.split(asked), keys.split(read), values.split(read), strict=True)
        attended = []
        for group, *states in parts:
            query, key, value = (
                part.view(group.rows, -1, self.heads, part.shape[1] // self.heads).transpose(1, 2)
                for part in states
            )
            context = rule.attend(number, query, key, value, group.mask)
            attended.append(context.transpose(1, 2).flatten(0, 1).flatten(1))
        return attended[0] if len(attended) == 1 else torch.cat(attended)


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Consecutive rows of one length. mask: (rows, 1, 1, length) as `BackwardRule.attend` takes it."""

    rows: int
    length: int
    mask: Tensor | None = None


def _by_length(attention: Tensor) -> Iterator[Group]:
    lengths, rows = torch.unique_consecutive(attention.sum(dim=1), return_counts=True)
    for length, count in zip(lengths.tolist(), rows.tolist(), strict=True):
        yield Group(count, length)


def _firsts(groups: Sequence[Group], device: torch.device) -> Tensor:
    """Where each row begins among all tokens."""
    lengths = torch.tensor([group.length for group in groups], device=device)
    rows = torch.tensor([group.rows for group in groups], device=device)
    of_rows = torch.repeat_interleave(lengths, rows)
    return of_rows.cumsum(0) - of_rows


def read_encoder(network: PreTrainedModel) -> Encoder | None:
    """The encoder of a sequence classifier, or None if it is not known to be laid out like BERT."""
    config = network.config
    head = _HEADS.get(type(network).__name__)
    activation = getattr(config, "hidden_act", None)
    if head is None or activation not in ELEMENTWISE or getattr(config, "is_decoder", False):
        return None
    hidden, squash, output = head
    layers = network.base_model.get_submodule("encoder.layer")
    return Encoder(
        layers=tuple(_layer(layer) for layer in layers.children()),
        heads=int(config.num_attention_heads),
        activation=activation,
        hidden=Dense(_linear(network, hidden)),
        squash=squash,
        output=find_concept_layer(network) or Dense(_linear(network, output)),
    )


# Where the two linear layers of a classifier's head are, and what stands between them.
_HEADS = {
    "BertForSequenceClassification": ("bert.pooler.dense", "tanh", "classifier"),
    "RobertaForSequenceClassification": ("classifier.dense", "tanh", "classifier.out_proj"),
    "XLMRobertaForSequenceClassification": ("classifier.dense", "tanh", "classifier.out_proj"),
}


def output_name(network: PreTrainedModel) -> str:
    """Where the topmost layer of a network is that `read_encoder` reads."""
    return _HEADS[type(network).__name__][2]


def _layer(module: nn.Module) -> Layer:
    def dense(name: str) -> Dense:
        return Dense(_linear(module, name))

    def norm(name: str) -> nn.LayerNorm:
        submodule = module.get_submodule(name)
        assert isinstance(submodule, nn.LayerNorm)
        return submodule

    return Layer(
        query=dense("attention.self.query"),
        key=dense("attention.self.key"),
        value=dense("attention.self.value"),
        merge=dense("attention.output.dense"),
        after_attention=norm("attention.output.LayerNorm"),
        widen=dense("intermediate.dense"),
        narrow=dense("output.dense"),
        after_feed_forward=norm("output.LayerNorm"),
    )


def _linear(module: nn.Module, name: str) -> nn.Linear:
    submodule = module.get_submodule(name)
    assert isinstance(submodule, nn.Linear)
    return submodule
