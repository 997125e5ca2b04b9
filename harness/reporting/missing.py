"""Missing results with their reasons: combinations that make no sense, and failures from the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from assay.harness.config.choice import recorded_capabilities
from assay.harness.config.variants import model_name, task_name
from assay.harness.storage.ledger import Failure, failure
from assay.harness.storage.store import Store
from assay.harness.trials.experiment import Experiment
from assay.harness.trials.incompatibilities import cell_metric_incompatibility, metric_incompatibility
from assay.harness.trials.pairs import Pair, pairs
from assay.harness.trials.plan import Cell, Trial
from assay.harness.trials.titles import failure_key
from assay.harness.trials.trial import read_card, trial_cells
from assay.metrics.cell_data import Metric
from assay.metrics.model_pairs import ModelPairMetric
from assay.results.records import Group, Method, Missing


def group_of(trial: Trial) -> Group:
    """What the trial's explainers are compared within."""
    return Group(trial.task_name, trial.model_name, trial.kind)


def method_of(cell: Cell) -> Method:
    """A cell's explainer and baseline, as a row of a comparison."""
    return Method(cell.method.explainer_name, cell.method.baseline_name)


def pair_group(pair: Pair) -> Group:
    """The group of a pair of trials."""
    return group_of(pair.first)._replace(kind=pair.kind)


def cells_of_trial(trial: Trial, store: Store) -> Sequence[Cell]:
    """The trial's cells, refused ones included; none before its model was first loaded."""
    planned = trial_cells(trial, store)
    return () if planned is None else planned.cells


def failures(experiment: Experiment, trials: Sequence[Trial]) -> list[Missing]:
    """Everything of the experiment that is in the ledger."""
    store, entries = experiment.store, []
    for config in experiment.configs:
        kind = "untrained" if config.model.get("init_only") else "trained"
        names = task_name(config), model_name(config), kind, str(config.seed)
        entries.append((failure(store, failure_key(config)), names))
    # Listed once for all: an experiment has thousands of cells, of which next to none fail.
    failed = {path.stem for path in store.failures()}
    for trial in trials if failed else ():
        for cell in cells_of_trial(trial, store):
            names = (*group_of(trial), str(trial.seed), *method_of(cell))
            for name in (cell.key, *(f"{cell.key}-{chosen.key}" for chosen in trial.choice.metrics)):
                if name in failed:
                    entries.append((failure(store, name), names))
    for pair in pairs(trials, store):
        entries.append((failure(store, pair.key), (*pair_group(pair), pair.seeds)))
    return [_failed(entry, names) for entry, names in entries if entry is not None]


def refusals(planned: Sequence[tuple[Trial, Sequence[Cell]]], store: Store) -> list[Missing]:
    """Cells and metrics that make no sense, once per task and model. planned: trials with their cells."""
    sizes = Counter(group_of(trial) for trial, _ in planned)
    refused = (missing for trial, cells in planned for missing in _refused(trial, cells, sizes, store))
    return list(dict.fromkeys(refused))


def _failed(entry: Failure, names: Sequence[str]) -> Missing:
    return Missing(entry.sentence, *names, failed=True, detail=entry.traceback)


def _refused(
    trial: Trial, cells: Sequence[Cell], sizes: Mapping[Group, int], store: Store
) -> Iterator[Missing]:
    group = group_of(trial)
    for cell in cells:
        method = method_of(cell)
        if cell.incompatibility:
            yield Missing(cell.incompatibility, *group, "", *method)
            continue
        for chosen in trial.choice.metrics:
            if reason := cell_metric_incompatibility(cell, chosen):
                yield Missing(reason, *group, "", *method, chosen.metric.name)
    card = read_card(trial, store)
    if card is None:
        return
    alone = sizes[group] < 2
    for chosen in trial.choice.metrics:
        reason = metric_incompatibility(chosen, trial, recorded_capabilities(card))
        if reason is None and _stands_with_trained(chosen.metric, group, sizes):
            reason = "it pools trained and untrained models; its value stands with the trained ones"
        if reason is None and alone and isinstance(chosen.metric, ModelPairMetric):
            reason = "it compares two models; give more than one seed"
        if reason is not None:
            yield Missing(reason, *group, metric=chosen.metric.name)


def _stands_with_trained(metric: Metric, group: Group, groups: Collection[Group]) -> bool:
    """Whether the metric pools this group of untrained models with trained ones (`Pair.kind`)."""
    pools = isinstance(metric, ModelPairMetric) and metric.pooled == "all"
    return pools and group.kind == "untrained" and group._replace(kind="trained") in groups
