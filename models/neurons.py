"""Hidden layers neuron by neuron: values and gradients along paths, what drives them, and their ablation.

A layer with one vector per token is (B, T, U) here, one with one vector per text (B, 1, U).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.models.backward_rule import AUTOGRAD
from assay.models.counters import Counters
from assay.models.engine import Engine
from assay.models.paths import ENTRY, Path, PathBatch, Points, between, path_ends
from assay.models.protocol import Model, OpenModel
from assay.models.tensors import layer_values, logits_above, target_gradients, to_batch
from assay.tasks.errors import InputError, did_you_mean


@dataclass(frozen=True, slots=True, eq=False)
class NeuronBatch(PathBatch):
    """A layer at B points of paths.

    step: (B,) which of the path's alphas. values: (B, T, U) of the layer. gradients: (M, B, T, U) of the
    target logits. drives: (M, k, B, T0), for the asked neurons of each target: gradient of the target with
    respect to the neuron x derivative of the neuron along the path, by token of the text; None if not asked.
    """

    step: NDArray[np.intp]
    values: Tensor
    gradients: Tensor
    drives: Tensor | None


@dataclass(frozen=True, slots=True, eq=False)
class AblationBatch(PathBatch):
    """B answers with neurons ablated. step: (B,) which row of the path's masks."""

    step: NDArray[np.intp]


def hidden_layers(model: Model) -> tuple[str, ...]:
    """The layers between a model's embeddings and its logits; none where it does not show them."""
    if not isinstance(model, OpenModel):
        return ()
    of_tokens = (layer for layer in model.layers if layer != ENTRY)
    return (*of_tokens, *getattr(model, "text_layers", ()))


def hidden_layer(model: Model, layer: str | None) -> str:
    """The layer's name; by default the highest. Raises InputError unless the model has it."""
    layers = hidden_layers(model)
    if not layers:
        raise InputError(
            "the model shows no hidden layer between its embeddings and its logits; choose one that does, "
            "such as maxpool, cnn, lstm, or one of the networks in docs/models.md, such as BERT"
        )
    if layer is not None and layer not in layers:
        raise InputError(f"the model has no hidden layer {layer!r}; {did_you_mean(layer, layers)}")
    return layers[-1] if layer is None else layer


def neurons_along(
    engine: Engine, paths: Sequence[Path], layer: str, asked: Sequence[NDArray[np.intp]] | None = None
) -> Iterator[NeuronBatch]:
    """A hidden layer at every point of every path, with gradients of the target logits.

    Order of the points, and paths without targets, as in `Engine.gradients`. Consume each batch before
    requesting the next.

    Args:
        engine: asks the model, an OpenModel that has the layer.
        paths: straight where the first layer reads.
        layer: one of `hidden_layers`.
        asked: for every path the (M, k) neurons whose drives are wanted, of equally many for all paths.
    """
    call = partial(_differentiate, cast(OpenModel, engine.model), engine.device, layer, asked)
    for batch in engine.along(paths, call):
        if batch.drives is not None:
            passes = batch.drives.shape[0] * batch.drives.shape[1]
            engine.add(Counters(backward_rows=len(batch.path) * passes))
        yield batch


def ablated(
    engine: Engine, paths: Sequence[Path], layer: str, masks: Sequence[NDArray[np.bool_]]
) -> Iterator[AblationBatch]:
    """Logits of the paths' ends while some neurons of a layer have the values of the paths' starts.

    paths: with one alpha for each row of their masks. masks: for every path (R, U), true for neurons that are
    ablated, at every token.
    """
    call = partial(_ablate, cast(OpenModel, engine.model), engine.device, layer, masks)
    return engine.along(paths, call, backward=False)


def _differentiate(
    model: OpenModel,
    device: str,
    layer: str,
    asked: Sequence[NDArray[np.intp]] | None,
    points: Points,
) -> NeuronBatch:
    with torch.no_grad():
        batch = to_batch(points.ends, points.row, model.pad_id, device)
        point, difference = between(*path_ends(model, points, device), points.alphas)
    below = point
    if asked is None:
        logits, leaf = logits_above(model, point, batch, layer)
    else:
        seen: list[Tensor] = []

        def hook(name: str, value: Tensor) -> Tensor:
            if name != layer:
                return value
            seen.extend([value, value.detach().requires_grad_(True)])
            return seen[1]

        point.requires_grad_(True)
        with torch.enable_grad():
            logits = model.open_logits(point, batch, AUTOGRAD, hook)
        below, leaf = seen
    with torch.enable_grad():
        (gradients,) = target_gradients(logits, points.targets, [leaf])
    drives = None
    if asked is not None:
        which = torch.from_numpy(np.stack([asked[path] for path in points.path.tolist()])).to(device)
        drives = _drives(below, gradients, which, point, difference)
    return NeuronBatch(
        path=points.path,
        step=points.step,
        lengths=points.lengths,
        logits=logits.detach(),
        values=_with_tokens(leaf.detach(), 1),
        gradients=_with_tokens(gradients, 2),
        drives=drives,
    )


def _drives(below: Tensor, gradients: Tensor, which: Tensor, point: Tensor, difference: Tensor) -> Tensor:
    """(M, k, B, T) as in NeuronBatch; which: (B, M, k) neurons."""
    below, gradients = _with_tokens(below, 1), _with_tokens(gradients, 2)
    targets = []
    for target, gradient in enumerate(gradients):
        found = []
        for neuron in which[:, target].unbind(dim=1):
            place = neuron[:, None, None].expand(-1, below.shape[1], 1)
            # Rows do not see each other, so one pass over the sum serves all.
            flow = (below.gather(2, place) * gradient.gather(2, place)).sum()
            (slope,) = torch.autograd.grad(flow, point, retain_graph=True)
            found.append((slope * difference).sum(dim=-1))
        targets.append(torch.stack(found))
    return torch.stack(targets)


def _ablate(
    model: OpenModel, device: str, layer: str, masks: Sequence[NDArray[np.bool_]], points: Points
) -> AblationBatch:
    pairs = zip(points.path.tolist(), points.step.tolist(), strict=True)
    off = torch.from_numpy(np.stack([masks[path][step] for path, step in pairs])).to(device)
    with torch.inference_mode():
        batch = to_batch(points.ends, points.row, model.pad_id, device)
        start, end = path_ends(model, points, device)
        low = layer_values(model, start, batch, layer)

        def hook(name: str, value: Tensor) -> Tensor:
            if name != layer:
                return value
            return torch.where(off if value.ndim == 2 else off[:, None], low, value)

        logits = model.open_logits(end, batch, AUTOGRAD, hook)
    return AblationBatch(path=points.path, step=points.step, lengths=points.lengths, logits=logits)


def _with_tokens(values: Tensor, before: int) -> Tensor:
    """Values with an axis of tokens behind the first `before` axes, where a layer has one vector per text."""
    return values if values.ndim == before + 2 else values.unsqueeze(before)
