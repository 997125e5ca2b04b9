"""Would another seed give the same explanation? Two runs of every sampling method, and what they predict.

    python scripts/reliability.py [--quick] [--texts N] [--rows N]

For texts of about 17, 40 and 60 tokens: the mean Spearman and Pearson correlation between the scores of two
seeds, beside the mean `reliability` that each run predicts from its own standard errors. First captum's
KernelSHAP with its regression, then Assay's methods with as many rows, then with `until={reliability: 0.9}`.
The bar: over all lines that predict, predicted and realised correlation (Pearson) differ by less than 0.1 on
average, and the warning of a budget too small is given on every line whose Spearman is below 0.5.
--quick: a small untrained cnn instead of MiniLM with an untrained head; seconds instead of minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from bar import Table, finish, options
from captum.attr import KernelShap as CaptumKernelShap
from inputs import explainer
from numpy.typing import NDArray
from scipy.stats import pearsonr, spearmanr

from assay.explainers.baselines import Mask
from assay.explainers.perturbation.stopping_rule import StoppingRule
from assay.explainers.protocol import Explainer, Request
from assay.explainers.reliability import unreliable
from assay.models.cnn import Cnn
from assay.models.engine import Engine
from assay.models.minilm import MiniLM
from assay.models.protocol import Model
from assay.tasks.example import Example, Task
from assay.tasks.reviews import reviews

LENGTHS = (17, 40, 60)
ABSENT = Mask()
BAR = 0.1
UNORDERED = 0.5


class Run(NamedTuple):
    """One explanation: scores (n,) of the content tokens, its reliability (NaN: unknown) and its rows."""

    scores: NDArray[np.float64]
    reliability: float
    rows: int


class Line(NamedTuple):
    """Means over texts. predicted: NaN where a method predicts nothing."""

    length: int
    method: str
    rows: float
    spearman: float
    pearson: float
    predicted: float
    warned: bool


Method = Callable[[Request], Run]


def texts(task: Task, model: Model, length: int, count: int) -> list[Request]:
    """Reviews run together until they have so many content tokens; explained for the predicted class."""
    words = iter(" ".join(example.texts[0] for example in task.test).split())
    found = []
    for nth in range(count):
        text = next(words)
        while int(model.encode([(text,)])[0].content.sum()) < length:
            text += f" {next(words)}"
        (encoding,) = model.encode([(text,)])
        target = Engine(model).probabilities([encoding]).argmax(axis=1)
        found.append(Request(Example(f"{length}-{nth}", (text,), (0,)), encoding, target))
    return found


def ours(engine: Engine, method: Explainer, seed: int) -> Method:
    def run(request: Request) -> Run:
        ((record,),) = method.explain(engine, [replace(request, seed=seed)], ABSENT)
        content = record.word_ids >= 0
        return Run(record.scores[content].astype(np.float64), record.reliability, record.cost.forward_rows)

    return run


def captums(engine: Engine, rows: int, seed: int) -> Method:
    """captum's regression over coalitions, the same engine answering."""

    def run(request: Request) -> Run:
        content = request.encoding.content
        size, target = int(content.sum()), int(request.targets[0])

        def forward(present: torch.Tensor) -> torch.Tensor:
            keep = np.ones((len(present), len(content)), dtype=bool)
            keep[:, content] = present.numpy() > 0.5
            (logits,) = engine.logits([ABSENT.rows(engine.model, request.encoding, keep)])
            return torch.from_numpy(logits[:, target])

        torch.manual_seed(seed)
        explainer = CaptumKernelShap(forward)
        scores = explainer.attribute(
            torch.ones(1, size), baselines=torch.zeros(1, size), n_samples=rows, perturbations_per_eval=rows
        )
        return Run(scores[0].double().numpy(), float("nan"), rows)

    return run


def compared(length: int, name: str, method: Callable[[int], Method], requests: Sequence[Request]) -> Line:
    """Two seeds of a method over the same texts."""
    pairs = [(method(0)(request), method(1)(request)) for request in requests]

    def agreement(measure: Callable[..., Any]) -> float:
        return float(np.mean([measure(one.scores, other.scores).statistic for one, other in pairs]))

    runs = [run for pair in pairs for run in pair]
    known, rows = [run.reliability for run in runs], [run.rows for run in runs]
    warned = unreliable(known, rows) is not None
    spearman, pearson = agreement(spearmanr), agreement(pearsonr)
    return Line(length, name, float(np.mean(rows)), spearman, pearson, mean(known), warned)


def mean(values: Sequence[float]) -> float:
    """Of the numbers among them; NaN if there are none."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def methods(engine: Engine, rows: int, length: int) -> dict[str, Callable[[int], Method]]:
    """Name to a method with a seed."""
    sizes = {
        "kernel_shap": {"rows": rows},
        "shapley_gp": {"rows": rows},
        "shapley_sampling": {"permutations": max(2, rows // (length + 1))},
        "lime": {"rows": rows},
    }
    sampling: dict[str, Any] = {name: explainer(name, **size) for name, size in sizes.items()}
    goal = StoppingRule(reliability=0.9)
    return {
        "captum KernelShap": partial(captums, engine, rows),
        **{name: partial(ours, engine, method) for name, method in sampling.items()},
        **{
            f"{name} until 0.9": partial(ours, engine, replace(method, until=goal))
            for name, method in sampling.items()
        },
    }


def main() -> None:
    chosen = options(
        __doc__,
        "a small cnn; under a minute",
        texts=(6, "texts of each length"),
        rows=(200, "rows of a fixed budget"),
    )
    task = reviews(train=600, dev=50, test=300)
    model: Model = (Cnn(dimensions=32, channels=16) if chosen.quick else MiniLM()).untrained(task, 0)
    engine, lines = Engine(model), []
    table = Table("method", "warning", tokens="", rows=".0f", Spearman=".3f", Pearson=".3f", predicted=".3f")
    for length in LENGTHS:
        requests = texts(task, model, length, chosen.texts)
        for name, method in methods(engine, chosen.rows, length).items():
            line = compared(length, name, method, requests)
            lines.append(line)
            table.row(name, "yes" if line.warned else "", length, *line[2:6])
    predicting = [line for line in lines if not np.isnan(line.predicted)]
    differ = float(np.mean([abs(line.predicted - line.pearson) for line in predicting]))
    missed = sum(line.spearman < UNORDERED and not line.warned for line in predicting)
    finish(
        differ < BAR and not missed,
        f"predicted and realised correlation differ by {differ:.3f} on average over {len(predicting)} lines "
        f"(bar: below {BAR}); {missed} lines with Spearman below {UNORDERED} and no warning (bar: 0)",
    )


if __name__ == "__main__":
    main()
