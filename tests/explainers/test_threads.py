"""One engine, asked by several threads at once, answers each as it would answer it alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import cast

import numpy as np
import pytest
from open_models import requests_for

from assay.explainers.baselines import Baseline, Mask
from assay.explainers.explanation import Explanation
from assay.explainers.gradient.saliency import Saliency
from assay.explainers.perturbation.kernel_shap import KernelShap
from assay.explainers.propagation.attention import AttentionRelevance
from assay.explainers.propagation.deep_lift import DeepLift
from assay.explainers.propagation.lrp import Lrp
from assay.explainers.protocol import Explainer, Request
from assay.models.adapters import BlackBox
from assay.models.engine import Engine
from assay.tasks.example import Task

THREADS = 4
METHODS: tuple[tuple[Explainer, Baseline | None], ...] = (
    (Saliency(), None),
    (KernelShap(rows=40), Mask()),
    (Lrp(), None),
    (cast(Explainer, AttentionRelevance()), None),
    (DeepLift(products="shapley"), Mask()),
)


def _explain(engine: Engine, requests: list[Request], attends: bool) -> list[Explanation]:
    methods = METHODS if attends else [one for one in METHODS if not isinstance(one[0], AttentionRelevance)]
    return [
        record
        for explainer, baseline in methods
        for records in explainer.explain(engine, requests, baseline)
        for record in records
    ]


@pytest.mark.parametrize("name", ["cnn", "lstm", "tiny_bert"])
def test_threads_that_share_an_engine_get_what_each_gets_alone(
    name: str, request: pytest.FixtureRequest, toy_task: Task
) -> None:
    fixtures = request.getfixturevalue
    model = fixtures(name) if name == "tiny_bert" else fixtures("word_model")(name, trained=True)
    parts = [requests_for(model, toy_task, count=3)[: 1 + number % 3] for number in range(THREADS)]
    attends = name == "tiny_bert"
    alone = Engine(model)
    expected = [_explain(alone, part, attends) for part in parts]
    shared, start = Engine(model), Barrier(THREADS)

    def run(part: list[Request]) -> list[Explanation]:
        start.wait()
        return _explain(shared, part, attends)

    with ThreadPoolExecutor(THREADS) as pool:
        results = list(pool.map(run, parts))
    for serial, threaded in zip(expected, results, strict=True):
        for one, other in zip(serial, threaded, strict=True):
            assert (one.example_id, one.target) == (other.example_id, other.target)
            np.testing.assert_allclose(other.scores, one.scores, rtol=1e-5, atol=1e-6)
    ours, theirs = shared.counters, alone.counters
    assert ours.forward_rows == theirs.forward_rows
    assert ours.forward_tokens == theirs.forward_tokens
    assert ours.backward_rows == theirs.backward_rows


def test_a_black_box_numbers_each_word_once_whatever_thread_meets_it() -> None:
    box = BlackBox(lambda texts: np.full((len(texts), 2), 0.5), labels=("no", "yes"))
    texts = [(" ".join(f"word{number}" for number in range(3000)),)]
    start = Barrier(THREADS)

    def ids(_: int) -> list[int]:
        start.wait()
        return box.encode(texts)[0].ids.tolist()

    with ThreadPoolExecutor(THREADS) as pool:
        results = list(pool.map(ids, range(THREADS)))
    assert all(result == results[0] for result in results)
    assert len(set(results[0])) == 3000
