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
from assay.harness.config.resampling import bootstrap_of
from assay.harness.exchange.trackers import TRACKERS, Run
from assay.harness.reporting.collect import score_files
from assay.harness.reporting.score_files import ScoreFile, read_scores
from assay.harness.storage.layout import TRACKING, StoredCell, is_of_pair
from assay.harness.storage.store import read_json, read_table, write_json
from assay.harness.trials.experiment import Experiment
from assay.harness.trials.plan import Trial
from assay.metrics.cell_data import Metric
from assay.results.parallel import serial_map
from assay.results.records import Group
from assay.results.statistics.comparison import estimate
from assay.results.statistics.estimates import Bootstrap
from assay.tasks.errors import InputError

# Beside the tracker's own files: digests of the runs it was given, so that nothing is written twice.
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
    folder = (folder or experiment.store.experiment(experiment.name) / TRACKING / to).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    digests: dict[str, str] = read_json(folder / RECORD) or {}
    finished = runs(experiment, trials)
    new = [run for run in finished if digests.get(run.id) != _digest(run)]
    for run in new:
        tracker.write(run, experiment.name, folder)
        digests[run.id] = _digest(run)
        write_json(folder / RECORD, digests)
    return Tracked(len(new), len(finished) - len(new), folder)


def runs(experiment: Experiment, trials: Sequence[Trial]) -> list[Run]:
    """One run for every cell that has a score, and for every explainer on a pair of models.

    parameters: the axes, and the settings of the explainer. metrics: by name the mean over texts, and the
    ends of its interval as `name/low` and `name/high`; what is undefined is left out.
    """
    bootstrap = bootstrap_of(experiment.configs[0])
    metrics = {chosen.metric.name: chosen.metric for trial in trials for chosen in trial.choice.metrics}
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
            title=_title(run_files[0]),
            parameters=_parameters(run_files[0]),
            metrics=_scores(run_files, metrics, bootstrap) | _seconds(run_files[0]),
        )
        for (content, group), run_files in files.items()
    ]


def _cell(file: ScoreFile) -> StoredCell:
    """The cell of the scores; of a pair, a folder without the files of a cell."""
    return StoredCell(file.path.parents[1])


def _content(file: ScoreFile) -> str:
    """The key of the cell, or of the pair of cells, that the scores are of."""
    return file.path.stem.rpartition("-")[2] if is_of_pair(file.path) else _cell(file).folder.name


def _title(file: ScoreFile) -> str:
    return f"{file.group.title} / seed {file.seed} / {file.method.title} / {file.explainer_seed}"


def _parameters(file: ScoreFile) -> dict[str, str]:
    """The axes; of a cell also the explainer's settings, the weights, and the versions that made it."""
    record: dict[str, Any] = read_json(_cell(file).record) or {}
    settings = record.get("config", {}).get("explainer", {}).get(file.method.explainer, {})
    named = {f"explainer.{name}": value for name, value in settings.items() if name != "_target_"}
    named |= {f"version.{name}": value for name, value in record.get("versions", {}).items()}
    named |= {name: record[name] for name in ("weights", "explained", "device") if name in record}
    axes = {
        **file.group._asdict(),
        "seed": file.seed,
        **file.method._asdict(),
        "explainer_seed": str(file.explainer_seed),
        "key": _content(file),
    }
    return axes | {
        name: value if isinstance(value, str) else json.dumps(value) for name, value in named.items()
    }


def _scores(
    files: Sequence[ScoreFile], metrics: Mapping[str, Metric], bootstrap: Bootstrap
) -> dict[str, float]:
    values: dict[str, float] = {}
    for scores in read_scores(files, serial_map):
        metric = metrics[scores.metric]
        ((mean, _),) = estimate([scores], metric, bootstrap).values()
        interval = mean.interval(bootstrap.level)
        low, high = np.clip([interval.low, interval.high], *metric.bounds).tolist()
        values |= {metric.name: mean.value, f"{metric.name}/low": low, f"{metric.name}/high": high}
    return {name: float(value) for name, value in values.items() if math.isfinite(value)}


def _seconds(file: ScoreFile) -> dict[str, float]:
    """The median wall time per text, of a cell."""
    parts = _cell(file).seconds_parts()
    if not parts:
        return {}
    seconds = np.concatenate([read_table(part, ["seconds"])["seconds"].to_numpy() for part in parts])
    return {"seconds_per_text": float(np.median(seconds))}


def _digest(run: Run) -> str:
    return key("run", run.title, run.parameters, run.metrics)
