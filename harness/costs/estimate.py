"""What is still to be done of an experiment: rows, seconds and bytes, by what is known of speeds."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from assay.harness.config.choice import EVERY_ABILITY, ChosenMetric
from assay.harness.config.keys import canonical
from assay.harness.costs import speeds
from assay.harness.costs.speeds import Rate, Speeds, load, looked_at, method_name, metric_name, targets_of
from assay.harness.storage.store import Store
from assay.harness.trials.census import Outlook
from assay.harness.trials.plan import Cell, Trial, cells, metric_refusal
from assay.harness.trials.trial import cell_metrics, read_card, read_trial, scored_on
from assay.metrics.model_pairs import ModelPairMetric


@dataclass(frozen=True, slots=True)
class Amount:
    """Seconds and bytes of work. unknown: pieces of it whose speed nobody knows; they count 0."""

    seconds: float = 0.0
    bytes: float = 0.0
    unknown: frozenset[str] = frozenset()

    def __add__(self, other: Amount) -> Amount:
        """Both together."""
        return Amount(self.seconds + other.seconds, self.bytes + other.bytes, self.unknown | other.unknown)


@dataclass(frozen=True, slots=True)
class CellWork:
    """What is left to do of one cell. stored: whether it is explained; None: not looked up. whole: seconds of
    its longest piece that no two jobs can share, which is a metric."""

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
    """What is left to do of one trial. jobs: into how many it is cut, 0 if nothing is left. loading: reading
    its texts, which every job does. refused: what makes no sense, with the reason."""

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
    """trials: in order. pairs: comparing the models of trials, done last, by one process."""

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


def estimate(outlooks: Sequence[Outlook], known: Mapping[str, Speeds], store: Store) -> Estimate:
    """known: by `speeds_key`."""
    trials = [_trial(outlook, known[speeds.speeds_key(outlook.trial.config)], store) for outlook in outlooks]
    return Estimate(tuple(trials), _pairs(outlooks, trials, known))


@dataclass(frozen=True, slots=True, eq=False)
class _Prices:
    """Turns units of work into amounts."""

    rates: Mapping[str, Rate]

    def of(self, name: str, units: float, what: str) -> Amount:
        """Seconds."""
        rate = self.rates.get(name)
        return Amount(unknown=frozenset({what})) if rate is None else Amount(rate.of(units))

    def files(self, count: int, words: float = 0.0) -> Amount:
        """Seconds of writing so many files of explanations of so many words; a trifle, if it is unknown."""
        rate = self.rates.get(speeds.WRITING, Rate(0.0, 0.0))
        return Amount(count * rate.once + rate.each * words)

    def bytes(self, name: str, units: float, times: float = 1) -> Amount:
        """Bytes; what is unknown shows in the seconds already."""
        rate = self.rates.get(name)
        return Amount() if rate is None else Amount(bytes=(times - 1) * rate.once + rate.of(units))


def _trial(outlook: Outlook, known: Speeds, store: Store) -> TrialWork:
    trial, prices = outlook.trial, _Prices(known.rates)
    card = read_card(trial, store)
    assumed = EVERY_ABILITY if known.abilities is None else frozenset(known.abilities)
    has = assumed if card is None else frozenset(card["abilities"])
    works, refused, metrics = [], [], cell_metrics(trial, has)
    for cell in cells(trial, "unknown" if card is None else card["weights"], has):
        if cell.refusal is None:
            works.append(_cell(outlook, cell, scored_on(cell, metrics), prices, store))
        else:
            refused.append(f"{trial.task.name} / {trial.model_name} / {cell.title}: {cell.refusal}")
    left = any(cell.stored is not True or cell.scoring != Amount() for cell in works)
    training = Amount()
    if left and trial.kind == "trained" and "training" in trial.config.model and card is None:
        epochs = int(trial.config.model.training.epochs)
        training = prices.of(speeds.TRAINING, outlook.sizes.train * epochs, "training")
    if card is None:
        training += prices.bytes(speeds.MODEL_BYTES, 0)
    asking = Amount()
    if left and read_trial(trial, store) is None:
        # After training, to report how good the model is, and again for the trial's record; layers once.
        asking = prices.of(speeds.ASKING, 3 * outlook.sizes.test, "the model's answers")
    size = trial.config.shards_per_job
    parts = ceil(outlook.sizes.test / int(trial.config.shard))
    jobs = 0 if not left else 1 if size is None else ceil(parts / int(size))
    loading = Amount(outlook.loading)
    return TrialWork(trial.title, jobs, loading, training, asking, tuple(works), tuple(refused))


def _cell(
    outlook: Outlook, cell: Cell, metrics: Iterable[ChosenMetric], prices: _Prices, store: Store
) -> CellWork:
    trial, method = outlook.trial, cell.method
    folder = store.cell(cell.key)
    targets = targets_of(trial.config, len(trial.task.labels))
    lengths, count = outlook.lengths, outlook.count
    forward, backward, units = load(method, lengths, targets)
    stored = (folder / "cell.json").exists()
    parts = ceil(outlook.sizes.test / int(trial.config.shard))
    # Of a cell that was begun.
    there = parts if stored else min(len(list(folder.glob("explanations/part-*.parquet"))), parts)
    left = 1 - there / parts
    rows = round(left * float((forward + backward) @ count))
    tokens = round(left * float((forward + backward) * lengths @ count))
    explaining = Amount()
    if left:
        explaining = prices.of(method_name(method), left * float(units @ count), cell.title)
        size = left * float(lengths @ count) * targets
        explaining += prices.files(parts - there, size)
        explaining += prices.bytes(speeds.EXPLANATION_BYTES, size, parts - there)
    # A text of the metrics that explain it once more, for one class.
    again = float(load(method, lengths, 1)[2] @ count) / count.sum()
    scoring, whole = Amount(), 0.0
    for chosen in metrics:
        if (folder / "scores" / f"{chosen.key}.parquet").exists():
            continue
        texts = looked_at(chosen, outlook.sizes.test)
        spent = prices.of(metric_name(chosen), texts, chosen.metric.name) + prices.files(1)
        rate = prices.rates.get(metric_name(chosen))
        if rate is not None and rate.again:
            spent += prices.of(method_name(method), rate.again * texts * again, cell.title)
        whole = max(whole, spent.seconds)
        scoring += spent + prices.bytes(speeds.bytes_name(chosen), texts)
    known = stored if outlook.known else None
    return CellWork(trial.title, cell.title, known, rows, tokens, explaining, scoring, whole)


def _pairs(outlooks: Sequence[Outlook], works: Sequence[TrialWork], known: Mapping[str, Speeds]) -> Amount:
    """Of trials of one task and architecture of which any has something left to do."""
    groups: dict[str, list[tuple[Outlook, TrialWork]]] = {}
    for outlook, work in zip(outlooks, works, strict=True):
        groups.setdefault(_architecture(outlook.trial), []).append((outlook, work))
    total = Amount()
    for group in groups.values():
        if not any(work.jobs for _, work in group):
            continue
        outlook, work = group[0]
        prices = _Prices(known[speeds.speeds_key(outlook.trial.config)].rates)
        counts = [sum(one.trial.kind == kind for one, _ in group) for kind in ("trained", "untrained")]
        for chosen, metric in _pair_metrics(outlook.trial, known):
            pairs = sum(_compared(metric, *counts))
            if not pairs:
                continue
            texts = outlook.sizes.test
            apart = prices.of(speeds.DISTANCES, texts, chosen.metric.name)
            each = prices.of(metric_name(chosen), texts, chosen.metric.name)
            each += prices.bytes(speeds.bytes_name(chosen), texts)
            total += sum([apart] * pairs, Amount()) + sum([each] * pairs * len(work.cells), Amount())
    return total


def _pair_metrics(trial: Trial, known: Mapping[str, Speeds]) -> list[tuple[ChosenMetric, ModelPairMetric]]:
    seen = known[speeds.speeds_key(trial.config)].abilities
    has = EVERY_ABILITY if seen is None else frozenset(seen)
    return [
        (chosen, chosen.metric)
        for chosen in trial.choice.metrics
        if isinstance(chosen.metric, ModelPairMetric) and metric_refusal(chosen, trial, has) is None
    ]


def _compared(metric: ModelPairMetric, trained: int, untrained: int) -> list[int]:
    """How many pairs of trained models, of untrained ones, and of one with the other."""
    both = [(trained, None), (untrained, None), (untrained, trained)]
    return [len(metric.pairs(firsts, seconds)) for firsts, seconds in both]


def _architecture(trial: Trial) -> str:
    """What two trials must share to be compared: the texts, and the model but for being trained."""
    model = {name: value for name, value in trial.config.model.items() if name != "init_only"}
    return canonical([trial.config.task, trial.config.limits, model])
