"""What captum's classes are given: embeddings, a layer or token ids, and the function from them to logits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from assay.explainers.baselines import Baseline
from assay.explainers.peers.calls import Floats, ModelCalls
from assay.explainers.perturbation.units import Unit, units_of
from assay.models.masked_inputs import MaskedInputs, full_rows
from assay.models.protocol import Batch
from assay.tasks.errors import InputError

# Stands for an absent token where the baseline has no token for it.
NO_TOKEN = -1


@dataclass(frozen=True, slots=True, eq=False)
class AttributedTo:
    """One text as captum is asked about it.

    forward: to (B, K) logits. inputs, baselines: one row each. full, empty: (K,) the outputs at both. spread:
    from captum's row to scores (T,). network: whose modules may be hooked. layer: of the Layer classes.
    """

    forward: Callable[[Tensor], Tensor]
    inputs: Tensor
    baselines: Tensor | None
    full: Floats
    empty: Floats | None
    spread: Callable[[Floats], Floats] = field(default=lambda scores: scores)
    feature_mask: Tensor | None = None
    network: nn.Module | None = None
    layer: nn.Module | None = None


class Network(nn.Module):
    """A function as a module that holds the network whose modules it runs."""

    def __init__(self, function: Callable[[Tensor], Tensor], network: nn.Module | None) -> None:
        super().__init__()
        self.function, self.network = function, network

    def forward(self, values: Tensor) -> Tensor:
        """(B, K) logits."""
        return self.function(values)


class EntryLayer(nn.Module):
    """The layer that gives what the model's first layer reads (B, T, D), from the ids (B, T) of a text."""

    def __init__(self, calls: ModelCalls) -> None:
        super().__init__()
        self.calls = calls

    def forward(self, ids: Tensor) -> Tensor:
        """A leaf, by which logits can be differentiated."""
        rows = np.asarray(ids.cpu(), dtype=np.int32)
        encoding = self.calls.request.encoding
        segments = np.broadcast_to(encoding.segments, rows.shape)
        lengths = np.full(len(rows), len(encoding), dtype=np.int32)
        _, entry = self.calls.engine.entry(MaskedInputs(rows, segments, lengths))
        return entry.clone().requires_grad_(True)


def by_embeddings(calls: ModelCalls, baseline: Baseline | None, unit: Unit, *, modules: bool) -> AttributedTo:
    """What the first layer reads (1, T, D), and the baseline's."""
    rows = _ends(calls, baseline)
    ends, (batch, entry) = calls.of_rows(rows), calls.engine.entry(rows)
    text = Batch(batch.ids[:1], batch.attention[:1], batch.segments[:1])
    return AttributedTo(
        forward=lambda values: calls.engine.differentiable(values, text, modules=modules),
        inputs=entry[:1].clone().requires_grad_(True),
        baselines=None if baseline is None else entry[1:].clone(),
        full=ends[0],
        empty=None if baseline is None else ends[1],
        network=getattr(calls.engine.model, "network", None),
    )


def by_layer(calls: ModelCalls, baseline: Baseline | None, unit: Unit, *, modules: bool) -> AttributedTo:
    """Token ids (1, T), and the layer behind them. Raises InputError on a baseline without token ids."""
    rows = _ends(calls, baseline)
    if rows.absent is not None:
        name = baseline.name if baseline else None
        raise InputError(
            f"captum's Layer classes read token ids, but baseline {name!r} has none; choose pad, mask or unk"
        )
    ends, (batch, _) = calls.of_rows(rows), calls.engine.entry(rows)
    text, layer = Batch(batch.ids[:1], batch.attention[:1], batch.segments[:1]), EntryLayer(calls)
    return AttributedTo(
        forward=lambda ids: calls.engine.differentiable(layer(ids), text, modules=modules),
        inputs=batch.ids[:1],
        baselines=None if baseline is None else batch.ids[1:],
        full=ends[0],
        empty=None if baseline is None else ends[1],
        layer=layer,
    )


def by_ids(calls: ModelCalls, baseline: Baseline | None, unit: Unit, *, modules: bool) -> AttributedTo:
    """The ids of the content tokens (1, n); one that is not the text's is a token made absent."""
    assert baseline is not None
    encoding = calls.request.encoding
    content = encoding.content
    ends = calls.of_tokens(baseline, np.stack([np.ones_like(content), ~content]))
    ids, units = encoding.ids[content].astype(np.int64), units_of(calls.request, unit)
    of = units.of[content]
    first = np.unique(of, return_index=True)[1]

    def forward(values: Tensor) -> Tensor:
        keep = np.ones((len(values), len(encoding)), dtype=bool)
        keep[:, content] = np.asarray(values.cpu()) == ids
        return torch.from_numpy(calls.of_tokens(baseline, keep)).float()

    return AttributedTo(
        forward=forward,
        inputs=torch.from_numpy(ids)[None],
        baselines=torch.from_numpy(_absent_ids(calls, baseline)[content])[None],
        full=ends[0],
        empty=ends[1],
        spread=lambda scores: units.spread(scores[0, first]),
        feature_mask=None if unit == "token" else torch.from_numpy(of)[None],
    )


def _ends(calls: ModelCalls, baseline: Baseline | None) -> MaskedInputs:
    """The text and, with a baseline, the text without any token."""
    encoding = calls.request.encoding
    if baseline is None:
        return full_rows(encoding)
    content = encoding.content
    return baseline.rows(calls.engine.model, encoding, np.stack([np.ones_like(content), ~content]))


def _absent_ids(calls: ModelCalls, baseline: Baseline) -> NDArray[np.int64]:
    """(T,) the ids that stand for absent tokens."""
    encoding = calls.request.encoding
    nothing = np.full(len(encoding), NO_TOKEN, dtype=np.int64)
    if not baseline.references:
        return nothing
    rows = baseline.rows(calls.engine.model, encoding, ~encoding.content[None])
    return nothing if rows.absent is not None else rows.ids[0].astype(np.int64)
