"""One cell: its shards explained, its explanations scored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.explainers import averaging
from assay.explainers.baselines import Baseline
from assay.explainers.explanation import Explanation
from assay.explainers.marginal.mlm import MaskedLanguageModel
from assay.explainers.masks.diffmask import DiffMask, TrainedDiffMask
from assay.explainers.masks.gate_training import GateSettings
from assay.explainers.protocol import Explainer, Request, fitted
from assay.harness.config.choice import ChosenMetric, Method
from assay.harness.config.schema import Targets
from assay.harness.storage.layout import StoredCell
from assay.harness.storage.store import Store, write_table
from assay.harness.trials.made_with import MadeWith, about_gates, has_masked_lm, masked_lm_weights, named
from assay.harness.trials.masked_lms import TrainedMLMs, with_masked_lm
from assay.harness.trials.plan import Cell, Trial
from assay.harness.trials.records import read_checks, read_scores, to_table
from assay.harness.trials.trained_gates import gates_of, with_gates
from assay.metrics.cell_data import CellData, CellMetric, Checks, Shard, gold, predicted
from assay.models.encoding import Encoding
from assay.models.engine import Counters, Engine
from assay.models.protocol import Model
from assay.tasks.example import Example

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A trial with its model at hand. probabilities: (N, K) on the explained texts."""

    trial: Trial
    engine: Engine
    weights: str
    capabilities: frozenset[str]
    probabilities: NDArray[np.float64]
    _activations: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    _fitted: dict[Baseline, Baseline] = field(default_factory=dict)
    _explainers: dict[Explainer, Explainer] = field(default_factory=dict)
    store: Store | None = None
    # Trained in memory, where there is no store: methods that read off one training share it.
    _gates: dict[GateSettings, TrainedDiffMask] = field(default_factory=dict)
    _masked_lms: TrainedMLMs = field(default_factory=dict)

    @property
    def model(self) -> Model:
        return self.engine.model

    def parts(self) -> list[slice]:
        """The shards of the explained texts."""
        size, total = int(self.trial.config.shard), len(self.trial.task.test)
        return [slice(start, min(start + size, total)) for start in range(0, total, size)]

    def activations(self) -> dict[str, NDArray[np.float32]]:
        """Layer to (N, D) on the explained texts; asked once, because no explainer changes it."""
        if not self._activations:
            from assay.metrics.dataset_consistency import pooled_activations

            texts = [example.texts for example in self.trial.task.test]
            self._activations.update(pooled_activations(self.engine, self.model.encode(texts)))
        return self._activations

    def fitted(self, baseline: Baseline) -> Baseline:
        """A baseline of the trial, fitted to its training texts and the model; once for all that use it."""
        if baseline not in self._fitted:
            train, dev = self.trial.task.train, self.trial.task.dev
            kept = self._masked_lms if self.store is None else self.store
            self._fitted[baseline] = (
                with_masked_lm(baseline, self.engine, train, dev, kept)
                if isinstance(baseline, MaskedLanguageModel)
                else baseline.fitted(self.engine, train)
            )
        return self._fitted[baseline]

    def fitted_explainer(self, explainer: Explainer) -> Explainer:
        """An explainer of the trial, made from its training texts once if it is made from some."""
        if not explainer.traits.from_texts:
            return explainer
        if explainer not in self._explainers:
            self._explainers[explainer] = self._fit(explainer)
        return self._explainers[explainer]

    def _fit(self, explainer: Explainer) -> Explainer:
        if isinstance(explainer, DiffMask):
            if self.store is not None:
                return with_gates(explainer, self.engine, self.weights, self.trial, self.store)
            explainer.check(self.engine)
            if explainer.settings not in self._gates:
                self._gates[explainer.settings] = explainer.fitted(self.engine, self.trial.task.train)
            known = self._gates[explainer.settings]
            return explainer.using(known.gates, known.about, self.engine.model)
        passing_on: Any = explainer
        if hasattr(passing_on, "of"):
            return replace(passing_on, of=self.fitted_explainer(passing_on.of))
        return fitted(explainer, self.engine, self.trial.task.train)

    def made_with(self, method: Method, chosen: ChosenMetric | None = None) -> MadeWith:
        """What was trained for a method's explanations, or their scores on a metric; now or before."""
        made: MadeWith = {}
        if gates_of(method.explainer) is not None:
            made["gates"] = str(about_gates(self.fitted_explainer(method.explainer))["weights"])
        removal = None if chosen is None else chosen.used_removal
        for use, baseline in (("baseline", method.baseline), ("removal", removal)):
            if baseline is not None and has_masked_lm(baseline):
                made[use] = masked_lm_weights(self.fitted(baseline))
        return made

    def forget_trained(self) -> None:
        """Read what was trained from the store once more when it is needed."""
        for explainer in [one for one in self._explainers if gates_of(one) is not None]:
            del self._explainers[explainer]
        for baseline in [one for one in self._fitted if has_masked_lm(one)]:
            del self._fitted[baseline]

    def targets(self) -> NDArray[np.bool_]:
        """(N, K) which classes are explained; a text with none of its own gets its most probable class."""
        choice = self.trial.config.targets
        test, task = self.trial.task.test, self.trial.task
        if choice is Targets.all:
            return np.ones(self.probabilities.shape, dtype=bool)
        if choice is Targets.gold:
            wanted = gold(test, len(task.labels))
        else:
            wanted = predicted(self.probabilities, multi_label=task.multi_label)
        nothing = ~wanted.any(axis=1)
        wanted[nothing, self.probabilities[nothing].argmax(axis=1)] = True
        return wanted


@dataclass(frozen=True, slots=True, eq=False)
class StoredShards:
    """A cell's explanations as metrics walk them; each walk reads the files anew."""

    folder: Path
    loaded: Loaded

    def __iter__(self) -> Iterator[Shard]:
        task = self.loaded.trial.task
        for number, part in enumerate(self.loaded.parts()):
            examples = task.test[part]
            path = StoredCell(self.folder).part(number)
            ids = [example.id for example in examples]
            scores, costs = read_scores(path, ids, len(task.labels))
            encodings = self.loaded.model.encode([example.texts for example in examples])
            content = np.zeros((len(examples), scores.shape[2]), dtype=bool)
            for row, encoding in enumerate(encodings):
                content[row, : len(encoding)] = encoding.content
            probabilities = self.loaded.probabilities[part]
            checks = partial(read_checks, path, ids, len(task.labels))
            yield Shard(examples, encodings, probabilities, scores, content, costs, checks)


def explain_part(cell: Cell, loaded: Loaded, store: Store, number: int) -> list[tuple[float, int]]:
    """Explain one shard and write it to disk. Returns (reliability, forward rows) per explanation."""
    # What is made once for all texts is in none of their costs.
    loaded.fitted_explainer(cell.method.explainer)
    stored, before = StoredCell(store.cell(cell.key)), loaded.engine.counters.copy()
    explanations = explain_shard(cell.method, loaded, loaded.parts()[number], cell.explainer_seed)
    spent = loaded.engine.counters.since(before)
    every = list(chain.from_iterable(explanations))
    write_table(stored.seconds(number), _seconds(explanations, spent))
    write_table(stored.part(number), named(to_table(every), loaded.made_with(cell.method)))
    return [(one.reliability, one.cost.forward_rows) for one in every]


def explain_shard(
    method: Method, loaded: Loaded, part: slice, explainer_seed: int
) -> list[list[Explanation]]:
    """Explanations of the chosen classes of some of a trial's texts.

    Args:
        method: the explainer with its baseline.
        loaded: the trial with its model.
        part: which of the explained texts, one of `loaded.parts()`; those of a shard share batches.
        explainer_seed: the configured seed of the explainer.

    Returns:
        For every text one explanation per class, classes in order.
    """
    examples, targets = loaded.trial.task.test[part], loaded.targets()[part]
    baseline = None if method.baseline is None else loaded.fitted(method.baseline)
    encodings = loaded.model.encode([example.texts for example in examples])
    seed = loaded.trial.request_seed(explainer_seed)
    requests = [
        Request(example, encoding, np.flatnonzero(row), seed)
        for example, encoding, row in zip(examples, encodings, targets, strict=True)
    ]
    return averaging.explain(loaded.fitted_explainer(method.explainer), loaded.engine, requests, baseline)


def score(cell: Cell, chosen: ChosenMetric, loaded: Loaded, store: Store) -> None:
    """Score a cell on one metric and write the long table to disk."""
    shards = StoredShards(store.cell(cell.key), loaded)
    table = pa.Table.from_pandas(score_shards(cell, chosen, loaded, shards), preserve_index=False)
    write_table(scores_path(store, cell, chosen), named(table, loaded.made_with(cell.method, chosen)))


def score_shards(cell: Cell, chosen: ChosenMetric, loaded: Loaded, shards: Iterable[Shard]) -> pd.DataFrame:
    """The long table of one metric on a cell's explanations, which may be walked several times."""
    assert isinstance(chosen.metric, CellMetric)
    return chosen.metric.score(
        CellData(
            shards=shards,
            labels=loaded.trial.task.labels,
            multi_label=loaded.trial.task.multi_label,
            engine=loaded.engine,
            removal=chosen.removal if chosen.used_removal is None else loaded.fitted(chosen.removal),
            seed=cell.explainer_seed,
            activations=loaded.activations,
            explain=partial(_explain_again, cell.method, loaded),
            request_seed=loaded.trial.request_seed(cell.explainer_seed),
        )
    )


def to_shard(
    examples: Sequence[Example],
    encodings: Sequence[Encoding],
    probabilities: NDArray[np.float64],
    explanations: Sequence[Sequence[Explanation]],
) -> Shard:
    """One shard of explanations that are in memory, one list per example."""
    width = max(len(encoding) for encoding in encodings)
    shape = len(examples), probabilities.shape[1]
    scores = np.full((*shape, width), np.nan, dtype=np.float32)
    content = np.zeros((len(examples), width), dtype=bool)
    for row, (encoding, records) in enumerate(zip(encodings, explanations, strict=True)):
        content[row, : len(encoding)] = encoding.content
        for record in records:
            scores[row, record.target] = 0.0
            scores[row, record.target, : len(encoding)] = record.scores
    costs = [records[0].cost for records in explanations]
    checks = partial(_checks, explanations, shape)
    return Shard(examples, encodings, probabilities, scores, content, costs, checks)


def _checks(explanations: Sequence[Sequence[Explanation]], shape: tuple[int, int]) -> Checks:
    """As `read_checks` of stored explanations."""
    checks = Checks(*(np.full(shape, np.nan) for _ in range(3)))
    for row, records in enumerate(explanations):
        for record in records:
            place = row, record.target
            checks.effect[place] = record.value_input - record.value_baseline
            checks.gap[place] = checks.effect[place] - sum(record.scores.tolist())
            checks.reliability[place] = record.reliability
    return checks


def _explain_again(
    method: Method, loaded: Loaded, engine: Engine, requests: Sequence[Request]
) -> list[list[Explanation]]:
    """By the trial's model or, behind another engine, a changed one, to which the baseline is then fitted.

    A masked language model depends on no weights of the classifier; what is trained on its answers is trained
    anew for a changed one.
    """
    baseline, explainer = method.baseline, loaded.fitted_explainer(method.explainer)
    if explainer.traits.from_model and engine is not loaded.engine:
        explainer = fitted(method.explainer, engine, loaded.trial.task.train)
    if baseline is not None and (engine is loaded.engine or baseline.mixture):
        baseline = loaded.fitted(baseline)
    elif baseline is not None:
        baseline = baseline.fitted(engine, loaded.trial.task.train)
    return averaging.explain(explainer, engine, requests, baseline)


def scores_path(store: Store, cell: Cell, chosen: ChosenMetric) -> Path:
    """The file of a metric's long table of a cell."""
    return StoredCell(store.cell(cell.key)).scores(chosen.key)


def _seconds(found: Sequence[Sequence[Explanation]], spent: Counters) -> pd.DataFrame:
    """Wall seconds per text, all its targets together; of the shard, seconds in the model by text, and in a
    masked language model if one was asked, and how often memory ran out."""
    import pandas as pd

    apart = {"seconds_in_mlm": spent.mlm_seconds / max(len(found), 1)} if spent.mlm_rows else {}
    return pd.DataFrame(
        {
            "example_id": [records[0].example_id for records in found],
            "seconds": [records[0].cost.seconds for records in found],
            "seconds_in_model": spent.seconds / max(len(found), 1),
            **apart,
            "halvings": spent.halvings,
        }
    )
