"""What learns for one text asks about no more masked or noisy copies at once than `engine.budget` takes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from explainer_models import request, scores, smooth
from explainer_samples import reading, training_texts

from assay.explainers.baselines import Zero
from assay.explainers.masks.diffmask_per_example import DiffMaskPerExample
from assay.explainers.masks.entropy_perturbation import EntropyPerturbation
from assay.explainers.masks.information_bottleneck import InformationBottleneck
from assay.explainers.protocol import Explainer, Request, fitted
from assay.models.engine import Engine
from assay.tasks.errors import InputError

SAMPLES, TOKENS = 7, 4
EACH: list[Explainer] = [
    DiffMaskPerExample(steps=8, samples=SAMPLES),
    InformationBottleneck(steps=8, samples=SAMPLES),
    EntropyPerturbation(steps=8, samples=SAMPLES),
]
each = pytest.mark.parametrize("method", EACH, ids=lambda method: method.name)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each call asked about."""
    rows: list[int] = []
    differentiable = Engine.differentiable

    def seen(self: Engine, entry: torch.Tensor, *rest: Any, **options: Any) -> torch.Tensor:
        rows.append(len(entry))
        return differentiable(self, entry, *rest, **options)

    monkeypatch.setattr(Engine, "differentiable", seen)
    return rows


def _scores(method: Explainer, engine: Engine) -> np.ndarray:
    text: Request = request((4, 9, 2, 3))
    assert len(text.encoding) == TOKENS
    made = fitted(method, engine, training_texts(len(engine.model.labels)))
    return scores(made.explain(engine, [text], Zero())[0])


@each
def test_copies_above_the_budget_are_asked_in_pieces_and_scores_are_the_same(
    method: Explainer, asked: list[int]
) -> None:
    whole = _scores(method, Engine(reading(smooth()), budget=SAMPLES * TOKENS))
    assert max(asked) == SAMPLES
    asked.clear()
    engine = Engine(reading(smooth()), budget=3 * TOKENS)
    np.testing.assert_allclose(_scores(method, engine), whole, rtol=1e-5)
    assert max(asked) == 3
    # As many rows are counted.
    targets = len(engine.model.labels)
    counted = engine.counters.forward_rows, engine.counters.backward_rows
    assert counted == method.model_rows(TOKENS, targets)


@each
def test_nothing_is_asked_without_targets(method: Explainer, asked: list[int]) -> None:
    text = replace(request((4, 9, 2, 3)), targets=np.array([], dtype=np.intp))
    engine = Engine(reading(smooth()))
    made = fitted(method, engine, training_texts(len(engine.model.labels)))
    assert made.explain(engine, [text], Zero()) == [[]]
    assert not asked and not engine.counters.forward_rows
    assert made.model_rows(TOKENS, 0) == (0, 0) == method.model_rows(TOKENS, 0)


@each
def test_fewer_copies_are_asked_where_memory_runs_out(
    method: Explainer, asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the way back, too, where most of it is needed."""
    whole = _scores(method, Engine(reading(smooth())))
    grad, most = torch.autograd.grad, 2

    def small(loss: torch.Tensor, *rest: Any, **options: Any) -> Any:
        if asked[-1] > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return grad(loss, *rest, **options)

    monkeypatch.setattr(torch.autograd, "grad", small)
    engine = Engine(reading(smooth()))
    np.testing.assert_allclose(_scores(method, engine), whole, rtol=1e-5)
    assert engine.counters.halvings == 2
    most = 0
    with pytest.raises(InputError, match=f"the model ran out of memory on a single row of {TOKENS} tokens"):
        _scores(method, Engine(reading(smooth())))
