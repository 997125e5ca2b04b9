"""The seconds and bytes that each metric takes on a bench's explanations."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd
import pyarrow as pa

from assay.explainers.controls import Random
from assay.explainers.explanation import Explanation
from assay.explainers.protocol import Request
from assay.harness.config.choice import ChosenMetric
from assay.harness.costs import speeds
from assay.harness.costs.bench import Bench
from assay.harness.costs.pace import Measured, grow, line, timed
from assay.harness.costs.speeds import looked_at, metric_name
from assay.harness.storage.store import write_table
from assay.harness.trials.cells import Loaded, StoredShards, explanations_path
from assay.harness.trials.census import words
from assay.harness.trials.plan import metric_refusal
from assay.harness.trials.records import to_table
from assay.metrics.model_pairs import ModelPairMetric, layer_distances
from assay.metrics.subject import CellMetric, Subject
from assay.models.engine import Engine
from assay.tasks.errors import InputError

# Metrics are measured on no fewer texts, if so many are explained: some need enough for a regression.
FEW = 32

Explain = Callable[[Engine, Sequence[Request]], list[list[Explanation]]]


def score_all(bench: Bench) -> None:
    """Seconds and bytes per text of every metric that makes sense, and of writing explanations.

    Random scores are measured on: a metric takes about as long whatever the scores are.
    """
    scoring = _Scoring(bench, Random().explain(bench.engine, bench.requests, None))
    scoring.write_parts()
    chosen = [
        one
        for one in bench.loaded.trial.choice.metrics
        if metric_refusal(one, bench.loaded.trial, bench.loaded.abilities) is None
    ]
    if any(isinstance(one.metric, ModelPairMetric) for one in chosen):
        measured = grow(timed(scoring.distances), scoring.most, bench.left / (len(chosen) + 1))
        bench.rates[speeds.DISTANCES] = line(measured)
    # Those that ask no model first: what they leave of their share is for the others.
    for nth, one in enumerate(sorted(chosen, key=_asks)):
        try:
            scoring.measure(one, bench.left / (len(chosen) - nth))
        except InputError:
            # The model was not trained; the run will tell whether this happens to one that was.
            continue


def _asks(chosen: ChosenMetric) -> bool:
    return bool(chosen.metric.needs & {"removal", "explaining", "mask_token"})


@dataclass(frozen=True, slots=True, eq=False)
class _Scoring:
    """found: explanations of all the bench's texts. subjects: the trial by how many of its texts it has."""

    bench: Bench
    found: list[list[Explanation]]
    subjects: dict[int, Loaded] = field(default_factory=dict)

    @property
    def most(self) -> int:
        return len(self.found)

    def measure(self, chosen: ChosenMetric, seconds: float) -> None:
        """Of a metric: seconds and bytes per text, and the explanations it asks for."""
        asked: list[float] = []
        sizes: Measured = []
        limit: list[float] = []

        def explain(engine: Engine, requests: Sequence[Request]) -> list[list[Explanation]]:
            asked.extend([1.0] * len(requests))
            return Random().explain(engine, requests, None)

        def run(size: int) -> tuple[float, float]:
            loaded = self._loaded(size)
            asked.clear()
            began = time.perf_counter()
            table = self._score(chosen, loaded, explain)
            spent = time.perf_counter() - began
            units = float(looked_at(chosen, size))
            half = table[: len(table) // 2]
            sizes[:] = [(units / 2, self._written(half)), (units, self._written(table))]
            # Of few texts a file holds little but its own overhead, which is the same for both.
            limit[:] = [table.memory_usage(index=False, deep=True).sum() / units]
            return units, spent

        start = 2 if _asks(chosen) else FEW
        measured = grow(run, self.most, seconds, start=min(start, self.most))
        rate = line(measured)
        self.bench.rates[metric_name(chosen)] = replace(rate, again=len(asked) / measured[-1][0])
        written = line(sizes)
        self.bench.rates[speeds.bytes_name(chosen)] = replace(written, each=min(written.each, limit[0]))

    def distances(self, size: int) -> float:
        """Two models' layers on so many texts."""
        encodings = [request.encoding for request in self.bench.requests[:size]]
        layer_distances(self.bench.engine, self.bench.engine, encodings)
        return size

    def write_parts(self) -> None:
        """Seconds and bytes of a part file."""
        taken: Measured = []
        sizes: Measured = []
        for size in (FEW, FEW, self.most):
            words_in = sum(words(request.example) for request in self.bench.requests[:size])
            began = time.perf_counter()
            written = self._written(to_table(one for records in self.found[:size] for one in records))
            taken.append((float(words_in * self.bench.targets), time.perf_counter() - began))
            sizes.append((taken[-1][0], written))
        # The first one warmed up.
        self.bench.rates[speeds.WRITING] = line(taken[1:])
        self.bench.rates[speeds.EXPLANATION_BYTES] = line(sizes[1:])

    def _written(self, table: pa.Table | pd.DataFrame) -> float:
        """The bytes of its file."""
        path = self.bench.folder / "table.parquet"
        write_table(path, table)
        return path.stat().st_size

    def _score(self, chosen: ChosenMetric, loaded: Loaded, explain: Explain) -> pd.DataFrame:
        shards = StoredShards(self._folder(len(loaded.trial.task.test)), loaded)
        metric = chosen.metric
        if isinstance(metric, ModelPairMetric):
            apart = {example.id: float(at) for at, example in enumerate(loaded.trial.task.test)}
            return metric.score_pair(shards, shards, apart)
        assert isinstance(metric, CellMetric)
        return metric.score(
            Subject(
                shards=shards,
                labels=loaded.trial.task.labels,
                multi_label=loaded.trial.task.multi_label,
                engine=loaded.engine,
                removal=self.bench.loaded.fitted(chosen.removal),
                activations=loaded.activations,
                explain=explain,
            )
        )

    def _loaded(self, size: int) -> Loaded:
        """The trial with so many texts, their explanations on disk."""
        if size not in self.subjects:
            whole = self.bench.loaded
            task = replace(whole.trial.task, test=whole.trial.task.test[:size])
            loaded = replace(
                whole,
                trial=replace(whole.trial, task=task),
                probabilities=whole.probabilities[:size],
                _activations={},
            )
            for number, part in enumerate(loaded.parts()):
                table = to_table(one for records in self.found[part] for one in records)
                write_table(explanations_path(self._folder(size), number), table)
            if "activations" in loaded.abilities:
                # A trial asks for them once, not once for every cell.
                loaded.activations()
            self.subjects[size] = loaded
        return self.subjects[size]

    def _folder(self, size: int) -> Path:
        return self.bench.folder / str(size)
