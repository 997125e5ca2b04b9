"""On an accelerator no batch waits for the device: nothing that a batch does reads a number back.

Tensors of the device `meta` have no numbers, so whatever would read one fails there.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from foreign_checkpoints import FOREIGN
from open_networks import networks
from test_foreign_checkpoints import TEXTS, finished
from torch.utils._python_dispatch import TorchDispatchMode

from assay.models.engine import Engine
from assay.models.masked_inputs import MaskedInputs, full_rows
from assay.models.paths import Path as PointPath
from assay.models.protocol import Model
from assay.models.tensors import answers_of
from assay.models.transformer_model import TransformerModel

# What hands a number to Python, or copies to the processor.
WAITS = ("_local_scalar_dense", "nonzero", "_unique2", "unique_consecutive", "unique_dim", "masked_select")


class Watch(TorchDispatchMode):
    """Counts operations that wait for the device, and copies of tensors to it.

    waits: their names. uploads: how many copies lead from the processor to another device.
    """

    def __init__(self, device: str) -> None:
        super().__init__()
        self.device = device
        self.waits: list[str] = []
        self.uploads = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        given = [value for value in args if isinstance(value, torch.Tensor)]
        on_device = any(value.device.type == self.device for value in given)
        if name in WAITS and on_device:
            self.waits.append(name)
        if name in ("_to_copy", "copy_") and isinstance(result, torch.Tensor):
            if on_device and result.device.type != self.device:
                self.waits.append(f"{name} to {result.device.type}")
            self.uploads += not on_device and result.device.type == self.device
        # A list or number made into a tensor right there, which copies from memory that is not page-locked.
        if name == "lift_fresh" and on_device:
            self.waits.append(name)
        return result


def _encodings(model: Model) -> list[Any]:
    return model.encode([(text,) for text in ("a b c", "d", "a", "e f g h a b", "b c d")])


def _rows(model: Model) -> list[MaskedInputs]:
    """Rows of several lengths, some with absent tokens of two kinds."""
    rows = [full_rows(encoding) for encoding in _encodings(model)]
    for number in (1, 3) if hasattr(model, "embed") else ():
        one = rows[number]
        absent = np.zeros(one.ids.shape, dtype=bool)
        absent[0, -1] = True
        rows.append(MaskedInputs(one.ids, one.segments, one.lengths, absent, np.full(1, number, np.float32)))
    return rows


def _on_meta(model: Any) -> Any:
    moved = deepcopy(model)
    moved.network.to("meta")
    return moved


def _watched(call: Callable[[], object]) -> Watch:
    with Watch("meta") as watch, pytest.raises(NotImplementedError, match="Cannot copy out of meta tensor"):
        call()
    return watch


def _check(model: Any) -> None:
    """Every batch runs without waiting, and all is read by one copy, which is where `meta` fails."""
    moved, rows = _on_meta(model), _rows(model)
    engine = Engine(moved, device="meta", budget=12)
    watch = _watched(lambda: engine.logits(rows))
    # All rows were run before the copy.
    assert engine.counters.forward_rows == len(rows)
    assert watch.waits == []
    if hasattr(model, "embed"):
        engine = Engine(moved, device="meta", budget=12)
        paths = [PointPath(row, row, np.ones(3), np.array([1, 0])) for row in rows[:5]]
        watch = _watched(lambda: [None for _ in engine.gradients(paths)])
        assert engine.counters.backward_rows == 5 * 3 * 2
        assert watch.waits == []


@pytest.mark.parametrize("name", networks(("bert", "deberta_v3", "modernbert_mean", "electra", "distilbert")))
def test_open_networks_never_wait(name: str, open_network: Callable[[str], TransformerModel]) -> None:
    _check(open_network(name))


@pytest.mark.parametrize("name", ["linear", "maxpool", "meanpool", "cnn", "lstm"])
def test_word_models_never_wait(name: str, word_model: Callable[..., Any]) -> None:
    _check(word_model(name))
