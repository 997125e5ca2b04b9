"""Floating-point operations of a model, by torch's counter.

Counted are products of matrices, convolutions, attention and recurrent layers, a multiplication and an
addition as two; element by element steps, normalisation and look-ups are not. The count follows from the
shapes and the kernels that torch chooses, so it is the same in every run and on every machine of a kind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torch.utils.module_tracker import ModuleTracker

from assay.models.engine import Engine, Path
from assay.models.masked_inputs import MaskedInputs

Shape = tuple[int, ...]


def counted(run: Callable[[], object]) -> int:
    """Floating-point operations of what `run` calls of torch."""
    counter = FlopCounterMode(display=False, custom_mapping=_formulas())
    counter.mod_tracker = _Untracked()
    with counter:
        run()
    return counter.get_total_flops()


class _Untracked(ModuleTracker):
    """Follows no modules: where they are followed, torch refuses gradients with respect to what one reads."""

    def __enter__(self) -> _Untracked:
        return self

    def __exit__(self, *error: object) -> None:
        pass


def countable(engine: Engine) -> bool:
    """Whether the engine's model computes with torch; what a black box does is not seen."""
    return isinstance(getattr(engine.model, "network", None), nn.Module)


def forward_flops(engine: Engine, length: int) -> int:
    """Of a forward pass of the engine's model over one row of so many tokens."""
    return counted(lambda: _alone(engine).logits([_row(engine, length)]))


def backward_flops(engine: Engine, length: int) -> int:
    """Of a backward pass from one logit to what the first layer reads."""
    row = _row(engine, length)
    path = Path(row, row, np.ones(1), np.zeros(1, dtype=np.intp))
    both = counted(lambda: list(_alone(engine).gradients([path])))
    return both - forward_flops(engine, length)


@dataclass(frozen=True, slots=True, eq=False)
class Meter:
    """Prices of rows of the engine's model, each length measured once."""

    engine: Engine
    _forward: dict[int, int] = field(default_factory=dict)
    _backward: dict[int, int] = field(default_factory=dict)

    def flops(
        self,
        forward_rows: NDArray[np.float64],
        backward_rows: NDArray[np.float64],
        tokens: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """(N,) floating-point operations of N explanations that asked for so many rows and forward tokens.

        Each row at the price of one of the mean length of the explanation's forward rows, alone in a batch;
        between two whole lengths the price is taken to be a straight line.
        """
        operations = np.zeros(len(tokens))
        ran = forward_rows > 0
        if not ran.any():
            return operations
        lengths = tokens[ran] / forward_rows[ran]
        operations[ran] = forward_rows[ran] * self._prices(lengths, self._forward, forward_flops)
        if backward_rows.any():
            operations[ran] += backward_rows[ran] * self._prices(lengths, self._backward, backward_flops)
        return operations

    def _prices(
        self, lengths: NDArray[np.float64], known: dict[int, int], measure: Callable[[Engine, int], int]
    ) -> NDArray[np.float64]:
        whole = np.unique(np.concatenate([np.floor(lengths), np.ceil(lengths)])).astype(int)
        for length in whole.tolist():
            if length not in known:
                known[length] = measure(self.engine, length)
        return np.interp(lengths, whole, [known[length] for length in whole.tolist()])


def _alone(engine: Engine) -> Engine:
    """An engine of its own, so that what is asked here is not counted as rows of the other."""
    return Engine(engine.model, engine.device, engine.budget)


def _row(engine: Engine, length: int) -> MaskedInputs:
    """Any row of so many tokens; which ones they are makes no difference, but BART and T5 want an end."""
    ids = np.full((1, length), engine.model.pad_id, dtype=np.int32)
    ids[:, -1] = getattr(engine.model, "end_id", engine.model.pad_id)
    return MaskedInputs(ids, np.zeros_like(ids), np.array([length], dtype=np.int32))


def _formulas() -> dict[Any, Callable[..., int]]:
    """What the counter does not know of the CPU's kernels; each takes the shapes of the arguments."""
    kernels = (
        (torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu", _attention),
        (torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu_backward", _attention_backward),
        (torch.ops.aten, "mkldnn_rnn_layer", _recurrent),
        (torch.ops.aten, "mkldnn_rnn_layer_backward", _recurrent_backward),
        (torch.ops.mkldnn, "_linear_pointwise", _linear),
    )
    # The names are private to torch: a version without a kernel runs another one, which its counter knows.
    return {getattr(space, name): formula for space, name, formula in kernels if hasattr(space, name)}


def _linear(x: Shape, *others: object, out_shape: Shape, **options: object) -> int:
    return 2 * prod(out_shape) * x[-1]


def _attention(query: Shape, key: Shape, value: Shape, *others: object, **options: object) -> int:
    """Scores, and the values weighted by them; shapes (B, H, Q, E), (B, H, T, E), (B, H, T, E')."""
    return 2 * prod(query[:3]) * key[2] * (query[3] + value[3])


def _attention_backward(
    gradient: Shape, query: Shape, key: Shape, value: Shape, *others: object, **options: object
) -> int:
    """The scores once more, then the gradients of weights, values, queries and keys."""
    return 2 * prod(query[:3]) * key[2] * (3 * query[3] + 2 * value[3])


def _recurrent(x: Shape, of_input: Shape, of_state: Shape, *others: object, **options: object) -> int:
    """The gates of every token from its input and the state before it."""
    return 2 * prod(x[:-1]) * (prod(of_input) + prod(of_state))


def _recurrent_backward(
    x: Shape, of_input: Shape, of_state: Shape, *others: object, **options: object
) -> int:
    # The kernel gives the gradients of the weights, wanted or not, beside those of the input.
    return 2 * _recurrent(x, of_input, of_state)
