"""Rows without padding: the same tokens whether or not their lengths are known, and attention at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from assay.models import encoder as encoder_module
from assay.models import staging, varlen
from assay.models.attention_kinds import ByContent
from assay.models.backward_rule import AUTOGRAD, StepwiseRule, no_hook
from assay.models.batching import pad, unpadded
from assay.models.row_layout import RowLayout, unpad
from assay.models.staging import gathered, staged
from assay.models.transformer_model import TransformerModel

TEXTS = [("a b c",), ("d",), ("a",), ("e f g h a b",), ("b c d",), ("b c a",)]


@pytest.mark.parametrize("lengths", [[3], [2, 2], [1, 2, 2, 4], [4, 1, 4, 4, 2]])
def test_tokens_and_groups_are_those_of_the_mask(lengths: list[int]) -> None:
    known = np.array(lengths, dtype=np.int32)
    entry = torch.randn(len(known), int(known.max()), 3)
    attention = torch.from_numpy(np.arange(entry.shape[1]) < known[:, None])
    states, layout = unpad(entry, attention, known)
    read, again = unpad(entry, attention, None)
    assert torch.equal(states, entry[attention]) and torch.equal(read, states)
    assert torch.equal(states[layout.firsts], entry[:, 0])
    for one in (layout, again):
        assert [length for group in one.groups for length in [group.length] * group.rows] == lengths
        assert all(a.length != b.length for a, b in pairwise(one.groups))
        np.testing.assert_array_equal(one.bounds, [0, *np.cumsum(lengths)])
        np.testing.assert_array_equal(one.bounds_of_firsts, np.arange(len(lengths) + 1))


def test_gradients_reach_the_tokens_alone() -> None:
    entry = torch.randn(2, 3, 2, requires_grad=True)
    attention = torch.tensor([[True, False, False], [True, True, True]])
    states, _ = unpad(entry, attention, np.array([1, 3]))
    states.sum().backward()
    assert entry.grad is not None
    torch.testing.assert_close(entry.grad, attention[..., None].expand_as(entry).float())


def test_rows_of_one_length_are_found_by_their_lengths_or_by_the_mask(tiny_bert: TransformerModel) -> None:
    batch = pad(tiny_bert.encode(TEXTS), tiny_bert.pad_id)
    assert batch.lengths is not None
    by_length, by_mask = unpadded(batch), unpadded(replace(batch, lengths=None))
    for (rows, part), (expected, other) in zip(by_length, by_mask, strict=True):
        assert torch.equal(rows, expected) and torch.equal(part.ids, other.ids)
        assert part.attention.all() and part.ids.shape[1] == int(batch.attention[rows[0]].sum())


def by_row(
    q: Tensor, k: Tensor, v: Tensor, asked: Tensor, read: Tensor, longest_q: int, longest: int
) -> Tensor:
    """What the kernel computes, written out row by row."""
    assert asked.dtype == read.dtype == torch.int32
    assert int(asked.diff().max()) == longest_q and int(read.diff().max()) == longest
    parts = []
    for (a, b), (c, d) in zip(_spans(asked), _spans(read), strict=True):
        query, key, value = (part.transpose(0, 1)[None] for part in (q[a:b], k[c:d], v[c:d]))
        parts.append(scaled_dot_product_attention(query, key, value)[0].transpose(0, 1))
    return torch.cat(parts)


def _spans(bounds: Tensor) -> list[tuple[int, int]]:
    found: list[int] = bounds.tolist()
    return list(pairwise(found))


@pytest.mark.parametrize("name", ["bert", "electra"])
def test_attention_at_once_is_attention_by_length_and_the_padded_one(
    name: str, open_network: Callable[[str], TransformerModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = open_network(name)
    batch = pad(model.encode(TEXTS), model.pad_id)
    calls: list[int] = []

    def kernel(queries: Tensor, layout: RowLayout, heads: int) -> varlen.Kernel:
        calls.append(len(layout.groups))
        return by_row

    with torch.inference_mode():
        by_groups = model.logits(batch)
        entry = model.enter(model.embed(batch.ids), batch)
        padded = model.open_logits(entry, batch, AUTOGRAD, lambda name, value: value)
        monkeypatch.setattr(encoder_module, "kernel_for", kernel)
        at_once = model.logits(batch)
        assert len(calls) == len(model.encoder.layers)
        # A rule that sees products and softmax is shown them.
        model.open_logits(entry, batch, StepwiseRule(), no_hook)
        assert len(calls) == len(model.encoder.layers)
    torch.testing.assert_close(at_once, by_groups, rtol=0, atol=1e-5)
    torch.testing.assert_close(at_once, padded, rtol=0, atol=1e-5)


def test_the_kernel_is_taken_where_it_can_run_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    ragged = RowLayout.of_lengths(np.array([1, 2]), torch.device("cpu"))
    even = RowLayout.of_lengths(np.array([2, 2]), torch.device("cpu"))

    class OnCuda:
        """A tensor as far as it is looked at."""

        def __init__(self, dtype: torch.dtype, width: int) -> None:
            self.dtype, self.shape, self.device = dtype, (3, width), torch.device("cuda", 0)

    def taken(queries: Any, layout: RowLayout = ragged) -> bool:
        return varlen.kernel_for(queries, layout, heads=2) is not None

    monkeypatch.setattr(varlen, "varlen_attn", by_row)
    monkeypatch.setattr(varlen, "_has_kernel", lambda device: True)
    with torch.inference_mode():
        assert taken(OnCuda(torch.bfloat16, 16))
        assert not taken(torch.zeros(3, 16, dtype=torch.bfloat16))
        assert not taken(OnCuda(torch.float32, 16))
        assert not taken(OnCuda(torch.bfloat16, 12))
        assert not taken(OnCuda(torch.bfloat16, 1024))
        assert not taken(OnCuda(torch.bfloat16, 16), even)
        monkeypatch.setattr(varlen, "_has_kernel", lambda device: False)
        assert not taken(OnCuda(torch.bfloat16, 16))
        monkeypatch.setattr(varlen, "_has_kernel", lambda device: True)
        monkeypatch.setattr(varlen, "varlen_attn", None)
        assert not taken(OnCuda(torch.bfloat16, 16))
    monkeypatch.setattr(varlen, "varlen_attn", by_row)
    # It is for asking; gradients go through rows by length.
    with torch.enable_grad():
        assert not taken(OnCuda(torch.bfloat16, 16))
    assert not varlen.reads_content_alone(ByContent(), StepwiseRule())
    assert varlen.reads_content_alone(ByContent(), AUTOGRAD)


@pytest.mark.skipif(varlen.varlen_attn is None, reason="torch before 2.10 has no varlen_attn")
@pytest.mark.filterwarnings("ignore")
def test_torchs_kernel_takes_what_it_is_given() -> None:
    """Its types and shapes, as torch checks them where there are no numbers."""
    layout = RowLayout.of_lengths(np.array([1, 2]), torch.device("meta"))
    keys = torch.empty(3, 32, dtype=torch.bfloat16, device="meta")
    kernel: Any = varlen.varlen_attn
    for queries in (keys, keys[:2]):
        found = varlen.attend_at_once(kernel, queries, keys, keys, layout, heads=2)
        assert found.shape == queries.shape and found.dtype == torch.bfloat16


def test_copies_to_cuda_are_queued_from_page_locked_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[object] = []

    def pin(tensor: Tensor) -> Tensor:
        done.append("pinned")
        return tensor

    def to(tensor: Tensor, place: object, **options: object) -> Tensor:
        done.append((place, options))
        return tensor

    values: NDArray[Any] = np.arange(3)
    monkeypatch.setattr(Tensor, "pin_memory", pin)
    monkeypatch.setattr(Tensor, "to", to)
    staged(values, "cuda:1")
    staged(values, "mps")
    staged(values, "cpu")
    device, queued = torch.device, {"non_blocking": True}
    assert done == ["pinned", (device("cuda:1"), queued), (device("mps"), queued)]


def test_tensors_are_gathered_by_one_copy() -> None:
    parts = [torch.randn(2, 3), torch.randn(0, 2), torch.randn(1, dtype=torch.float64), torch.ones(2, 1, 1)]
    for found, part in zip(gathered(parts), parts, strict=True):
        assert found.dtype == np.float64 and found.shape == tuple(part.shape)
        np.testing.assert_array_equal(found, part.double().numpy())
    assert gathered([]) == []
    assert not staging.asynchronous("cpu") and staging.asynchronous("cuda:0")
