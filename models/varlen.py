"""Attention over rows of many lengths at once, by torch's variable-length kernel where there is one.

It runs on CUDA in numbers of 16 bits, since torch 2.10. Elsewhere rows of equal length attend together, which
is the same sum. Not on a CPU: torch has no such kernel there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import cast

import torch
from torch import Tensor

from assay.models.attention_kinds import AttentionKind, ByContent
from assay.models.backward_rule import BackwardRule
from assay.models.row_layout import RowLayout

try:
    from torch.nn.attention.varlen import varlen_attn
except ImportError:  # torch before 2.10
    varlen_attn = None

# (N, H, E) from queries (N, H, E), keys and values (M, H, E), where rows begin in both, and their longest.
Kernel = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, int, int], Tensor]


def kernel_for(queries: Tensor, layout: RowLayout, heads: int) -> Kernel | None:
    """The kernel, where it can take these queries (N, H * E) and is worth it; None for rows by length."""
    if varlen_attn is None or len(layout.groups) < 2 or layout.groups[0].mask is not None:
        return None
    width = queries.shape[1] // heads
    fits = queries.dtype in (torch.bfloat16, torch.float16) and width % 8 == 0 and width <= 256
    if not fits or torch.is_grad_enabled() or queries.device.type != "cuda":
        return None
    return cast(Kernel, varlen_attn) if _has_kernel(queries.device) else None


def reads_content_alone(kind: AttentionKind, rule: BackwardRule) -> bool:
    """Whether a layer's attention is the plain one, which is all that the kernel knows."""
    return isinstance(kind, ByContent) and type(rule).attend is BackwardRule.attend


def attend_at_once(
    kernel: Kernel, queries: Tensor, keys: Tensor, values: Tensor, layout: RowLayout, heads: int
) -> Tensor:
    """(N, H * E) attended values of all rows.

    Args:
        kernel: What computes them.
        queries: (N, H * E), or (B, H * E) of each row's first token.
        keys: (N, H * E).
        values: (N, H * E).
        layout: Where rows are.
        heads: How many.
    """
    first_only = len(queries) < len(keys)
    asked = layout.bounds_of_firsts if first_only else layout.bounds
    longest = int(layout.lengths.max())
    query, key, value = (part.view(len(part), heads, -1) for part in (queries, keys, values))
    longest_asked = 1 if first_only else longest
    return kernel(query, key, value, asked, layout.bounds, longest_asked, longest).flatten(1)


@cache
def _has_kernel(device: torch.device) -> bool:
    """Whether a CUDA device, and this build of torch, have the kernel."""
    return torch.cuda.get_device_capability(device) >= (8, 0) and (
        torch.backends.cuda.is_flash_attention_available()
    )
