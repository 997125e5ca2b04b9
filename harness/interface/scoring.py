"""Score explanations by metrics, and compare the methods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from assay.explainers.controls.controls import Gold, Inverted, Random
from assay.explainers.controls.heuristics import Heuristic
from assay.harness.config.choice import Built, Choice, ChosenMetric, on_groups, with_removals
from assay.harness.config.keys import groups_key
from assay.harness.interface.arguments import checked
from assay.harness.interface.classifiers import default_baseline
from assay.harness.interface.explaining import SECONDS_WITHOUT_BAR
from assay.harness.interface.explanations import Explanations, stacked
from assay.harness.interface.settings import chosen
from assay.harness.reporting.collect import alike
from assay.harness.reporting.constant import count_constant
from assay.harness.reporting.score_files import cell_scores
from assay.harness.storage.store import Store, read_table
from assay.harness.trials.cells import Loaded, score_shards, scores_path, to_shard
from assay.harness.trials.incompatibilities import cell_metric_incompatibility, metric_incompatibility
from assay.harness.trials.job import run_cells
from assay.harness.trials.plan import Cell
from assay.harness.trials.records import to_table
from assay.metrics.cell_data import CellMetric, Metric, Shard
from assay.metrics.rationales import ANNOTATORS
from assay.results.flag import Flag
from assay.results.records import Group, Method, Missing, Results
from assay.results.statistics.ceiling import PEOPLE
from assay.results.statistics.comparison import compare
from assay.results.statistics.constant_methods import unstarred
from assay.results.statistics.estimates import Bootstrap
from assay.results.tables.layout import ARROWS
from assay.tasks.counted import counted
from assay.tasks.errors import InputError, check_choice
from assay.tasks.grouping import clusters

if TYPE_CHECKING:
    import pandas as pd

# Cells and metrics by the names of both.
Pairs = dict[tuple[str, str], tuple[Cell, ChosenMetric]]
# Bounds and not competitors, whatever they are called here.
# Probabilities of one model that differ by more are of another one.
SAME = 1e-3
CONTROLS = (Gold, Random, Inverted, Heuristic)
# What most readers want of a comparison; `full=True` gives all columns.
SHOWN = [
    "method",
    "metric",
    "direction",
    "value",
    "low",
    "high",
    "n_texts",
    "p",
    "best",
    "constant",
    "reason",
]


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Scores of several methods on the same texts; made by `score`.

    Attributes:
        metrics: what was measured, in order.
        tables: by method and metric the long table: unit, target, part and value.
        explanations: what was scored.
        left_out: by method and metric why there is no score.
        removal: the operator that metrics take tokens away with, unless their names say otherwise.
        alike: by baseline the operators that put in the same.
    """

    metrics: tuple[Metric, ...]
    tables: Mapping[tuple[str, str], pd.DataFrame]
    explanations: Explanations
    left_out: Mapping[tuple[str, str], str]
    removal: str = ""
    alike: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def to_frame(self) -> pd.DataFrame:
        """One row per method, metric, unit (a text or a pair of texts), class and part of a score."""
        return stacked(self.tables, ["method", "metric"])

    @checked
    def compare(self, *, resamples: int = 1000, seed: int = 0, full: bool = False) -> pd.DataFrame:
        """One row per method and metric, with interval and test.

        Args:
            resamples: of the texts, behind every interval.
            seed: of the resamples.
            full: all columns, as in the files of a report (docs/statistics.md).

        Returns:
            direction: ↑ where more of the metric is better, ↓ where less is. value: the metric. low, high:
            its 95 % interval over texts. n_texts: how many have a value. p: of being as good as the best
            method, adjusted for all of them. best: whether it cannot be told from the best one at 5 %.
            constant: in how many texts the scores are the same for every token. reason: why there is no
            value, why no method is called best, why there is no interval, or which heuristic control (first
            words, rare words, a lexicon) it is not shown to beat. Metrics that take each annotator have a row
            that says how well these agree, "another annotator".
        """
        if resamples < 0:
            raise InputError(f"resamples is {resamples}; expected 0 or more")
        results = self.results()
        table = unstarred(compare(results, Bootstrap(n=resamples, seed=seed)), results)
        names = {PEOPLE: PEOPLE.title} | {method: name for name, method in self._methods().items()}
        pairs = zip(table["explainer"], table["baseline"], strict=True)
        table.insert(0, "method", [names[Method(*pair)] for pair in pairs])
        if full:
            return table
        arrows = {metric.name: ARROWS[metric.direction] for metric in self.metrics}
        table.insert(0, "direction", [arrows[name] for name in table["metric"]])
        without = table["interval_note"].where(table["low"].isna(), "")
        worse = table["not_better"].map(lambda names: f"not shown to be better than {names}" if names else "")
        for other in (table["no_best"], without, worse):
            table["reason"] = table["reason"].where(table["reason"] != "", other)
        return table.loc[:, SHOWN]

    def _methods(self) -> dict[str, Method]:
        methods = {name: cell.method for name, cell in self.explanations.cells.items()}
        return {name: Method(of.explainer_name, of.baseline_name) for name, of in methods.items()}

    def results(self) -> Results:
        """What the results floor reads."""
        cells, trial = self.explanations.cells, self.explanations.loaded.trial
        group, methods = Group(trial.task.name, trial.model_name), self._methods()
        controls = [name for name, cell in cells.items() if isinstance(cell.method.explainer, CONTROLS)]
        return Results(
            name="scores",
            metrics=self.metrics,
            cells=[
                cell_scores(table, group, methods[name], metric, str(trial.seed), cells[name].explainer_seed)
                for (name, metric), table in self.tables.items()
            ],
            explainers=list(dict.fromkeys(method.explainer for method in methods.values())),
            controls=frozenset(methods[name].explainer for name in controls),
            heuristics=[methods[name].explainer for name in controls if _is_heuristic(cells[name])],
            random=next((methods[name].explainer for name in controls if _is_random(cells[name])), ""),
            absences=[
                Missing(reason, *group, "", *methods[name], metric)
                for (name, metric), reason in self.left_out.items()
            ],
            removal=self.removal,
            alike=self.alike,
            constant={(group, method): flag for method, flag in self._constant(methods) if flag.words},
            clusters={group.task: clusters(trial.task.test)},
        )

    def _constant(self, methods: Mapping[str, Method]) -> Iterator[tuple[Method, Flag]]:
        """The methods, and in how many texts the explanations of each are constant."""
        cells, labels = self.explanations.cells, self.explanations.loaded.trial.task.labels
        for name, method in methods.items():
            records = chain.from_iterable(self.explanations[name].records)
            is_control = isinstance(cells[name].method.explainer, CONTROLS)
            yield method, count_constant(to_table(records)).flag(() if is_control else labels)

    def __repr__(self) -> str:
        methods = counted(len({method for method, _ in self.tables}), "method")
        return f"Scores of {methods} by {counted(len(self.metrics), 'metric')}; .compare() gives the table"


@checked
def score(
    explanations: Explanations, metrics: object, *, removal: object = None, annotators: str | None = None
) -> Scores:
    """Measure explanations.

    Args:
        explanations: of several methods, from `explain`.
        metrics: a name of conf/metric/, a metric object, or a list of those. Metrics that compare two models
            are left to experiments.
        removal: what "absent" means to metrics that take tokens away, by name or as an object. By default
            "mask", or "delete" for a model without a mask token.
        annotators: of several annotators, what metrics against rationales that are given by name take:
            "union" (as without it), "majority" or "each". An object has its own.

    Returns:
        The scores; `.compare()` is the table, `.to_frame()` every single value.

    Raises:
        InputError: an unknown name, no metric that makes sense here, with the reason, or a metric as an
            object with other annotators.

    Example:
        >>> score(explanations, ["faithfulness", "human_agreement"]).compare()  # doctest: +SKIP
    """
    if not isinstance(explanations, Explanations):
        raise InputError(
            f"a {type(explanations).__name__} cannot be scored; expected what explain returns for a list"
        )
    loaded = explanations.loaded
    _check_answers(loaded)
    removals = chosen("baseline", default_baseline(loaded.model) if removal is None else removal)
    groups = groups_key(clusters(loaded.trial.task.test))
    metrics_by_removal = on_groups(with_removals(_chosen_metrics(metrics, annotators), removals), groups)
    _check_names(metrics_by_removal)
    pairs: Pairs = {
        (name, metric.metric.name): (cell, metric)
        for name, cell in explanations.cells.items()
        for metric in metrics_by_removal
    }
    refused = {names: _refusal(metric, loaded, cell) for names, (cell, metric) in pairs.items()}
    left_out = {names: reason for names, reason in refused.items() if reason is not None}
    possible = {names: pair for names, pair in pairs.items() if refused[names] is None}
    if not possible:
        (_, metric_name), reason = next(iter(left_out.items()))
        raise InputError(f"metric {metric_name!r} cannot be computed here: {reason}")
    if explanations.store is None:
        tables = _in_memory(explanations, possible)
    else:
        tables = _stored(explanations, explanations.store, metrics_by_removal, possible)
    first = next(iter(removals))
    methods = tuple(cell.method for cell in explanations.cells.values())
    return Scores(
        tuple(metric.metric for metric in metrics_by_removal),
        tables,
        explanations,
        left_out,
        first,
        alike(Choice(methods, metrics_by_removal), first),
    )


def _check_answers(loaded: Loaded) -> None:
    """Raise InputError where the model answers otherwise than when the texts were explained."""
    example, then = loaded.trial.task.test[0], loaded.probabilities[0]
    (now,) = loaded.engine.probabilities(loaded.model.encode([example.texts]))
    place = int(np.abs(now - then).argmax())
    if abs(now[place] - then[place]) > SAME:
        raise InputError(
            f"the model answers otherwise than when the texts were explained (example {example.id!r}, "
            f"{loaded.model.labels[place]!r}: {then[place]:.3f}, now {now[place]:.3f}); explain them again"
        )


def _chosen_metrics(metrics: object, annotators: str | None) -> dict[str, Built]:
    """The metrics by name. Raises InputError on an object whose annotators are not those that are asked."""
    if annotators is None:
        return chosen("metric", metrics)
    check_choice("annotators", annotators, ANNOTATORS)
    found = chosen("metric", metrics, {"annotators": annotators})
    for name, built in found.items():
        own = getattr(built.built, "annotators", annotators)
        if own != annotators:
            raise InputError(
                f"annotators is {annotators!r}, but the object {name} was made with {own!r}; give its name, "
                "or make it with the same"
            )
    return found


def _check_names(metrics: Sequence[ChosenMetric]) -> None:
    """Raise InputError on two metrics of one name, as which their scores would replace each other's."""
    names = [metric.metric.name for metric in metrics]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InputError(
            f"two of the chosen metrics are called {twice[0]!r}, also in the tables; call score once for each"
        )


def _is_random(cell: Cell) -> bool:
    return isinstance(cell.method.explainer, Random)


def _is_heuristic(cell: Cell) -> bool:
    return isinstance(cell.method.explainer, Heuristic)


def _refusal(metric: ChosenMetric, loaded: Loaded, cell: Cell) -> str | None:
    if not isinstance(metric.metric, CellMetric):
        return "it compares two models; run an experiment with several seeds (assay run)"
    return metric_incompatibility(metric, loaded.trial, loaded.capabilities) or cell_metric_incompatibility(
        cell, metric
    )


def _in_memory(explanations: Explanations, pairs: Pairs) -> dict[tuple[str, str], pd.DataFrame]:
    loaded = explanations.loaded
    shards = {name: _shards(explanations, name) for name in dict.fromkeys(name for name, _ in pairs)}
    bar = tqdm(pairs.items(), desc="scoring", unit="metric", delay=SECONDS_WITHOUT_BAR, disable=None)
    return {names: score_shards(cell, metric, loaded, shards[names[0]]) for names, (cell, metric) in bar}


def _shards(explanations: Explanations, name: str) -> list[Shard]:
    loaded, records = explanations.loaded, explanations[name].records
    shards = []
    for part in loaded.parts():
        examples = loaded.trial.task.test[part]
        encodings = loaded.model.encode([example.texts for example in examples])
        shards.append(to_shard(examples, encodings, loaded.probabilities[part], records[part]))
    return shards


def _stored(
    explanations: Explanations, store: Store, metrics: tuple[ChosenMetric, ...], pairs: Pairs
) -> dict[tuple[str, str], pd.DataFrame]:
    loaded = explanations.loaded
    trial = replace(loaded.trial, choice=Choice(loaded.trial.choice.methods, metrics))
    run_cells(replace(loaded, trial=trial), store)
    tables = {}
    for names, (cell, metric) in pairs.items():
        path = scores_path(store, cell, metric)
        if not path.exists():
            raise InputError(f"{metric.metric.name} of {cell.title} failed; see the ledger of {store.root}")
        tables[names] = read_table(path).to_pandas()
    return tables
