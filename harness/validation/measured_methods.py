"""The time and memory of an experiment's methods, measured now, one text at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from assay.explainers.protocol import Request
from assay.harness.reporting.method_facts import Timed
from assay.harness.reporting.missing import group_of, method_of
from assay.harness.storage.store import Store
from assay.harness.trials.cells import Loaded
from assay.harness.trials.job import threads
from assay.harness.trials.plan import Cell, Trial
from assay.harness.trials.trial import load_model, trial_cells
from assay.harness.validation.latency import explain_alone, time_alone
from assay.harness.validation.peak_memory import peak_memory
from assay.results.recommendation.constraints import Seconds, seconds_limit

# A text more than the fewest of which the slowest is an upper limit of the p95.
TEXTS = 60
WARM_UP = 3


def measure_methods(trials: Sequence[Trial], store: Store, *, memory: bool) -> Timed:
    """Explain up to TEXTS texts alone by each method, with the first model of each task and model.

    Args:
        trials: of a finished experiment; their models are read from the store.
        store: with the models.
        memory: whether to measure the peak as well, which takes as long again.

    Returns:
        By group and method the seconds, and the bytes at the peak or NaN. Methods whose scores were computed
        elsewhere are left out.
    """
    found: dict[object, tuple[Seconds, float]] = {}
    first = {group_of(trial): trial for trial in reversed(trials)}
    for group, trial in first.items():
        with threads(trial.config.engine.threads):
            loaded, known = load_model(trial, store), trial_cells(trial, store)
            for cell in known.possible if known else ():
                if not cell.method.explainer.traits.fixed and (group, method_of(cell)) not in found:
                    found[group, method_of(cell)] = _measured(cell, loaded, memory=memory)
    return found  # pyright: ignore[reportReturnType]


def said(trials: Sequence[Trial]) -> str:
    """How it was measured, in words."""
    fewest = min((len(trial.task.test) for trial in trials), default=0)
    texts = min(TEXTS, fewest)
    return (
        f"each of {texts} texts explained alone on this machine just now, after {WARM_UP} that were not timed"
    )


def _measured(cell: Cell, loaded: Loaded, *, memory: bool) -> tuple[Seconds, float]:
    baseline = None if cell.method.baseline is None else loaded.fitted(cell.method.baseline)
    explainer = loaded.fitted_explainer(cell.method.explainer)
    explain = partial(explain_alone, explainer, baseline, loaded.engine)
    asked = list(requests(loaded, cell.explainer_seed))
    seconds, _ = time_alone(explain, asked, WARM_UP, 1)
    peak = peak_memory(lambda: [explain(request) for request in asked]) if memory else float("nan")
    return seconds_limit(np.array(seconds)), peak


def requests(loaded: Loaded, explainer_seed: int) -> Iterator[Request]:
    """The first TEXTS of a trial's texts, each with the classes that the experiment explains."""
    examples, targets = loaded.trial.task.test[:TEXTS], loaded.targets()[:TEXTS]
    encodings = loaded.model.encode([example.texts for example in examples])
    seed = loaded.trial.request_seed(explainer_seed)
    for example, encoding, row in zip(examples, encodings, targets, strict=True):
        yield Request(example, encoding, np.flatnonzero(row), seed)
