"""What a weight's state tells: every kind of write, for every kind of tensor."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from assay.models.weight_state import COMPARED, weight_state

KINDS: dict[str, Callable[[], torch.Tensor]] = {
    "float32": lambda: torch.randn(50, 70),
    "bfloat16": lambda: torch.randn(50, 70).bfloat16(),
    "float8": lambda: torch.randn(50, 70).to(torch.float8_e4m3fn),
    "complex": lambda: torch.randn(50, 70, dtype=torch.complex64),
    "whole numbers": lambda: torch.arange(1, 4000),
    "truth values": lambda: torch.ones(3, dtype=torch.bool),
    "one number": lambda: torch.tensor(2.0),
    "nothing": lambda: torch.zeros(0, 3),
    "transposed": lambda: torch.randn(70, 50).t(),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_tensor_has_a_state_that_stays(kind: str) -> None:
    weight = KINDS[kind]()
    assert weight_state(weight, every=True) == weight_state(weight, every=True)
    assert weight_state(weight) == weight_state(weight)


@pytest.mark.parametrize(
    "write",
    [
        lambda weight: weight.mul_(2),
        lambda weight: weight.data.mul_(2),
        lambda weight: weight.data.fill_(3),
        lambda weight: np.add(weight.numpy(), 1, out=weight.numpy()),
        lambda weight: setattr(weight, "data", weight.clone()),
    ],
)
def test_a_write_to_all_values_is_seen(write: Callable[[torch.Tensor], object]) -> None:
    weight = torch.randn(COMPARED, COMPARED)
    before = weight_state(weight)
    write(weight)
    assert weight_state(weight) != before


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_write_to_a_single_value_is_seen_where_all_are_compared(dtype: torch.dtype) -> None:
    weight = torch.randn(100, 100).to(dtype)
    for place in torch.randint(0, 100, (40, 2)).tolist():
        before = weight_state(weight, every=True)
        weight.data[tuple(place)] += 0.5
        assert weight_state(weight, every=True) != before


@pytest.mark.parametrize(
    "shape", [(50, 70), (384, 1536), (1536, 384), (64, 64), (3, 1000), (1000, 3), (7, 1)]
)
def test_a_write_to_any_row_or_column_is_seen(shape: tuple[int, int]) -> None:
    weight = torch.randn(shape)
    before = weight_state(weight)
    for dimension, size in enumerate(shape):
        for place in range(size):
            own = weight.detach().clone()
            weight.data.select(dimension, place).zero_()
            assert weight_state(weight) != before
            weight.data.copy_(own)
            assert weight_state(weight) == before
