"""Variants of texts that other code makes and differentiates, where the first layer reads or above."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from assay.models.backward_rule import AUTOGRAD, Hook, no_hook
from assay.models.masked_inputs import PackedInputs
from assay.models.protocol import Batch, EmbeddingModel, ModuleModel, OpenModel
from assay.models.tensors import logits_from_entry, read_entry


def entry_of(model: EmbeddingModel, packed: PackedInputs, device: str) -> tuple[Batch, Tensor]:
    """Packed rows in the order asked as a batch, and (R, T, D) what the first layer reads of them."""
    with torch.no_grad():
        return read_entry(model, packed, packed.source, device)


def logits_of_variants(
    model: EmbeddingModel,
    entry: Tensor,
    text: Batch,
    count: Callable[..., None],
    *,
    modules: bool = False,
    hook: Hook = no_hook,
) -> Tensor:
    """Logits of variants of one text, or of one variant of each text of a batch.

    Args:
        model: the model.
        entry: (B, T, D) what its first layer reads.
        text: the text as a batch of one row, or the texts as one of B rows.
        count: takes what was run, by the names of `assay.models.counters.Counters`.
        modules: whether to run the network's own modules where the model would go another way, so that hooks
            on them see the pass.
        hook: sees and may exchange the layers of an OpenModel.

    Returns:
        (B, K), with history where `entry` or what the hook puts in has it; what is passed back is counted
        whenever that happens.
    """
    lengths = None if text.lengths is None else np.broadcast_to(text.lengths, len(entry))
    parts = (part.expand(len(entry), -1) for part in (text.ids, text.attention, text.segments))
    batch = Batch(*parts, lengths=lengths)
    began, inside = time.perf_counter(), entry.view_as(entry)
    if hook is not no_hook and isinstance(model, OpenModel):
        logits = model.open_logits(inside, batch, AUTOGRAD, hook)
    elif modules and isinstance(model, ModuleModel):
        logits = model.module_logits(inside, batch)
    else:
        logits = logits_from_entry(model, inside, batch)
    rows, tokens = len(entry), int((batch.attention if lengths is None else lengths).sum())
    count(seconds=time.perf_counter() - began, forward_rows=rows, forward_tokens=tokens)
    if logits.requires_grad:
        _count_backward(logits, inside, count)
    return logits


def _count_backward(logits: Tensor, inside: Tensor, count: Callable[..., None]) -> None:
    """Count rows whenever something is passed back from the logits (B, K), and the seconds to `inside`."""
    begun: list[float] = []

    def begin(gradient: Tensor) -> None:
        begun.append(time.perf_counter())
        count(backward_rows=len(gradient))

    def end(gradient: Tensor) -> None:
        count(seconds=time.perf_counter() - begun[-1])

    logits.register_hook(begin)
    if inside.requires_grad:
        inside.register_hook(end)
