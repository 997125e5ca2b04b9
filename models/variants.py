"""Variants of one text that other code makes and differentiates, where the model's first layer reads."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor

from assay.models.masked_inputs import PackedInputs
from assay.models.protocol import Batch, EmbeddingModel, ModuleModel
from assay.models.tensors import logits_from_entry, read_entry


def entry_of(model: EmbeddingModel, packed: PackedInputs, device: str) -> tuple[Batch, Tensor]:
    """Packed rows in the order asked as a batch, and (R, T, D) what the first layer reads of them."""
    with torch.no_grad():
        return read_entry(model, packed, packed.source, device)


def logits_of_variants(
    model: EmbeddingModel, entry: Tensor, text: Batch, count: Callable[..., None], *, modules: bool
) -> Tensor:
    """Logits of variants of one text.

    Args:
        model: the model.
        entry: (B, T, D) what its first layer reads.
        text: the text as a batch of one row.
        count: takes what was run, by the names of `assay.models.counters.Counters`.
        modules: whether to run the network's own modules where the model would go another way, so that hooks
            on them see the pass.

    Returns:
        (B, K), with history where `entry` has it; what is passed back is counted whenever that happens.
    """
    batch = Batch(*(part.expand(len(entry), -1) for part in (text.ids, text.attention, text.segments)))
    began, inside = time.perf_counter(), entry.view_as(entry)
    if modules and isinstance(model, ModuleModel):
        logits = model.module_logits(inside, batch)
    else:
        logits = logits_from_entry(model, inside, batch)
    rows, tokens = entry.shape[:2]
    count(seconds=time.perf_counter() - began, forward_rows=rows, forward_tokens=rows * tokens)
    if logits.requires_grad and inside.requires_grad:
        _count_backward(logits, inside, count)
    return logits


def _count_backward(logits: Tensor, inside: Tensor, count: Callable[..., None]) -> None:
    """Count rows and seconds whenever something is passed back from the logits (B, K) to `inside`."""
    begun: list[float] = []

    def begin(gradient: Tensor) -> None:
        begun.append(time.perf_counter())
        count(backward_rows=len(gradient))

    def end(gradient: Tensor) -> None:
        count(seconds=time.perf_counter() - begun[-1])

    logits.register_hook(begin)
    inside.register_hook(end)
