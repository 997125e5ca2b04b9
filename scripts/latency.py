"""What explaining one text costs: rows, tokens and operations of the model, seconds after a warm-up, memory.

    python scripts/latency.py [--quick] [--texts N] [--repeats N]

A small cnn on generated texts, then MiniLM with an untrained head on review sentences; every text is
explained alone, for its predicted class. Seconds and memory are of this machine and its load. The bar is a
check of the measuring itself: 0 < p50 <= p95 on every line, and occlusion's operations per token read are the
same within 10 % for texts of 32, 64 and 128 words. --quick: the cnn alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from bar import Table, finish_times, options
from inputs import examples, explainer, requests

from assay.explainers.baselines import Baseline, Mask
from assay.explainers.protocol import Explainer, Request
from assay.harness.validation.latency import Latency, latencies
from assay.models.cnn import Cnn
from assay.models.engine import Engine
from assay.models.minilm import MiniLM
from assay.tasks.example import Task
from assay.tasks.planted import planted
from assay.tasks.reviews import reviews

EXPLAINERS: dict[str, Explainer] = {
    "random": explainer("random"),
    "saliency_l2": explainer("saliency_l2"),
    "input_x_gradient_l2": explainer("input_x_gradient_l2"),
    "integrated_gradients (20)": explainer("integrated_gradients", steps=20),
    "occlusion": explainer("occlusion"),
    "kernel_shap (200)": explainer("kernel_shap", rows=200),
    "shapley_sampling (5)": explainer("shapley_sampling", permutations=5),
    "lime (200)": explainer("lime", rows=200),
}
ABSENT: Baseline = Mask()
LENGTHS = (32, 64, 128)
BAR = 0.10


def long_texts(task: Task) -> list[str]:
    """The task's words one after the other, cut to LENGTHS."""
    words = " ".join(example.texts[0] for example in task.test).split()
    return [" ".join(words[:length]) for length in LENGTHS]


def show(name: str, engine: Engine, texts: Sequence[Request], repeats: int) -> list[Latency]:
    """One line per explainer."""
    print(f"\n{name}, {len(texts)} texts of {np.mean([len(text.encoding) for text in texts]):.0f} tokens")
    table = Table(
        "explainer", rows=".0f", tokens=".0f", MFLOP=".1f", p50_ms=".2f", p95_ms=".2f", peak_MB=".1f"
    )
    lines = []
    for title, method in EXPLAINERS.items():
        line = latencies(method, ABSENT, engine, texts, warm_up=3, repeats=repeats)
        lines.append(line)
        times = line.p50 * 1e3, line.p95 * 1e3
        table.row(title, line.rows, line.tokens, line.flops / 1e6, *times, line.peak_memory / 2**20)
    return lines


def unevenness(engine: Engine, task: Task) -> float:
    """By how much occlusion's operations per token read differ between LENGTHS, as a share of the least."""
    per_token = []
    for request in requests(engine, examples(long_texts(task))):
        line = latencies(explainer("occlusion"), ABSENT, engine, [request], warm_up=0, repeats=1)
        per_token.append(line.flops / line.tokens)
    words = ", ".join(f"{value / 1e3:.1f}" for value in per_token)
    print(f"occlusion, thousand operations per token read at {LENGTHS} words: {words}")
    return max(per_token) / min(per_token) - 1


def main() -> None:
    chosen = options(
        __doc__,
        "the cnn alone; under a minute",
        texts=(10, "texts of each model"),
        repeats=(3, "times each text is explained"),
    )
    worlds: dict[str, tuple[Task, Cnn | MiniLM]] = {"cnn": (planted(train=500, dev=50, test=200), Cnn())}
    if not chosen.quick:
        worlds["minilm"] = (reviews(train=500, dev=50, test=200), MiniLM(init_only=True))
    lines: list[Latency] = []
    uneven: list[float] = []
    for name, (task, spec) in worlds.items():
        model = spec.untrained(task, 0)
        # As of every model that is loaded to be explained.
        model.network.requires_grad_(False)
        engine = Engine(model)
        texts = examples([example.texts[0] for example in task.test[: chosen.texts]])
        lines += show(name, engine, requests(engine, texts), chosen.repeats)
        uneven.append(unevenness(engine, task))
    quantiles = [(line.p50, line.p95) for line in lines]
    finish_times(quantiles, "occlusion's operations per token read differ by", max(uneven), BAR)


if __name__ == "__main__":
    main()
