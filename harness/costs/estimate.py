"""What is left to do of an experiment: rows and tokens are counted, seconds and bytes follow from rates."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from assay.harness.config.choice import ChosenMetric
from assay.harness.config.keys import canonical
from assay.harness.costs import speeds
from assay.harness.costs.speeds import Rate, Speeds, metric_name, speeds_key, texts_scored, workload
from assay.harness.storage.layout import StoredCell, StoredModel
from assay.harness.storage.store import Store
from assay.harness.trials.census import TrialPreview
from assay.harness.trials.incompatibilities import metric_incompatibility
from assay.harness.trials.pairs import architecture_key, pairs_by_kind
from assay.harness.trials.plan import Cell, Trial
from assay.harness.trials.trained_gates import gates_key, gates_of
from assay.harness.trials.trial import TrialCells, cells_of_model, read_trial, scored_on, trial_cells
from assay.metrics.model_pairs import ModelPairMetric
from assay.results.records import grouped

# Of a model that was not loaded yet.
USUAL_LAYERS = 12


@dataclass(frozen=True, slots=True)
class Amount:
    """What work takes.

    Attributes:
        seconds: of one worker.
        bytes: on disk.
        unknown: names of the work that has no rate; it counts 0 seconds and 0 bytes.
    """

    seconds: float = 0.0
    bytes: float = 0.0
    unknown: frozenset[str] = frozenset()

    def __add__(self, other: Amount) -> Amount:
        """Both together."""
        return Amount(self.seconds + other.seconds, self.bytes + other.bytes, self.unknown | other.unknown)


@dataclass(frozen=True, slots=True)
class CellWork:
    """What is left to do of one cell.

    Attributes:
        title: the cell's.
        stored: whether it is explained; None if that was not looked up.
        rows: forward and backward rows of the model.
        tokens: that the model reads in these rows.
        explaining: the shards that are left.
        scoring: the metrics that are left.
        whole: seconds of its longest metric; no two jobs can share one.
        counted: whether `rows` and `tokens` are known.
        mlm_rows: of a masked language model; `rows` are then at most so many.
        plain_rows: what `rows` would be with a baseline that puts in one token.
    """

    title: str
    stored: bool | None
    rows: int
    tokens: int
    explaining: Amount
    scoring: Amount
    whole: float
    counted: bool = True
    mlm_rows: int = 0
    plain_rows: int = 0

    @property
    def amount(self) -> Amount:
        return self.explaining + self.scoring


@dataclass(frozen=True, slots=True)
class TrialWork:
    """What is left to do of one trial.

    Attributes:
        title: the trial's.
        jobs: into how many it is cut, 0 if nothing is left.
        loading: reading its texts, which every job does.
        training: of its model.
        asking: the model's answers on the explained texts.
        cells: those that make sense.
        refused: those that do not, each with the reason.
        gates: forward and backward rows, at most, of training explainers; in no cell.
        trainings: how many trainings these are.
    """

    title: str
    jobs: int
    loading: Amount
    training: Amount
    asking: Amount
    cells: tuple[CellWork, ...]
    refused: tuple[str, ...]
    gates: int = 0
    trainings: int = 0

    @property
    def amount(self) -> Amount:
        """As one worker does it."""
        own = sum((cell.amount for cell in self.cells), self.training + self.asking)
        return sum([self.loading] * self.jobs, own)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is left to do of an experiment.

    Attributes:
        trials: in order.
        pairs: comparing the models of trials, done last, by one process.
    """

    trials: tuple[TrialWork, ...]
    pairs: Amount

    @property
    def cells(self) -> list[CellWork]:
        return [cell for trial in self.trials for cell in trial.cells]

    @property
    def amount(self) -> Amount:
        return sum((trial.amount for trial in self.trials), self.pairs)

    def seconds(self, workers: int) -> float:
        """Until all is done by so many workers that take the next job when they are free, longest first.

        The jobs of a trial share its explanations and metrics, but for what cannot be shared.
        """
        jobs: list[float] = []
        longest = 0.0
        for trial in self.trials:
            alone = trial.loading.seconds + trial.training.seconds + trial.asking.seconds
            shared = sum(cell.amount.seconds for cell in trial.cells)
            jobs += [alone + shared / trial.jobs] * trial.jobs
            whole = max((cell.whole for cell in trial.cells), default=0.0)
            longest = max(longest, alone + whole if trial.jobs else 0.0)
        busy = [0.0] * min(workers, max(len(jobs), 1))
        for job in sorted(jobs, reverse=True):
            heapq.heapreplace(busy, busy[0] + job)
        return max(max(busy), longest) + self.pairs.seconds


def estimate(previews: Sequence[TrialPreview], measured: Mapping[str, Speeds], store: Store) -> Estimate:
    """Estimate what is left to do.

    Args:
        previews: the trials.
        measured: the rates of their work, by `speeds_key`.
        store: what it holds is done.
    """
    trials = [_trial(preview, measured[speeds_key(preview.trial.config)], store) for preview in previews]
    return Estimate(tuple(trials), _pairs(previews, trials, measured))


def _amount(rate: Rate | None, units: float, texts: float, what: str) -> Amount:
    if rate is None:
        return Amount(unknown=frozenset({what}))
    return Amount(rate.seconds * units, rate.bytes * texts)


def _trial(preview: TrialPreview, measured: Speeds, store: Store) -> TrialWork:
    trial, stored = preview.trial, trial_cells(preview.trial, store)
    planned = stored or cells_of_model(trial, "unknown", frozenset(measured.capabilities))
    shards = ceil(preview.sizes.test / int(trial.config.shard))
    works = [
        _cell(preview, cell, scored_on(cell, planned.metrics), measured, shards, store)
        for cell in planned.possible
    ]
    refused = [
        f"{trial.task_name} / {trial.model_name} / {cell.title}: {cell.incompatibility}"
        for cell in planned.cells
        if cell.incompatibility is not None
    ]
    left = any(cell.stored is not True or cell.scoring != Amount() for cell in works)
    asking = Amount()
    if left and read_trial(trial, store) is None:
        # After training, to report how good the model is, and again for the trial's record; layers once.
        asking = _amount(measured.rates.get(speeds.ASKING), 3 * preview.sizes.test, 0, "the model's answers")
    training = _training(preview, measured) if left and stored is None else Amount()
    size = trial.config.shards_per_job
    jobs = 0 if not left else 1 if size is None else ceil(shards / int(size))
    loading = Amount(preview.loading)
    gates, rows, trainings = _gates(preview, planned, works, measured, store)
    of_gates = rows, trainings
    return TrialWork(
        trial.title, jobs, loading, training + gates, asking, tuple(works), tuple(refused), *of_gates
    )


def _gates(
    preview: TrialPreview, planned: TrialCells, works: Sequence[CellWork], measured: Speeds, store: Store
) -> tuple[Amount, int, int]:
    """Training the explainers of cells that are left, those that read the same gates once; its rows; and how
    many trainings it is."""
    pairs = zip(planned.possible, works, strict=True)
    wanted = {gates_of(cell.method.explainer) for cell, work in pairs if work.stored is not True}
    kinds = {one.settings: one for one in wanted if one is not None}
    layers = sum(name.startswith("layer:") for name in planned.capabilities) or USUAL_LAYERS
    total, rows, trainings = Amount(), 0, 0
    for settings, explainer in kinds.items():
        name = gates_key(explainer, planned.weights, preview.trial)
        if not StoredModel(store.model(name)).training.is_file():
            forward, backward = settings.training_rows(preview.sizes.train, preview.sizes.dev, layers)
            units = (forward + 2 * backward) * float(np.average(preview.lengths, weights=preview.count))
            amount = _amount(measured.rates.get(speeds.MODEL), units, 0, "training of diffmask")
            total += replace(amount, seconds=min(amount.seconds, 60 * settings.minutes))
            rows, trainings = rows + forward + backward, trainings + 1
    return total, rows, trainings


def _training(preview: TrialPreview, measured: Speeds) -> Amount:
    """Training the model, if it is to be trained, and storing it."""
    model, weights = preview.trial.config.model, measured.rates.get(speeds.WEIGHTS, Rate(0.0))
    stored = Amount(bytes=weights.bytes)
    if preview.trial.kind != "trained" or "training" not in model or not preview.sizes.train:
        return stored
    stages = [int(model[name].epochs) for name in ("base_training", "training") if name in model]
    # A model that is not trained needs no base, and a frozen encoder reads every text once.
    epochs = min(1, stages[-1]) if model.get("frozen") else sum(stages) if stages[-1] else 0
    texts = preview.sizes.train * epochs
    return stored + _amount(measured.rates.get(speeds.TRAINING), texts, 0, "training")


def _cell(
    preview: TrialPreview,
    cell: Cell,
    metrics: Iterable[ChosenMetric],
    measured: Speeds,
    shards: int,
    store: Store,
) -> CellWork:
    method, on_disk, texts = cell.method, StoredCell(store.cell(cell.key)), preview.sizes.test
    work = workload(method, preview)
    # Some shards of a cell that was begun are there.
    left = 0.0 if on_disk.done else max(1 - len(on_disk.parts()) / shards, 0.0)
    explaining, scoring = Amount(), []
    if left:
        explaining = _amount(measured.method(method), left * work.units, left * texts, cell.title)
    for chosen in metrics:
        if not on_disk.scores(chosen.key).exists():
            rate, scored = measured.rates.get(metric_name(chosen, method)), texts_scored(chosen, texts)
            scoring.append(_amount(rate, scored, scored, chosen.metric.name))
    return CellWork(
        cell.title,
        on_disk.done if preview.known else None,
        round(left * work.rows),
        round(left * work.tokens),
        explaining,
        sum(scoring, Amount()),
        max((amount.seconds for amount in scoring), default=0.0),
        method.explainer.traits.cost_known,
        round(left * work.mlm_rows),
        round(left * work.plain_rows),
    )


def _pairs(
    previews: Sequence[TrialPreview], works: Sequence[TrialWork], measured: Mapping[str, Speeds]
) -> Amount:
    """Of trials of one task and architecture of which any has something left to do."""
    total = Amount()
    for places in grouped(range(len(works)), lambda place: _architecture(previews[place].trial)).values():
        preview, models = previews[places[0]], {str(place): previews[place].trial for place in places}
        trial, rates = preview.trial, measured[speeds_key(preview.trial.config)]
        texts = preview.sizes.test if any(works[place].jobs for place in places) else 0
        for chosen in trial.choice.metrics:
            if not isinstance(chosen.metric, ModelPairMetric):
                continue
            pairs = sum(map(len, pairs_by_kind(models, chosen.metric))) * texts
            if not pairs or metric_incompatibility(chosen, trial, frozenset(rates.capabilities)) is not None:
                continue
            # Both models are asked for their layers on every text.
            total += _amount(rates.rates.get(speeds.ASKING), 2 * pairs, 0, chosen.metric.name)
            scored = pairs * len(works[places[0]].cells)
            rate = rates.rates.get(metric_name(chosen, trial.choice.methods[0]))
            total += _amount(rate, scored, scored, chosen.metric.name)
    return total


def _architecture(trial: Trial) -> str:
    """As `architecture_key`, by the configuration of the texts, of which a preview has only a sample."""
    config = trial.config
    return canonical([config.task, config.limits, architecture_key(replace(trial, explained=""))])
