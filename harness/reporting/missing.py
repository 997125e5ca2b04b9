"""What is not there and why: combinations that make no sense, and failures from the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from assay.harness.config.variants import model_name, task_name
from assay.harness.storage.ledger import Failure, failure
from assay.harness.storage.store import Store
from assay.harness.trials.experiment import Experiment
from assay.harness.trials.incompatibilities import cell_metric_incompatibility, metric_incompatibility
from assay.harness.trials.pairs import Pair, pairs
from assay.harness.trials.plan import Cell, Trial
from assay.harness.trials.titles import failure_key
from assay.harness.trials.trial import read_card, trial_cells
from assay.metrics.cell_data import Metric, PairMetric
from assay.metrics.model_pairs import ModelPairMetric
from assay.results.records import Group, Missing


def group_of(trial: Trial) -> Group:
    """What the trial's explainers are compared within."""
    return Group(trial.task_name, trial.model_name, trial.kind)


def pair_group(pair: Pair) -> Group:
    """The same for a pair of trials."""
    return group_of(pair.first)._replace(kind=pair.kind)


def cells_of_trial(trial: Trial, store: Store) -> Sequence[Cell]:
    """The trial's cells, refused ones included; none before its model was first loaded."""
    planned = trial_cells(trial, store)
    return () if planned is None else planned.cells


def failures(experiment: Experiment, trials: Sequence[Trial]) -> list[Missing]:
    """Everything of the experiment that is in the ledger."""
    store, found = experiment.store, []
    for config in experiment.configs:
        kind = "untrained" if config.model.get("init_only") else "trained"
        names = task_name(config), model_name(config), kind, str(config.seed)
        found.append((failure(store, failure_key(config)), names))
    # Asked once for all: an experiment has thousands of cells, of which next to none fail.
    entries = {path.stem for path in store.failures()}
    for trial in trials if entries else ():
        for cell in cells_of_trial(trial, store):
            names = (*group_of(trial), str(trial.seed), cell.method.explainer_name, cell.method.baseline_name)
            for name in (cell.key, *(f"{cell.key}-{chosen.key}" for chosen in trial.choice.metrics)):
                if name in entries:
                    found.append((failure(store, name), names))
    for pair in pairs(trials, store):
        found.append((failure(store, pair.key), (*pair_group(pair), pair.seeds)))
    return [_failed(entry, names) for entry, names in found if entry is not None]


def refusals(known: Sequence[tuple[Trial, Sequence[Cell]]], store: Store) -> list[Missing]:
    """Cells and metrics that make no sense, once per task and model. known: `cells_of_trial` of each."""
    sizes = Counter(group_of(trial) for trial, _ in known)
    return list(dict.fromkeys(absence for of_trial in known for absence in _refused(*of_trial, sizes, store)))


def _failed(entry: Failure, names: Sequence[str]) -> Missing:
    return Missing(entry.sentence, *names, failed=True, detail=entry.traceback)


def _refused(
    trial: Trial, known: Sequence[Cell], sizes: Mapping[Group, int], store: Store
) -> Iterator[Missing]:
    group = group_of(trial)
    for cell in known:
        explainer, baseline = cell.method.explainer_name, cell.method.baseline_name
        if cell.refusal:
            yield Missing(cell.refusal, *group, explainer=explainer, baseline=baseline)
            continue
        for chosen in trial.choice.metrics:
            if reason := cell_metric_incompatibility(cell, chosen):
                name = chosen.metric.name
                yield Missing(reason, *group, explainer=explainer, baseline=baseline, metric=name)
    card = read_card(trial, store)
    if card is None:
        return
    alone = sizes[group] < 2
    for chosen in trial.choice.metrics:
        reason = metric_incompatibility(chosen, trial, frozenset(card["abilities"]))
        if reason is None and _stands_with_trained(chosen.metric, group, sizes):
            reason = "it pools trained and untrained models; its value stands with the trained ones"
        if reason is None and alone and isinstance(chosen.metric, PairMetric):
            reason = "it compares two models; give more than one seed"
        if reason is not None:
            yield Missing(reason, *group, metric=chosen.metric.name)


def _stands_with_trained(metric: Metric, group: Group, known: Collection[Group]) -> bool:
    """Whether the metric pools this group of untrained models with trained ones (`Pair.kind`)."""
    pools = isinstance(metric, ModelPairMetric) and metric.pooled == "all"
    return pools and group.kind == "untrained" and group._replace(kind="trained") in known
