"""From packed rows to what a model reads, and from there to logits and gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assay.models.backward_rule import AUTOGRAD, BackwardRule
from assay.models.masked_inputs import PackedInputs
from assay.models.protocol import ActivationModel, Batch, EmbeddingModel, EntryModel, Model, OpenModel
from assay.models.staging import gathered, staged
from assay.tasks.errors import InputError


def to_batch(packed: PackedInputs, at: NDArray[np.intp], pad_id: int, device: str) -> Batch:
    """The rows `at` (B,), padded to the longest of them."""
    lengths = packed.lengths[at]
    width = int(lengths.max())
    attention = np.arange(width) < lengths[:, None]
    ids = np.where(attention, packed.ids[at, :width], pad_id).astype(np.int64)
    segments = packed.segments[at, :width].astype(np.int64)
    return Batch(*(staged(array, device) for array in (ids, attention, segments)), lengths=lengths)


def embed(model: EmbeddingModel, packed: PackedInputs, at: NDArray[np.intp], batch: Batch) -> Tensor:
    """(B, T, D) embeddings of the rows `at`, absent tokens replaced by their row's replacement."""
    embeddings = model.embed(batch.ids)
    width = embeddings.shape[1]
    replacement = packed.replacement[at]
    for code in np.unique(replacement[replacement >= 0]):
        absent = packed.absent[at, :width] & (replacement == code)[:, None]
        mask = staged(absent, embeddings.device)[..., None]
        replaced = staged(packed.replacements[code], embeddings.device, embeddings.dtype)
        embeddings = torch.where(mask, replaced, embeddings)
    return embeddings


def answers_of(model: Model, packed: PackedInputs, device: str, span: slice) -> Tensor:
    """(B, K) logits of the rows of a span, where the model left them."""
    at = np.arange(span.start, span.stop)
    with torch.inference_mode():
        batch = to_batch(packed, at, model.pad_id, device)
        if (packed.replacement[at] >= 0).any():
            embedding = cast(EmbeddingModel, model)
            return embedding.logits_from_embeddings(embed(embedding, packed, at, batch), batch)
        return model.logits(batch)


def logits_of(
    done: Sequence[tuple[slice, Tensor]], lengths: NDArray[np.int32], classes: int
) -> NDArray[np.float64]:
    """(N, K) logits from those of batches and the rows they are of; waits for the device once.

    Raises InputError on answers that are not finite.
    """
    parts = gathered([part for _, part in done])
    for (span, _), part in zip(done, parts, strict=True):
        check_finite(part, lengths[span])
    # The empty array gives the shape when nothing was asked.
    return np.concatenate([np.empty((0, classes)), *parts])


def read_entry(
    model: EmbeddingModel, packed: PackedInputs, at: NDArray[np.intp], device: str
) -> tuple[Batch, Tensor]:
    """The rows `at` (B,) as a batch, and (B, T, D) what the first layer reads of them."""
    batch = to_batch(packed, at, model.pad_id, device)
    return batch, enter(model, embed(model, packed, at, batch), batch)


def target_gradients(logits: Tensor, targets: NDArray[np.intp], inputs: Sequence[Tensor]) -> list[Tensor]:
    """Gradients of every row's target logits, one backward pass per target.

    Args:
        logits: (B, K), with history.
        targets: (B, M) classes.
        inputs: tensors (B, ...) that the logits came from.

    Returns:
        for each input (M, B, ...).
    """
    # Rows do not see each other, so one pass over their sum gives every row its own gradient.
    sums = logits.gather(1, staged(targets, logits.device)).sum(dim=0)
    passes = [
        torch.autograd.grad(value, inputs, retain_graph=number < len(sums))
        for number, value in enumerate(sums, start=1)
    ]
    return [torch.stack(gradients) for gradients in zip(*passes, strict=True)]


def enter(model: EmbeddingModel, embeddings: Tensor, batch: Batch) -> Tensor:
    """(B, T, D) what the first layer reads: the embeddings, or what an embedding block makes of them."""
    return model.enter(embeddings, batch) if isinstance(model, EntryModel) else embeddings


def logits_from_entry(model: EmbeddingModel, entry: Tensor, batch: Batch) -> Tensor:
    """(B, K) logits from what the model's first layer reads."""
    if isinstance(model, EntryModel):
        return model.logits_from_entry(entry, batch)
    return model.logits_from_embeddings(entry, batch)


def logits_above(
    model: OpenModel,
    entry: Tensor,
    batch: Batch,
    layer: str,
    exchange: Callable[[Tensor], Tensor] = lambda value: value,
    rule: BackwardRule = AUTOGRAD,
) -> tuple[Tensor, Tensor]:
    """Logits (B, K), and what `exchange` makes of the layer's values, with respect to which `rule` gives
    derivatives."""
    leaves: list[Tensor] = []

    def hook(name: str, value: Tensor) -> Tensor:
        if name != layer:
            return value
        leaves.append(exchange(value).detach().clone().requires_grad_(True))
        # Below the layer nothing is kept for the way back.
        torch.set_grad_enabled(True)
        return leaves[0]

    with torch.no_grad():
        logits = model.open_logits(entry, batch, rule, hook)
    return logits, leaves[0]


class _Reached(Exception):
    """The layer has shown its values; nothing above it is needed."""


def layer_values(model: OpenModel, entry: Tensor, batch: Batch, layer: str) -> Tensor:
    """(B, T, D) the values of a layer, without running what is above it."""
    with torch.no_grad():
        return layer_reached(model, entry, batch, layer)


def layer_reached(model: OpenModel, entry: Tensor, batch: Batch, layer: str) -> Tensor:
    """As `layer_values`, differentiably from `entry`."""
    values: list[Tensor] = []

    def hook(name: str, value: Tensor) -> Tensor:
        if name == layer:
            values.append(value)
            raise _Reached
        return value

    with suppress(_Reached):
        model.open_logits(entry, batch, AUTOGRAD, hook)
    return values[0]


def layers_of(
    model: Model, packed: PackedInputs, device: str, of_tokens: bool, span: slice
) -> dict[str, NDArray[np.float32]]:
    """The layers of the rows of a span, the logits last: its `activations`, or if `of_tokens` those that an
    OpenModel shows with one vector per token, (B, T, D)."""
    at = np.arange(span.start, span.stop)
    with torch.inference_mode():
        layers = _layers(model, packed, at, device, of_tokens)
        return {name: layer.float().cpu().numpy() for name, layer in layers.items()}


def _layers(
    model: Model, packed: PackedInputs, at: NDArray[np.intp], device: str, of_tokens: bool
) -> dict[str, Tensor]:
    if not of_tokens:
        return cast(ActivationModel, model).activations(to_batch(packed, at, model.pad_id, device))
    opened, layers = cast(OpenModel, model), dict[str, Tensor]()

    def hook(name: str, value: Tensor) -> Tensor:
        layers[name] = value
        return value

    batch, entry = read_entry(opened, packed, at, device)
    logits = opened.open_logits(entry, batch, AUTOGRAD, hook)
    return {**layers, "logits": logits}


def check_gathered(unchecked: list[tuple[Tensor, NDArray[np.int32]]]) -> None:
    """`check_finite` on answers and the lengths of their rows, batch by batch, after a single wait for the
    device; the list is emptied."""
    answers = gathered([logits.detach() for logits, _ in unchecked])
    for part, (_, lengths) in zip(answers, unchecked, strict=True):
        check_finite(part, lengths)
    unchecked.clear()


def check_finite(answers: NDArray[np.floating], lengths: NDArray[np.int32]) -> None:
    """Raise InputError on a model's answers (B, ...) to rows of these lengths that are not finite."""
    bad = np.flatnonzero(~np.isfinite(answers.reshape(len(answers), -1)).all(axis=1))
    if len(bad):
        raise InputError(
            f"the model answered {len(bad)} of the {len(answers)} rows of a batch with NaN or infinity, the "
            f"first of {lengths[bad[0]]} tokens; its weights or its input are broken, check the model"
        )
