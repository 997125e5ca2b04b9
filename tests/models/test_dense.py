"""Linear layers by torch's private oneDNN kernels, and what replaces those that are missing or wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from assay.models import dense
from assay.models.backward_rule import ELEMENTWISE
from assay.models.dense import FEW_DIFFERENTIATED, Dense, onednn_works

MULTIPLY = dense._multiply


@pytest.fixture(autouse=True)
def _tested_anew() -> Iterator[None]:
    onednn_works.cache_clear()
    yield
    onednn_works.cache_clear()


def _missing(*arguments: object, **named: object) -> torch.Tensor:
    raise AttributeError("no such operation")


def _failing(*arguments: object, **named: object) -> torch.Tensor:
    raise RuntimeError("not implemented for this machine")


def _wrong(x: torch.Tensor, *others: object, **named: object) -> torch.Tensor:
    return torch.zeros(len(x), 3)


def _without_the_function(x: torch.Tensor, packed: Any, bias: Any, then: Any = None, plus: Any = None) -> Any:
    return MULTIPLY(x, packed, bias, plus=plus)


def _without_the_sum(x: torch.Tensor, packed: Any, bias: Any, then: Any = None, plus: Any = None) -> Any:
    return MULTIPLY(x, packed, bias, then)


@pytest.mark.parametrize(
    ("kernel", "replacement"),
    [
        *(("_pack", _missing), ("_pack", _failing), ("_multiply", _missing), ("_multiply", _wrong)),
        ("_multiply", _without_the_function),
        ("_multiply", _without_the_sum),
    ],
)
def test_a_kernel_that_is_missing_or_wrong_is_replaced_by_the_public_operation(
    monkeypatch: pytest.MonkeyPatch, kernel: str, replacement: object
) -> None:
    layer = torch.nn.Linear(5, 3).requires_grad_(False)
    x = torch.randn(FEW_DIFFERENTIATED, 5, requires_grad=True)
    expected = layer(x)
    (gradient,) = torch.autograd.grad(expected.sum(), x)
    with_kernels = Dense(layer)(x)
    onednn_works.cache_clear()
    monkeypatch.setattr(dense, kernel, replacement)
    assert not onednn_works()
    result = Dense(layer)(x)
    torch.testing.assert_close(result, expected, rtol=0, atol=0)
    torch.testing.assert_close(result, with_kernels)
    torch.testing.assert_close(torch.autograd.grad(result.sum(), x)[0], gradient)


def test_a_build_without_onednn_uses_the_public_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    monkeypatch.setattr(dense, "_pack", _missing)
    layer, x = torch.nn.Linear(5, 3).requires_grad_(False), torch.randn(2, 5)
    torch.testing.assert_close(Dense(layer)(x), layer(x), rtol=0, atol=0)


@pytest.mark.parametrize("differentiated", [False, True])
@pytest.mark.parametrize("rows", [1, 40])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_a_function_behind_the_layer_changes_no_digit(name: str, rows: int, differentiated: bool) -> None:
    layer = torch.nn.Linear(70, 90).requires_grad_(False)
    x = (4 * torch.randn(rows, 70)).requires_grad_(differentiated)
    apart, at_once = ELEMENTWISE[name](Dense(layer)(x)), Dense(layer)(x, name)
    torch.testing.assert_close(at_once, apart, rtol=0, atol=0)
    if differentiated:
        gradients = (torch.autograd.grad(of.sum(), x)[0] for of in (at_once, apart))
        torch.testing.assert_close(*gradients, rtol=0, atol=0)


@pytest.mark.parametrize("of_sum", [False, True])
@pytest.mark.parametrize("differentiated", [False, True])
@pytest.mark.parametrize("rows", [1, 40])
def test_a_sum_behind_the_layer_changes_no_digit(rows: int, differentiated: bool, of_sum: bool) -> None:
    layer = torch.nn.Linear(70, 90).requires_grad_(False)
    x, plus = torch.randn(rows, 70).requires_grad_(differentiated), torch.randn(rows, 180)[:, ::2]
    plus, own = plus.requires_grad_(of_sum), plus.detach().clone()
    apart, at_once = Dense(layer)(x) + plus, Dense(layer)(x, plus=plus)
    torch.testing.assert_close(at_once, apart, rtol=0, atol=0)
    torch.testing.assert_close(plus.detach(), own, rtol=0, atol=0)
    inputs = [*([x] if differentiated else []), *([plus] if of_sum else [])]
    if inputs:
        weights = torch.randn_like(apart)
        gradients = (torch.autograd.grad((of * weights).sum(), inputs) for of in (at_once, apart))
        for one, other in zip(*gradients, strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=0)
    else:
        assert not at_once.requires_grad


@pytest.mark.skipif(not onednn_works(), reason="torch has no oneDNN kernels here")
@pytest.mark.parametrize("differentiated", [False, True])
def test_few_rows_are_multiplied_by_the_layers_own_weights_and_more_by_the_kernels(
    monkeypatch: pytest.MonkeyPatch, differentiated: bool
) -> None:
    few = dense.FEW_DIFFERENTIATED if differentiated else dense.FEW_ROWS
    layer, rows = torch.nn.Linear(5, 3).requires_grad_(False), []
    multiply = dense._multiply
    assert onednn_works()  # tested now, so that it is not counted

    def counting(x: torch.Tensor, *others: Any, **named: Any) -> torch.Tensor:
        rows.append(len(x))
        return multiply(x, *others, **named)

    monkeypatch.setattr(dense, "_multiply", counting)
    found = Dense(layer)
    for count in (0, 1, few - 1, few, few + 1):
        x = torch.randn(count, 5, requires_grad=differentiated)
        torch.testing.assert_close(found(x), layer(x))
    assert rows == [few, few + 1]


@pytest.mark.skipif(not onednn_works(), reason="torch has no oneDNN kernels here")
@pytest.mark.parametrize(
    "write",
    [
        lambda weight: weight.mul_(0.7),
        lambda weight: weight.data.mul_(0.7),
        lambda weight: weight.data.copy_(torch.ones_like(weight)),
        lambda weight: np.multiply(weight.detach().numpy(), 0.7, out=weight.detach().numpy()),
        lambda weight: setattr(weight, "data", torch.ones_like(weight)),
    ],
)
def test_the_layout_follows_every_write(write: Callable[[torch.Tensor], object]) -> None:
    layer, x = torch.nn.Linear(384, 70).requires_grad_(False), torch.randn(40, 384)
    found = Dense(layer)
    before = found(x)
    write(layer.weight)
    torch.testing.assert_close(found(x), layer(x))
    assert not torch.equal(found(x), before)
