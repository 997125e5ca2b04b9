"""What is left to do of an experiment: rows and tokens are counted, seconds and bytes follow from rates."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from assay.harness.config.choice import EVERY_ABILITY, ChosenMetric
from assay.harness.config.keys import canonical
from assay.harness.costs import speeds
from assay.harness.costs.speeds import (
    Rate,
    Speeds,
    load,
    metric_name,
    speeds_key,
    targets_of,
    texts_scored,
)
from assay.harness.storage.layout import StoredCell
from assay.harness.storage.store import Store
from assay.harness.trials.census import TrialPreview
from assay.harness.trials.plan import Cell, Trial, cells, metric_incompatibility
from assay.harness.trials.trial import cell_metrics, read_card, read_trial, scored_on
from assay.metrics.cell_data import Metric
from assay.metrics.model_pairs import ModelPairMetric


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
        trial: the trial's title.
        title: the cell's.
        stored: whether it is explained; None if that was not looked up.
        rows: forward and backward rows of the model.
        tokens: that the model reads in these rows.
        explaining: the shards that are left.
        scoring: the metrics that are left.
        whole: seconds of its longest metric; no two jobs can share one.
    """

    trial: str
    title: str
    stored: bool | None
    rows: int
    tokens: int
    explaining: Amount
    scoring: Amount
    whole: float

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
    """

    title: str
    jobs: int
    loading: Amount
    training: Amount
    asking: Amount
    cells: tuple[CellWork, ...]
    refused: tuple[str, ...]

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


def estimate(outlooks: Sequence[TrialPreview], known: Mapping[str, Speeds], store: Store) -> Estimate:
    """Reckon what is left to do.

    Args:
        outlooks: the trials.
        known: the rates of their work, by `speeds_key`.
        store: what it holds is done.
    """
    trials = [_trial(outlook, known[speeds_key(outlook.trial.config)], store) for outlook in outlooks]
    return Estimate(tuple(trials), _pairs(outlooks, trials, known))


def _amount(rate: Rate | None, units: float, texts: float, what: str) -> Amount:
    if rate is None:
        return Amount(unknown=frozenset({what}))
    return Amount(rate.seconds * units, rate.bytes * texts)


def _trial(outlook: TrialPreview, known: Speeds, store: Store) -> TrialWork:
    trial, card = outlook.trial, read_card(outlook.trial, store)
    has = _abilities(known) if card is None else frozenset(card["abilities"])
    metrics = cell_metrics(trial, has)
    every = cells(trial, "unknown" if card is None else card["weights"], has)
    works = [
        _cell(outlook, cell, scored_on(cell, metrics), known, store) for cell in every if cell.refusal is None
    ]
    refused = [
        f"{trial.task_name} / {trial.model_name} / {cell.title}: {cell.refusal}"
        for cell in every
        if cell.refusal is not None
    ]
    left = any(cell.stored is not True or cell.scoring != Amount() for cell in works)
    asking = Amount()
    if left and read_trial(trial, store) is None:
        # After training, to report how good the model is, and again for the trial's record; layers once.
        asking = _amount(known.rates.get(speeds.ASKING), 3 * outlook.sizes.test, 0, "the model's answers")
    training = _training(outlook, known) if left and card is None else Amount()
    size = trial.config.shards_per_job
    jobs = 0 if not left else 1 if size is None else ceil(_parts(outlook) / int(size))
    return TrialWork(
        trial.title, jobs, Amount(outlook.loading), training, asking, tuple(works), tuple(refused)
    )


def _abilities(known: Speeds) -> frozenset[str]:
    return EVERY_ABILITY if known.abilities is None else frozenset(known.abilities)


def _parts(outlook: TrialPreview) -> int:
    return ceil(outlook.sizes.test / int(outlook.trial.config.shard))


def _training(outlook: TrialPreview, known: Speeds) -> Amount:
    """Training the model, if it is to be trained, and storing it."""
    model, weights = outlook.trial.config.model, known.rates.get(speeds.WEIGHTS, Rate(0.0))
    stored = Amount(bytes=weights.bytes)
    if outlook.trial.kind != "trained" or "training" not in model:
        return stored
    texts = outlook.sizes.train * int(model.training.epochs)
    return stored + _amount(known.rates.get(speeds.TRAINING), texts, 0, "training")


def _cell(
    outlook: TrialPreview, cell: Cell, metrics: Iterable[ChosenMetric], known: Speeds, store: Store
) -> CellWork:
    trial, method, on_disk = outlook.trial, cell.method, StoredCell(store.cell(cell.key))
    lengths, count, texts = outlook.lengths, outlook.count, outlook.sizes.test
    forward, backward, units = load(method, lengths, targets_of(trial.config, len(trial.task.labels)))
    stored, parts = on_disk.done, _parts(outlook)
    # Some parts of a cell that was begun are there.
    there = parts if stored else len(on_disk.parts())
    left = max(1 - there / parts, 0.0)
    rows, tokens = ((forward + backward) * per_row @ count for per_row in (1, lengths))
    explaining, scoring = Amount(), []
    if left:
        explaining = _amount(known.method(method), left * float(units @ count), left * texts, cell.title)
    for chosen in metrics:
        if not on_disk.scores(chosen.key).exists():
            rate = known.rates.get(metric_name(chosen, method))
            scored = texts_scored(chosen, texts)
            scoring.append(_amount(rate, scored, scored, chosen.metric.name))
    return CellWork(
        trial.title,
        cell.title,
        stored if outlook.known else None,
        round(left * float(rows)),
        round(left * float(tokens)),
        explaining,
        sum(scoring, Amount()),
        max((amount.seconds for amount in scoring), default=0.0),
    )


def _pairs(
    outlooks: Sequence[TrialPreview], works: Sequence[TrialWork], known: Mapping[str, Speeds]
) -> Amount:
    """Of trials of one task and architecture of which any has something left to do."""
    groups: dict[str, list[tuple[TrialPreview, TrialWork]]] = {}
    for outlook, work in zip(outlooks, works, strict=True):
        groups.setdefault(_architecture(outlook.trial), []).append((outlook, work))
    total = Amount()
    for group in groups.values():
        (outlook, work), trial = group[0], group[0][0].trial
        rates = known[speeds_key(trial.config)]
        counts = [sum(one.trial.kind == kind for one, _ in group) for kind in ("trained", "untrained")]
        texts = outlook.sizes.test if any(one.jobs for _, one in group) else 0
        for chosen in trial.choice.metrics:
            pairs = _compared(chosen.metric, *counts) * texts
            if not pairs or metric_incompatibility(chosen, trial, _abilities(rates)) is not None:
                continue
            # Both models are asked for their layers on every text.
            total += _amount(rates.rates.get(speeds.ASKING), 2 * pairs, 0, chosen.metric.name)
            scored = pairs * len(work.cells)
            rate = rates.rates.get(metric_name(chosen, trial.choice.methods[0]))
            total += _amount(rate, scored, scored, chosen.metric.name)
    return total


def _compared(metric: Metric, trained: int, untrained: int) -> int:
    """How many pairs of trained models, of untrained ones, and of one with the other."""
    if not isinstance(metric, ModelPairMetric):
        return 0
    both = [(trained, None), (untrained, None), (untrained, trained)]
    return sum(len(metric.pairs(firsts, seconds)) for firsts, seconds in both)


def _architecture(trial: Trial) -> str:
    """What two trials must share to be compared: the texts, and the model but for being trained."""
    model = {name: value for name, value in trial.config.model.items() if name != "init_only"}
    return canonical([trial.task_name, trial.model_name, trial.config.task, trial.config.limits, model])
