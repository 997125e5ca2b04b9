"""Which explainer to use, from scores at hand or a finished experiment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from assay.harness.config.resampling import bootstrap_of
from assay.harness.interface.arguments import checked
from assay.harness.interface.finished import Runs
from assay.harness.interface.scoring import Scores
from assay.harness.reporting.collect import collect
from assay.harness.reporting.method_facts import IN_THE_RUN, Facts, declared, method_facts
from assay.harness.trials.experiment import Experiment
from assay.harness.trials.plan import Trial
from assay.results.recommendation.answer import answer, record
from assay.results.recommendation.constraints import Constraints, seconds_limit
from assay.results.recommendation.recommend import recommend as recommend_methods
from assay.results.recommendation.recommendation import Recommendation
from assay.results.records import Group, Method
from assay.results.statistics.estimates import Bootstrap
from assay.tasks.errors import InputError

MIB = 2**20
IN_MEMORY = "wall time per text as it was explained, where texts share batches and their time"


@dataclass(frozen=True, slots=True)
class Recommendations:
    """A recommendation for each task and model, in words when printed; made by `recommend`.

    Attributes:
        of: a recommendation for each task and model, with its numbers.
        incomplete: how many parts of the experiment are missing or failed, in a sentence; "" if none.
        partial: whether an answer from what is there was asked for.
    """

    of: tuple[Recommendation, ...]
    incomplete: str = ""
    partial: bool = False

    @property
    def told(self) -> bool:
        """Whether every task and model has a recommendation, from all that was planned unless `partial`."""
        whole = self.partial or not self.incomplete
        return whole and bool(self.of) and not any(one.refused for one in self.of)

    def records(self) -> list[dict[str, Any]]:
        """As plain values, with the sentences."""
        return [record(one) for one in self.of]

    def __str__(self) -> str:
        return answer(self.of, self.incomplete)

    __repr__ = __str__


@checked
def recommend(
    scores: object,
    weights: dict[str, float] | None = None,
    *,
    latency: float | None = None,
    memory: float | None = None,
    rows: float | None = None,
    gradients: bool = True,
    additive: bool = False,
    deterministic: bool = False,
    multi_label: bool = False,
    measure: bool = False,
    partial: bool = False,
) -> Recommendations:
    """Recommend an explainer, or say why that cannot be told (docs/recommend.md).

    Args:
        scores: from `score`, or a finished experiment from `load`.
        weights: by property, such as {"faithfulness": 2, "human agreement": 1}; what is not named does not
            count. None: all that are measured count alike, without compute time.
        latency: at most so many seconds per text, 95 % of texts, with 95 % confidence.
        memory: at most so many MiB at the peak of explaining one text; needs `measure`.
        rows: at most so many rows of the model per text.
        gradients: whether it may need gradients.
        additive: whether its scores must sum to the change of the output.
        deterministic: whether it must not draw.
        multi_label: whether it must have been measured on texts that may have several labels.
        measure: time each method of an experiment now, one text at a time, in place of the times of its run.
        partial: whether an answer from what is there will do, where parts of an experiment are missing or
            failed; `told` is False of one otherwise.

    Returns:
        A recommendation for each task and model; print it.

    Raises:
        InputError: no scores, a weight of what was not measured, or a limit that is no positive number.

    Example:
        >>> print(recommend(load("assay-store", "quickstart"), latency=0.05))  # doctest: +SKIP
    """
    bytes_ = None if memory is None else memory * MIB
    constraints = Constraints(latency, bytes_, rows, gradients, additive, deterministic, multi_label)
    if isinstance(scores, Runs):
        return of_experiment(
            scores.experiment, scores.trials, constraints, weights, measure=measure, partial=partial
        )
    if not isinstance(scores, Scores):
        raise InputError(
            f"a {type(scores).__name__} has no scores; expected what assay.score or assay.load returns"
        )
    if measure or memory is not None:
        raise InputError("time and memory are measured of a finished experiment alone; expected assay.load")
    found = recommend_methods(
        scores.results(), _facts(scores), constraints, weights, latency=IN_MEMORY, bootstrap=Bootstrap()
    )
    return Recommendations(tuple(found))


def of_experiment(
    experiment: Experiment,
    trials: list[Trial],
    constraints: Constraints,
    weights: Mapping[str, float] | None,
    *,
    measure: bool,
    partial: bool,
) -> Recommendations:
    """The recommendations of an experiment, from what is in its store.

    Raises:
        InputError: nothing was scored, or memory is limited and not measured.
    """
    if constraints.memory is not None and not measure:
        raise InputError("the memory of an explainer is in no store; add --measure (measure=True)")
    bootstrap = bootstrap_of(experiment.configs[0])
    results = collect(experiment, trials)
    if not results.cells:
        raise InputError(f"the experiment {experiment.name!r} has no scores yet; run it first (assay run)")
    timed, how = None, IN_THE_RUN
    if measure:
        from assay.harness.validation.measured_methods import measure_methods, said

        timed = measure_methods(trials, experiment.store, memory=constraints.memory is not None)
        how = said(trials)
    facts = method_facts(trials, experiment.store, results.cells, timed)
    found = recommend_methods(results, facts, constraints, weights, bootstrap, latency=how)
    return Recommendations(tuple(found), results.incomplete, partial)


def _facts(scores: Scores) -> Facts:
    """What the explanations at hand took; their costs are in the records."""
    results, found = scores.results(), {}
    task = scores.explanations.loaded.trial.task
    group: Group = results.cells[0].group
    for name, cell in scores.explanations.cells.items():
        records = [one for of_text in scores.explanations[name].records for one in of_text[:1]]
        costs = [one.cost for one in records]
        rows = max((one.forward_rows + one.backward_rows + one.mlm_rows for one in costs), default=math.nan)
        facts = declared(cell.method, multi_label=task.multi_label, rows=float(rows))
        seconds = seconds_limit(np.array([one.seconds for one in costs]))
        method = Method(cell.method.explainer_name, cell.method.baseline_name)
        found[group, method] = replace(facts, seconds=seconds)
    return found
