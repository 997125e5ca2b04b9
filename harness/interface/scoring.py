"""Score explanations by metrics, and compare the methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tqdm import tqdm

from assay.explainers.controls.controls import Gold, Inverted, Random
from assay.harness.config.choice import Choice, ChosenMetric, with_removals
from assay.harness.interface.explaining import SECONDS_WITHOUT_BAR
from assay.harness.interface.explanations import Explanations
from assay.harness.interface.settings import chosen, whole
from assay.harness.storage.store import read_table
from assay.harness.trials.cells import Loaded, score_shards, scores_path, to_shard
from assay.harness.trials.incompatibilities import cell_metric_incompatibility, metric_incompatibility
from assay.harness.trials.job import run_cells
from assay.harness.trials.plan import Cell
from assay.metrics.cell_data import CellMetric, Metric, Shard
from assay.metrics.long_table import wide
from assay.results.records import CellScores, Group, Method, Missing, Results
from assay.results.statistics.comparison import compare
from assay.results.statistics.estimates import Bootstrap
from assay.tasks.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

# Bounds and not competitors, whatever they are called here.
CONTROLS = (Gold, Random, Inverted)
# What most readers want of a comparison; `full=True` gives all columns.
SHOWN = ["method", "metric", "value", "low", "high", "p", "best", "reason"]


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Scores of several methods on the same texts; made by `score`.

    Attributes:
        metrics: what was measured, in order.
        tables: by method and metric the long table: unit, target, part and value.
        explanations: what was scored.
        left_out: by method and metric why there is no score.
    """

    metrics: tuple[Metric, ...]
    tables: Mapping[tuple[str, str], pd.DataFrame]
    explanations: Explanations
    left_out: Mapping[tuple[str, str], str]

    def to_frame(self) -> pd.DataFrame:
        """One row per method, metric, unit (a text or a pair of texts), class and part of a score."""
        import pandas as pd

        named = [
            table.assign(method=method, metric=metric).loc[:, ["method", "metric", *table.columns]]
            for (method, metric), table in self.tables.items()
        ]
        return pd.concat(named, ignore_index=True)

    def compare(self, *, resamples: int = 1000, seed: int = 0, full: bool = False) -> pd.DataFrame:
        """One row per method and metric, with interval and test.

        Args:
            resamples: of the texts, behind every interval.
            seed: of the resamples.
            full: all columns, as in the files of a report (docs/statistics.md).

        Returns:
            value: the metric. low, high: its 95 % interval over texts. p: of being as good as the best
            method, adjusted for all of them. best: whether it cannot be told from the best one at 5 %.
            reason: why there is no value.
        """
        if whole("resamples", resamples) < 0:
            raise InputError(f"resamples is {resamples}; expected 0 or more")
        table = compare(self._results(), Bootstrap(n=resamples, seed=seed))
        names = {
            (cell.method.explainer_name, cell.method.baseline_name): name for name, cell in self._cells()
        }
        pairs = zip(table["explainer"], table["baseline"], strict=True)
        table.insert(0, "method", [names[pair] for pair in pairs])
        return table if full else table.loc[:, SHOWN]

    def _cells(self) -> list[tuple[str, Cell]]:
        return list(self.explanations.cells.items())

    def _results(self) -> Results:
        trial = self.explanations.loaded.trial
        group = Group(trial.task.name, trial.model_name)
        methods = {
            name: Method(cell.method.explainer_name, cell.method.baseline_name)
            for name, cell in self._cells()
        }
        return Results(
            name="scores",
            metrics=self.metrics,
            cells=[
                _cell_scores(group, methods[name], metric, trial.seed, self.explanations.cells[name], table)
                for (name, metric), table in self.tables.items()
            ],
            explainers=list(dict.fromkeys(method.explainer for method in methods.values())),
            controls=frozenset(
                cell.method.explainer_name
                for _, cell in self._cells()
                if isinstance(cell.method.explainer, CONTROLS)
            ),
            absences=[
                Missing(reason, *group, "", *methods[name], metric)
                for (name, metric), reason in self.left_out.items()
            ],
        )

    def __repr__(self) -> str:
        methods = len({method for method, _ in self.tables})
        return f"Scores of {methods} methods by {len(self.metrics)} metrics; .compare() gives the table"


def score(explanations: Explanations, metrics: object, *, removal: object = None) -> Scores:
    """Measure explanations.

    Args:
        explanations: of several methods, from `explain`.
        metrics: a name of conf/metric/, a metric object, or a list of those. Metrics that compare two models
            are left to experiments.
        removal: what "absent" means to metrics that take tokens away, by name or as an object. By default
            "mask", or "delete" for a model without a mask token.

    Returns:
        The scores; `.compare()` is the table, `.to_frame()` every single value.

    Raises:
        InputError: an unknown name, or no metric that makes sense here, with the reason.

    Example:
        >>> score(explanations, ["faithfulness", "human_agreement"]).compare()  # doctest: +SKIP
    """
    if not isinstance(explanations, Explanations):
        raise InputError(
            f"a {type(explanations).__name__} cannot be scored; expected what explain returns for a list"
        )
    loaded = explanations.loaded
    masked = loaded.model.mask_id is not None
    removals = chosen("baseline", removal or ("mask" if masked else "delete"))
    asked = with_removals(chosen("metric", metrics), removals)
    _check_names(asked)
    left_out: dict[tuple[str, str], str] = {}
    todo: list[tuple[str, Cell, ChosenMetric]] = []
    for name, cell in explanations.cells.items():
        for metric in asked:
            reason = _refusal(metric, loaded, cell)
            if reason is None:
                todo.append((name, cell, metric))
            else:
                left_out[name, metric.metric.name] = reason
    if not todo:
        (_, metric_name), reason = next(iter(left_out.items()))
        raise InputError(f"metric {metric_name!r} cannot be computed here: {reason}")
    if explanations.store is None:
        tables = _in_memory(explanations, todo)
    else:
        tables = _stored(explanations, asked, todo)
    return Scores(tuple(metric.metric for metric in asked), tables, explanations, left_out)


def _check_names(asked: Sequence[ChosenMetric]) -> None:
    """Raise InputError on two metrics of one name, as which their scores would replace each other's."""
    names = [metric.metric.name for metric in asked]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise InputError(
            f"two of the chosen metrics are called {twice[0]!r}, also in the tables; call score once for each"
        )


def _refusal(metric: ChosenMetric, loaded: Loaded, cell: Cell) -> str | None:
    if not isinstance(metric.metric, CellMetric):
        return "it compares two models; run an experiment with several seeds (assay run)"
    return metric_incompatibility(metric, loaded.trial, loaded.abilities) or cell_metric_incompatibility(
        cell, metric
    )


def _in_memory(
    explanations: Explanations, todo: list[tuple[str, Cell, ChosenMetric]]
) -> dict[tuple[str, str], pd.DataFrame]:
    loaded = explanations.loaded
    shards = {name: _shards(explanations, name) for name in dict.fromkeys(name for name, _, _ in todo)}
    bar = tqdm(todo, desc="scoring", unit="metric", delay=SECONDS_WITHOUT_BAR, disable=None)
    return {
        (name, metric.metric.name): score_shards(cell, metric, loaded, shards[name])
        for name, cell, metric in bar
    }


def _shards(explanations: Explanations, name: str) -> list[Shard]:
    loaded, records = explanations.loaded, explanations[name].records
    found = []
    for part in loaded.parts():
        examples = loaded.trial.task.test[part]
        encodings = loaded.model.encode([example.texts for example in examples])
        found.append(to_shard(examples, encodings, loaded.probabilities[part], records[part]))
    return found


def _stored(
    explanations: Explanations, asked: tuple[ChosenMetric, ...], todo: list[tuple[str, Cell, ChosenMetric]]
) -> dict[tuple[str, str], pd.DataFrame]:
    store, loaded = explanations.store, explanations.loaded
    assert store is not None
    trial = replace(loaded.trial, choice=Choice(loaded.trial.choice.methods, asked))
    run_cells(replace(loaded, trial=trial), store)
    tables = {}
    for name, cell, metric in todo:
        path = scores_path(store, cell, metric)
        if not path.exists():
            raise InputError(f"{metric.metric.name} of {cell.title} failed; see the ledger of {store.root}")
        tables[name, metric.metric.name] = read_table(path).to_pandas()
    return tables


def _cell_scores(
    group: Group, method: Method, metric: str, seed: int, cell: Cell, table: pd.DataFrame
) -> CellScores:
    units, targets, parts = wide(table)
    return CellScores(
        group, method, metric, str(seed), tuple(units), parts, cell.explainer_seed, tuple(targets)
    )
