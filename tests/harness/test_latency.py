"""Latency and peak memory, of methods whose cost is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pytest

from assay.explainers.baselines import Baseline, Mask
from assay.explainers.explanation import Cost, Explanation
from assay.explainers.perturbation.occlusion import Occlusion
from assay.explainers.protocol import Request, Traits, explanation
from assay.harness.validation import latency
from assay.harness.validation.latency import latencies
from assay.harness.validation.peak_memory import peak_memory
from assay.models.adapters import BlackBox
from assay.models.engine import Engine
from assay.models.flops import forward_flops
from assay.models.word_model import WordModel
from assay.tasks.errors import InputError
from assay.tasks.example import Task

MB = 2**20


@dataclass
class Heavy:
    """Holds so many MB while it explains, and writes down whom."""

    megabytes: int = 0
    asked: list[str] = field(default_factory=list)
    version: ClassVar[int] = 1
    traits = Traits(signed=False, additive=False, stochastic=False)

    def model_rows(self, tokens: int, targets: int) -> tuple[int, int]:
        return 3, 1

    def explain(
        self, engine: Engine, requests: Sequence[Request], baseline: Baseline | None
    ) -> list[list[Explanation]]:
        held = np.ones(self.megabytes * MB, dtype=np.uint8)
        self.asked += [request.example.id for request in requests]
        cost = Cost(forward_rows=3, backward_rows=1, tokens=30 + int(held[:0].sum()))
        return [
            [explanation(request, int(target), np.zeros(len(request.encoding)), cost=cost)]
            for request in requests
            for target in request.targets
        ]


@pytest.fixture
def engine(word_model: Callable[..., WordModel]) -> Engine:
    return Engine(word_model("cnn"))


def requests(engine: Engine, task: Task, count: int) -> list[Request]:
    examples = task.test[:count]
    encodings = engine.model.encode([example.texts for example in examples])
    return [Request(e, encoding, np.array([1])) for e, encoding in zip(examples, encodings, strict=True)]


def test_seconds_are_of_single_texts_after_the_warm_up(
    engine: Engine, toy_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    durations = [0.5, 4.0, 1.0, 0.25]
    ticks = [at for nth, took in enumerate(durations) for at in (10.0 * nth, 10.0 * nth + took)]
    monkeypatch.setattr(latency, "perf_counter", iter(ticks).__next__)
    method, asked = Heavy(), requests(engine, toy_task, 2)
    found = latencies(method, None, engine, asked, warm_up=3, repeats=2)
    assert (found.p50, found.p95) == pytest.approx((0.75, np.quantile(durations, 0.95)))
    first, second = (request.example.id for request in asked)
    assert method.asked[:7] == [first, second, first, first, second, first, second]
    assert (found.rows, found.tokens, found.flops) == (4.0, 30.0, 0.0)


def test_operations_are_of_single_texts(engine: Engine, toy_task: Task) -> None:
    asked = requests(engine, toy_task, 5)
    found = latencies(Occlusion(), Mask(), engine, asked, warm_up=1, repeats=1)
    rows = [Occlusion().explain(engine, [request], Mask())[0][0].cost.forward_rows for request in asked]
    lengths = [len(request.encoding) for request in asked]
    assert found.rows == np.mean(rows)
    assert found.tokens == np.mean(np.multiply(rows, lengths))
    prices = [forward_flops(engine, length) for length in lengths]
    assert found.flops == np.mean(np.multiply(rows, prices))
    assert 0 < found.p50 <= found.p95


def test_operations_of_a_black_box_are_unknown(toy_task: Task) -> None:
    box = BlackBox(lambda texts: np.full((len(texts), 3), 1 / 3), labels=toy_task.labels, fingerprint="x")
    engine = Engine(box)
    found = latencies(Heavy(), None, engine, requests(engine, toy_task, 2), warm_up=0, repeats=1)
    assert np.isnan(found.flops) and found.rows == 4.0


def test_memory_is_what_the_dearest_text_needs(engine: Engine, toy_task: Task) -> None:
    asked = requests(engine, toy_task, 3)
    light, heavy = (latencies(Heavy(size), None, engine, asked, repeats=1).peak_memory for size in (0, 60))
    if np.isnan(heavy):
        pytest.skip("this system does not tell a process's peak")
    assert light < 10 * MB
    # One after the other, never together, and again after the warm-up had given it back.
    assert 50 * MB < heavy < 80 * MB


def test_peaks_do_not_depend_on_earlier_ones() -> None:
    def hold(megabytes: int) -> Callable[[], object]:
        return lambda: np.ones(megabytes * MB, dtype=np.uint8).sum()

    peaks = [peak_memory(hold(size)) / MB for size in (120, 30, 60)]
    if np.isnan(peaks).any():
        pytest.skip("this system does not tell a process's peak")
    assert peaks == pytest.approx([120, 30, 60], abs=8)


def test_what_the_allocator_kept_counts_again() -> None:
    # Once so large a block was freed, glibc keeps smaller ones.
    np.ones(30 * MB, dtype=np.uint8)
    peaks = [
        peak_memory(lambda: [np.ones(MB // 16, dtype=np.uint8) for _ in range(16 * 40)]) / MB
        for _ in range(2)
    ]
    if np.isnan(peaks).any():
        pytest.skip("this system does not tell a process's peak")
    assert peaks == pytest.approx([40, 40], abs=8)


@pytest.mark.parametrize(("texts", "repeats", "warm_up"), [(0, 1, 0), (1, 0, 0), (1, 1, -1)])
def test_nothing_to_measure_is_refused(
    texts: int, repeats: int, warm_up: int, engine: Engine, toy_task: Task
) -> None:
    with pytest.raises(InputError, match="expected at least one text, one repeat and a warm-up of 0"):
        latencies(Heavy(), None, engine, requests(engine, toy_task, texts), warm_up, repeats)
