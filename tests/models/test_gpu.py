"""On a GPU: the numbers of the processor, in batches of any size, which do not wait, in the memory there is.

Run them with `-m gpu`; they skip where there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from foreign_checkpoints import FOREIGN
from numpy.typing import NDArray
from open_networks import OPEN_NETWORKS
from test_foreign_checkpoints import finished

from assay.explainers.baselines import Mask
from assay.explainers.protocol import Request
from assay.harness.config.build import build
from assay.harness.interface.settings import with_options
from assay.models import encoder, tensors, varlen
from assay.models.budget import ACCELERATOR_BUDGET
from assay.models.engine import Engine
from assay.models.masked_inputs import MaskedInputs, full_rows
from assay.models.staging import gathered
from assay.models.transformer_model import TransformerModel
from assay.tasks.example import Example

DEVICE = "cuda"
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that torch can use"),
]
TEXTS = ("a b c", "d", "a", "e f g h a b", "the film is good", "b c d", "b c")
# The networks of the table, and one that runs generically.
DECODER = "qwen2"


@pytest.fixture(params=[*OPEN_NETWORKS, DECODER])
def models(
    request: pytest.FixtureRequest, open_network: Callable[[str], TransformerModel], tmp_path: Path
) -> tuple[TransformerModel, TransformerModel]:
    """A model on the processor, and the same on the GPU."""
    if request.param == DECODER:
        (foreign,) = (foreign for foreign in FOREIGN if foreign.name == DECODER)
        own = finished(foreign.save(tmp_path))
        own.network.requires_grad_(False)
    else:
        own = open_network(request.param)
    return own, moved(own)


def moved(model: TransformerModel) -> TransformerModel:
    copy = deepcopy(model)
    network: Any = copy.network
    network.to(DEVICE)
    return copy


@pytest.fixture
def bert(tiny_bert: TransformerModel) -> tuple[TransformerModel, TransformerModel]:
    return tiny_bert, moved(tiny_bert)


def rows_of(model: TransformerModel) -> list[MaskedInputs]:
    """Texts as they are, and two with absent tokens of different kinds."""
    rows = [full_rows(encoding) for encoding in model.encode([(text,) for text in TEXTS])]
    for number in (3, 4):
        one = rows[number]
        absent = np.zeros(one.ids.shape, dtype=bool)
        absent[0, 1] = True
        rows.append(MaskedInputs(one.ids, one.segments, one.lengths, absent, np.full(1, number, np.float32)))
    return rows


def asked(model: TransformerModel, engine: Engine) -> NDArray[np.float64]:
    return np.concatenate(engine.logits(rows_of(model)))


def close(found: NDArray[Any], expected: NDArray[Any]) -> None:
    bound = 1e-4 * max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(found, expected, rtol=0, atol=bound)


def test_answers_and_gradients_are_the_processors_in_batches_of_any_size(
    models: tuple[TransformerModel, TransformerModel],
) -> None:
    own, there = models
    encodings = own.encode([(text,) for text in TEXTS])
    requests = [
        Request(Example(str(number), (text,), (0,)), encoding, np.array([1, 0]))
        for number, (text, encoding) in enumerate(zip(TEXTS, encodings, strict=True))
    ]
    methods: list[Any] = [
        build(with_options("explainer", name, options))
        for name, options in (("integrated_gradients", {"steps": 7}), ("occlusion", {}), ("lrp", {}))
    ]
    expected = asked(own, Engine(own))
    for budget in (1, 20, None):
        close(asked(own, Engine(there, DEVICE, budget)), expected)
    for method in methods:
        if method.traits.needs - {"gradients"} and not hasattr(own, "open_logits"):
            continue
        baseline = None if method.traits.baseline == "none" else Mask()
        exact = method.explain(Engine(own), requests, baseline)
        for budget in (20, None):
            found = method.explain(Engine(there, DEVICE, budget), requests, baseline)
            for one, other in zip(exact, found, strict=True):
                for record, again in zip(one, other, strict=True):
                    close(again.scores, record.scores)


def test_bfloat16_is_near_float32(models: tuple[TransformerModel, TransformerModel]) -> None:
    own, there = models
    expected = asked(own, Engine(own))
    engine = Engine(there, DEVICE)
    close(asked(own, engine), expected)
    assert 0 < np.std(asked(own, engine.reduced()) - expected) < 0.1 * expected.std(axis=0).mean()
    close(asked(own, engine), expected)


def test_rows_of_many_lengths_attend_at_once_in_bfloat16(
    bert: tuple[TransformerModel, TransformerModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    own, there = bert
    if varlen.varlen_attn is None or not varlen._has_kernel(torch.device(DEVICE, 0)):
        pytest.skip("this torch, or this GPU, has no attention of variable length")
    taken: list[bool] = []

    def watched(*given: Any) -> varlen.Kernel | None:
        kernel = varlen.kernel_for(*given)
        taken.append(kernel is not None)
        return kernel

    monkeypatch.setattr(encoder, "kernel_for", watched)
    at_once = asked(own, Engine(there, DEVICE).reduced())
    assert any(taken)
    monkeypatch.setattr(encoder, "kernel_for", lambda *given: None)
    by_length = asked(own, Engine(there, DEVICE).reduced())
    np.testing.assert_allclose(at_once, by_length, atol=0.03 * float(np.ptp(by_length)))


@contextmanager
def refused_waits(mode: str) -> Iterator[None]:
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode(mode)
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)


def read_allowed(parts: Any) -> list[NDArray[np.float64]]:
    """The one copy at the end of a round."""
    with refused_waits("default"):
        return gathered(parts)


@pytest.mark.parametrize("name", OPEN_NETWORKS)
def test_no_batch_waits(
    name: str, open_network: Callable[[str], TransformerModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = open_network(name)
    engine, rows = Engine(moved(own), DEVICE, 20), rows_of(own)
    # What is made once: kernels' plans, copies in bfloat16.
    reduced = engine.reduced()
    for asker in (engine, reduced):
        asker.logits(rows)
    monkeypatch.setattr(tensors, "gathered", read_allowed)
    expected = asked(own, Engine(own))
    with refused_waits("error"):
        found = np.concatenate(engine.logits(rows))
        reduced.logits(rows)
    close(found, expected)
    # Or nothing was watched.
    with refused_waits("error"), pytest.raises(RuntimeError, match="synchroni"):
        torch.ones(1, device=DEVICE).item()


def many(own: TransformerModel) -> MaskedInputs:
    """As many rows of random tokens as have several times the tokens of the first batch."""
    length = 32
    ids = (
        np.random.default_rng(0).integers(5, 20, (8 * ACCELERATOR_BUDGET // length, length)).astype(np.int32)
    )
    return MaskedInputs(ids, np.zeros_like(ids), np.full(len(ids), length, dtype=np.int32))


def test_batches_grow_into_the_memory_that_is_measured(
    bert: tuple[TransformerModel, TransformerModel],
) -> None:
    own, there = bert
    sizes: list[int] = []
    own_logits = there.logits
    there.logits = lambda batch: (sizes.append(batch.ids.numel()), own_logits(batch))[1]  # type: ignore[method-assign]
    rows, engine = many(own), Engine(there, DEVICE)
    (found,) = engine.logits([rows])
    assert sizes[0] <= ACCELERATOR_BUDGET < max(sizes)
    assert engine.counters.halvings == 0
    (expected,) = Engine(own).logits([MaskedInputs(rows.ids[:64], rows.segments[:64], rows.lengths[:64])])
    close(found[:64], expected)


def test_out_of_memory_halves_the_budget_and_loses_nothing(
    bert: tuple[TransformerModel, TransformerModel],
) -> None:
    own, there = bert
    rows = many(own)
    (expected,) = Engine(there, DEVICE, 4096).logits([rows])
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    whole = Engine(there, DEVICE, 8 * ACCELERATOR_BUDGET)
    whole.logits([rows])
    needed, total = (
        torch.cuda.max_memory_allocated() - before,
        torch.cuda.get_device_properties(0).total_memory,
    )
    torch.cuda.empty_cache()
    engine = Engine(there, DEVICE, 8 * ACCELERATOR_BUDGET)
    torch.cuda.set_per_process_memory_fraction((before + needed / 2) / total)
    try:
        (found,) = engine.logits([rows])
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert engine.counters.halvings >= 1 and whole.counters.halvings == 0
    close(found, expected)
