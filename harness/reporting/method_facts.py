"""What is known of methods beside their scores: what they need, and what their explanations took."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from assay.explainers.sampled_baselines import RandomTokens
from assay.harness.config.choice import Method
from assay.harness.reporting.missing import cells_of_trial, group_of, method_of
from assay.harness.storage.layout import StoredCell
from assay.harness.storage.store import Store, read_table
from assay.harness.trials.plan import Trial
from assay.results.recommendation.constraints import MethodFacts, Seconds, seconds_limit
from assay.results.records import CellScores, Group
from assay.results.records import Method as ResultMethod

# How the store has the times.
IN_THE_RUN = (
    "wall time per text as the experiment ran, where texts share batches and their time is shared out by "
    "tokens; --measure times each text alone, on this machine"
)
Facts = dict[tuple[Group, ResultMethod], MethodFacts]
# Times, and bytes at the peak, that were measured now.
Timed = Mapping[tuple[Group, ResultMethod], tuple[Seconds, float]]


def method_facts(
    trials: Sequence[Trial], store: Store, scores: Iterable[CellScores], timed: Timed | None = None
) -> Facts:
    """The facts of every method of the trials, the worst of all models and explainer seeds.

    Args:
        trials: with their texts.
        store: with what was explained.
        scores: of which compute time tells the rows.
        timed: times and memory that were measured now, in place of those of the store.
    """
    rows = most_rows(scores)
    found: Facts = {}
    seconds: dict[tuple[Group, ResultMethod], list[Seconds]] = {}
    for trial in trials:
        for cell in cells_of_trial(trial, store):
            of = group_of(trial), method_of(cell)
            found[of] = declared(cell.method, multi_label=trial.task.multi_label, rows=rows.get(of, np.nan))
            files = StoredCell(store.cell(cell.key)).seconds_parts()
            if timed is None and files:
                parts = [read_table(file, ["seconds"])["seconds"].to_numpy() for file in files]
                seconds.setdefault(of, []).append(seconds_limit(np.concatenate(parts)))
    for of, facts in found.items():
        if timed is not None and of in timed:
            found[of] = replace(facts, seconds=timed[of][0], memory=timed[of][1])
        elif of in seconds:
            worst = max(seconds[of], key=lambda one: (one.upper, one.p95))
            found[of] = replace(facts, seconds=worst)
    return found


def declared(method: Method, *, multi_label: bool, rows: float = float("nan")) -> MethodFacts:
    """What a method declares: rows are added, and whether texts may have several labels."""
    traits = method.explainer.traits
    backward = traits.cost_known and method.explainer.model_rows(10, 1)[1] > 0
    return MethodFacts(
        gradients="gradients" in traits.needs or backward,
        additive=traits.additive,
        stochastic=traits.stochastic or isinstance(method.baseline, RandomTokens),
        multi_label=multi_label,
        rows=rows,
    )


def most_rows(scores: Iterable[CellScores]) -> dict[tuple[Group, ResultMethod], float]:
    """By group and method the most rows that a text took, those of a masked language model among them."""
    found: dict[tuple[Group, ResultMethod], float] = {}
    for cell in scores:
        if "passes" in cell.parts:
            asked = cell.parts.get("mlm_rows", np.zeros(1))
            rows = cell.parts["passes"] + np.nan_to_num(asked)
            of = cell.group, cell.method
            found[of] = max(float(np.nanmax(rows, initial=0.0)), found.get(of, 0.0))
    return found
