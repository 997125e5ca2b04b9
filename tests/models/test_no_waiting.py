"""On an accelerator no batch waits for the device: nothing that a batch does reads a number back.

Tensors of the device `meta` have no numbers, so whatever would read one fails there.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from open_networks import networks
from torch.utils._python_dispatch import TorchDispatchMode

from assay.explainers.baselines import Mask
from assay.explainers.paths import path_gradients
from assay.explainers.propagation import single_pass
from assay.explainers.protocol import Request
from assay.harness.config.build import build
from assay.harness.interface.settings import with_options
from assay.models import reduced, tensors
from assay.models.batching import pad
from assay.models.engine import Engine
from assay.models.masked_inputs import MaskedInputs, full_rows
from assay.models.paths import Path
from assay.models.protocol import Model
from assay.models.transformer_model import TransformerModel
from assay.tasks.example import Example

# What hands a number to Python, or copies to the processor.
READ = "copy to the processor"
WAITS = ("_local_scalar_dense", "nonzero", "_unique2", "unique_consecutive", "unique_dim", "masked_select")


class Watch(TorchDispatchMode):
    """Counts operations that wait for the device, and copies of tensors to it.

    waits: their names. uploads: how many copies lead from the processor to the device. run: all names.
    """

    def __init__(self, device: str) -> None:
        super().__init__()
        self.device = device
        self.waits: list[str] = []
        self.uploads = 0
        self.run: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        given = [value for value in args if isinstance(value, torch.Tensor)]
        on_device = any(value.device.type == self.device for value in given)
        # In inference mode it is `to`.
        copies = name in ("_to_copy", "to", "copy_")
        places = [v for v in (*args, *(kwargs or {}).values()) if isinstance(v, torch.device)]
        if copies and on_device and any(place.type == "cpu" for place in places):
            self.waits.append(READ)
        result = func(*args, **(kwargs or {}))
        self.run.append(name)
        if name in WAITS and on_device:
            self.waits.append(name)
        if copies and isinstance(result, torch.Tensor):
            self.uploads += not on_device and result.device.type == self.device
        # A list made into a tensor right there, which copies from memory that is not page-locked.
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


@pytest.mark.parametrize(("name", "rounds"), [("integrated_gradients", 2), ("saliency_l2", 1), ("lrp", 1)])
def test_explainers_read_their_scores_when_all_is_queued(
    name: str, rounds: int, tiny_bert: TransformerModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One copy for the scores, one in which the engine checks that all logits are finite, and one for the
    answers at the ends of paths, however many batches there are."""
    explainer: Any = build(with_options("explainer", name, {}))
    engine = Engine(_on_meta(tiny_bert), device="meta", budget=8)
    requests = [
        Request(Example(str(number), ("a",), (0,)), encoding, np.array([1, 0]))
        for number, encoding in enumerate(_encodings(tiny_bert))
    ]
    copies: list[int] = []
    for module in (tensors, path_gradients, single_pass):
        monkeypatch.setattr(module, "gathered", _counted(copies))
    with Watch("meta") as watch:
        explainer.explain(engine, requests, Mask() if explainer.traits.baseline == "reference" else None)
    assert engine.counters.backward_rows >= 2 * len(requests)
    assert len(copies) == 1 + rounds and watch.waits == []
    assert max(copies) > 4


def _counted(copies: list[int]) -> Callable[[list[torch.Tensor]], list[np.ndarray]]:
    def gathered(parts: list[torch.Tensor]) -> list[np.ndarray]:
        copies.append(len(parts))
        return [np.ones(part.shape) for part in parts]

    return gathered


def test_a_batch_whose_lengths_are_not_known_waits(tiny_bert: TransformerModel) -> None:
    """So the tests above would see it."""
    moved = _on_meta(tiny_bert)
    batch = pad(_encodings(tiny_bert), tiny_bert.pad_id, device="meta")
    for known in (batch, replace(batch, lengths=None)):
        with Watch("meta") as watch, pytest.raises(NotImplementedError):
            moved.logits(known).cpu()
        # Either at its only copy, or at the first that a batch needs.
        assert watch.waits == [READ]
        assert (len(watch.run) > 50) == (known is batch)


def test_copies_to_the_device_are_as_many_for_any_number_of_rows(tiny_bert: TransformerModel) -> None:
    moved = _on_meta(tiny_bert)
    uploads = []
    for rows in (_rows(tiny_bert)[:5], _rows(tiny_bert)[:5] * 4):
        rows = [replace(row, ids=row.ids + number // 5) for number, row in enumerate(rows)]
        engine = Engine(moved, device="meta", budget=10**6)
        uploads.append(_watched(partial(engine.logits, rows)).uploads)
        assert engine.counters.forward_rows == len(rows)
    # Ids, mask, segments, places of tokens, and of the first of each row.
    assert uploads == [5, 5]


@pytest.mark.parametrize("name", ["bert", "deberta_v3", "modernbert_mean"])
def test_networks_in_bfloat16_never_wait(
    name: str, open_network: Callable[[str], TransformerModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whether weights have changed is read by one copy, each time that an engine is asked for its reduced one.
    monkeypatch.setattr(reduced, "weight_states", lambda weights, every: [])
    model = open_network(name)
    engine, rows = Engine(_on_meta(model), device="meta", budget=12), _rows(model)
    watch = _watched(lambda: engine.reduced().logits(rows))
    assert engine.counters.forward_rows == len(rows) and watch.waits == [READ]


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
    assert watch.waits == [READ]
    if hasattr(model, "embed"):
        engine = Engine(moved, device="meta", budget=12)
        paths = [Path(row, row, np.ones(3), np.array([1, 0])) for row in rows[:5]]
        watch = _watched(lambda: [None for _ in engine.gradients(paths)])
        assert engine.counters.backward_rows == 5 * 3 * 2
        assert watch.waits == [READ]


@pytest.mark.parametrize("name", networks(("bert", "deberta_v3", "modernbert_mean", "electra", "distilbert")))
def test_open_networks_never_wait(name: str, open_network: Callable[[str], TransformerModel]) -> None:
    _check(open_network(name))


@pytest.mark.parametrize("name", ["linear", "maxpool", "meanpool", "cnn", "lstm"])
def test_word_models_never_wait(name: str, word_model: Callable[..., Any]) -> None:
    _check(word_model(name))
