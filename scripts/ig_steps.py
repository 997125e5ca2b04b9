"""How many points integrated gradients need until their scores sum to what they explain.

    python scripts/ig_steps.py [--quick] [--texts N]

Trains the small models on generated texts (and MiniLM, unless --quick) and explains test texts, each for its
predicted class: with `until: 0.01`, and with the 50 Gauss-Legendre points that are captum's default. Prints,
per model and baseline, the median points asked, the median completeness gap as a share of f(x) - f(baseline),
the share of texts whose gap is above 1 %, and how far the scores are from those of 400 points (sum of
absolute differences over sum of absolute scores, median). The bar: with `until`, at most 25 points in the
median everywhere and a median gap of at most 1 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
from bar import Table, finish, options
from inputs import requests

from assay.explainers.baselines import Baseline, Mask, Pad
from assay.explainers.explanation import Explanation
from assay.explainers.paths.integrated_gradients import IntegratedGradients
from assay.explainers.protocol import Request
from assay.models.cnn import Cnn
from assay.models.engine import Engine
from assay.models.linear import Linear
from assay.models.lstm import Lstm
from assay.models.maxpool import MaxPool
from assay.models.minilm import MiniLM
from assay.models.protocol import Model
from assay.models.training import Training, fit
from assay.tasks.example import Task
from assay.tasks.planted import planted

GOAL = 0.01
CAPTUM_STEPS = 50
BASELINES: tuple[Baseline, ...] = (Mask(), Pad())


@dataclass(frozen=True, slots=True)
class Row:
    """Medians over texts. points: asked; gap: relative; above: share with a gap above GOAL; off: distance."""

    points: float
    gap: float
    above: float
    off: float


def models(task: Task, *, quick: bool) -> list[tuple[str, Model]]:
    """Trained models by name."""
    training = Training(epochs=4, mask_rate=0.1)
    specs = [spec(training=training) for spec in (Linear, MaxPool, Cnn, Lstm)]
    found: list[tuple[str, Model]] = [(spec.name, fit(spec, task, 0)[0]) for spec in specs]
    if not quick:
        small = Task(task.name, task.labels, task.train[:480], task.dev[:100], task.test)
        brief = Training(epochs=1, batch_size=16, learning_rate=1e-4, mask_rate=0.1)
        found.append(("minilm", fit(MiniLM(training=brief), small, 0)[0]))
    return found


def explain(method: IntegratedGradients, engine: Engine, asked: Sequence[Request], baseline: Baseline):
    return [records[0] for records in method.explain(engine, asked, baseline)]


def row(found: Sequence[Explanation], exact: Sequence[Explanation]) -> Row:
    explained = np.array([abs(one.value_input - one.value_baseline) for one in found])
    gaps = np.abs([one.completeness_gap for one in found]) / np.maximum(explained, 1e-3)
    off = [
        np.abs(one.scores - other.scores).sum() / max(np.abs(other.scores).sum(), 1e-6)
        for one, other in zip(found, exact, strict=True)
    ]
    # Both ends are among the points of `until`; with fixed steps they are asked beside them.
    points = [one.cost.backward_rows for one in found]
    over = float((gaps > GOAL).mean())
    return Row(float(np.median(points)), float(np.median(gaps)), over, float(np.median(off)))


def main() -> None:
    chosen = options(
        __doc__,
        "without MiniLM, and fewer texts; under a minute",
        texts=(int, "texts to explain (default: 60, quick 20)"),
    )
    count = chosen.texts or (20 if chosen.quick else 60)
    task = planted(name="planted", rule="negation", train=2000, dev=200, test=200)
    adaptive: dict[str, Row] = {}
    table = Table("model", "baseline", "rule", points=".0f", gap=".1e", above_goal=".0%", off=".1e")
    for name, model in models(task, quick=chosen.quick):
        engine = Engine(model)
        texts = requests(engine, task.test[: count if name != "minilm" else max(count // 3, 10)])
        for baseline in BASELINES:
            exact = explain(IntegratedGradients(steps=400), engine, texts, baseline)
            until = row(explain(IntegratedGradients(until=GOAL), engine, texts, baseline), exact)
            captum = row(explain(IntegratedGradients(steps=CAPTUM_STEPS), engine, texts, baseline), exact)
            adaptive[f"{name} with {baseline.name}"] = until
            for rule, medians in (("until", until), ("captum", captum)):
                table.row(name, baseline.name, rule, *astuple(medians))
    missed = [name for name, one in adaptive.items() if one.points > CAPTUM_STEPS / 2 or one.gap > GOAL]
    finish(
        not missed,
        f"median points at most {max(one.points for one in adaptive.values()):.0f}, median gap at most "
        f"{max(one.gap for one in adaptive.values()):.1e}; missed by: {', '.join(missed) or 'none'}",
    )


if __name__ == "__main__":
    main()
