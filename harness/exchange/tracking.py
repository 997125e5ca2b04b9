"""What is on disk of an experiment as runs of an experiment tracker: one per cell, and per pair of cells."""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assay.harness.config.keys import key
from assay.harness.exchange.trackers import TRACKERS, Run
from assay.harness.reporting.collect import score_files
from assay.harness.reporting.score_files import ScoreFile, read_scores
from assay.harness.storage.layout import StoredCell, is_of_pair
from assay.harness.storage.store import read_json, read_table, write_json
from assay.harness.trials.experiment import Experiment
from assay.harness.trials.plan import Trial
from assay.metrics.cell_data import Metric
from assay.results.parallel import serial_map
from assay.results.records import Group
from assay.results.statistics.comparison import estimate
from assay.results.statistics.estimates import Bootstrap
from assay.tasks.errors import InputError

# Beside what a tracker writes: the runs it was given, so that nothing is written twice.
RECORD = "assay-tracked.json"


@dataclass(frozen=True, slots=True)
class Tracked:
    """How many runs were written and how many were there already, and where."""

    written: int
    known: int
    folder: Path


def track(experiment: Experiment, trials: Sequence[Trial], to: str, folder: Path | None) -> Tracked:
    """Write every run that the tracker does not have yet, or has with other scores.

    folder: where the tracker keeps its files; by default one in the experiment's. Raises InputError when the
    tracker's package is not installed.
    """
    tracker = TRACKERS[to]
    try:
        importlib.import_module(tracker.module)
    except ImportError as error:
        raise InputError(
            f"tracking to {to} needs a package that is not installed ({error}); install it with: "
            f"pip install 'assay[track-{to}]'"
        ) from error
    where = (folder or experiment.store.experiment(experiment.name) / "tracking" / to).absolute()
    where.mkdir(parents=True, exist_ok=True)
    known: dict[str, str] = read_json(where / RECORD) or {}
    found = runs(experiment, trials)
    new = [run for run in found if known.get(run.id) != _digest(run)]
    for run in new:
        tracker.write(run, experiment.name, where)
        known[run.id] = _digest(run)
        write_json(where / RECORD, known)
    return Tracked(len(new), len(found) - len(new), where)


def runs(experiment: Experiment, trials: Sequence[Trial]) -> list[Run]:
    """One run for every cell that has a score, and for every explainer on a pair of models.

    parameters: the axes, and the settings of the explainer. metrics: by name the mean over texts, and the
    ends of its interval as `name/low` and `name/high`; what is undefined is left out.
    """
    options = experiment.configs[0].report
    bootstrap = Bootstrap(n=int(options.bootstrap), seed=int(options.seed))
    chosen = {one.metric.name: one.metric for trial in trials for one in trial.choice.metrics}
    files: dict[tuple[str, Group], list[ScoreFile]] = {}
    for file in score_files(trials, experiment.store):
        files.setdefault((_content(file), file.group), []).append(file)
    # Trials that a sweep calls by two names may share a cell, which then is a run of each; the first keeps
    # the run's name.
    first: dict[str, Group] = {}
    for content, group in files:
        first.setdefault(content, group)
    return [
        Run(
            id=key("tracked", experiment.name, content, *([] if group == first[content] else group)),
            title=_title(of_run[0]),
            parameters={**_axes(of_run[0]), **_settings(of_run[0])},
            metrics={**_scores(of_run, chosen, bootstrap), **_seconds(of_run[0])},
        )
        for (content, group), of_run in files.items()
    ]


def _cell(file: ScoreFile) -> StoredCell:
    """The cell of the scores; of a pair, a folder without the files of a cell."""
    return StoredCell(file.path.parents[1])


def _content(file: ScoreFile) -> str:
    """The key of the cell, or of the pair of cells, that the scores are of."""
    return file.path.stem.rpartition("-")[2] if is_of_pair(file.path) else _cell(file).folder.name


def _title(file: ScoreFile) -> str:
    return f"{file.group.title} / seed {file.seed} / {file.method.title} / {file.explainer_seed}"


def _axes(file: ScoreFile) -> dict[str, str]:
    group, method = file.group, file.method
    return {
        "task": group.task,
        "model": group.model,
        "kind": group.kind,
        "seed": file.seed,
        "explainer": method.explainer,
        "baseline": method.baseline,
        "explainer_seed": str(file.explainer_seed),
        "key": _content(file),
    }


def _settings(file: ScoreFile) -> dict[str, str]:
    """The explainer's settings, the weights, and the versions that made the cell; pairs have none."""
    card: dict[str, Any] = read_json(_cell(file).record) or {}
    chosen = card.get("config", {}).get("explainer", {}).get(file.method.explainer, {})
    named = {f"explainer.{name}": value for name, value in chosen.items() if name != "_target_"}
    named |= {f"version.{name}": value for name, value in card.get("versions", {}).items()}
    named |= {name: card[name] for name in ("weights", "explained", "device") if name in card}
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in named.items()}


def _scores(
    files: Sequence[ScoreFile],
    chosen: Mapping[str, Metric],
    bootstrap: Bootstrap,
) -> dict[str, float]:
    found: dict[str, float] = {}
    for scores in read_scores(files, serial_map):
        metric = chosen[scores.metric]
        ((of, _),) = estimate([scores], metric, bootstrap).values()
        around = of.interval(bootstrap.level)
        low, high = np.clip([around.low, around.high], *metric.bounds).tolist()
        found |= {metric.name: of.value, f"{metric.name}/low": low, f"{metric.name}/high": high}
    return {name: float(value) for name, value in found.items() if math.isfinite(value)}


def _seconds(file: ScoreFile) -> dict[str, float]:
    """The median wall time per text, of a cell."""
    parts = _cell(file).seconds_parts()
    if not parts:
        return {}
    seconds = np.concatenate([read_table(part, ["seconds"])["seconds"].to_numpy() for part in parts])
    return {"seconds_per_text": float(np.median(seconds))}


def _digest(run: Run) -> str:
    return key("run", run.title, run.parameters, run.metrics)
