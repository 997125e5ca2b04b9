"""A store full of finished cells, all but those of one trial copied from it; for store_scale.py."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pyarrow as pa

from assay.harness.reporting.missing import cells_of_trial
from assay.harness.storage.layout import StoredCell, StoredModel, StoredTrial
from assay.harness.storage.store import Store, parse_json, read_table, write_json, write_table
from assay.harness.trials.experiment import load_trials, open_experiment
from assay.harness.trials.launch import launch
from assay.harness.trials.plan import Trial
from assay.harness.trials.trial import complete
from assay.metrics.long_table import wide
from assay.tasks.arrays import Floats, Ints

read = cache(read_table)


def fill(overrides: list[str]) -> None:
    """Run the first trial of an experiment and leave all its cells finished."""
    experiment = open_experiment(overrides)
    trials, store = load_trials(experiment), experiment.store
    axes = experiment.sweep.axes.items()
    launch([*experiment.sweep.fixed, *(f"{key}={values[0]}" for key, values in axes)])
    # Files made here need not survive a power cut.
    with patch("os.fsync"):
        for trial in trials[1:]:
            if not complete(trial, store):
                _copy(trials[0], trial, store)
    unfinished = [trial.title for trial in trials if not complete(trial, store)]
    if unfinished or len(trials) != len(experiment.configs):
        raise SystemExit(f"{len(unfinished)} trials are not finished, first {unfinished[:1]}")


def _copy(first: Trial, trial: Trial, store: Store) -> None:
    """Give a trial what the first one left, with scores of its own."""
    card = StoredModel(store.model(first.model_key)).card
    weights = parse_json(card)["weights"]
    write_json(StoredModel(store.model(trial.model_key)).card, parse_json(card))
    source, copy = (StoredTrial(store.trial(one.key(weights))) for one in (first, trial))
    about = {"task": trial.task.name, "model": trial.model_name, "seed": trial.seed}
    write_table(copy.predictions, read(source.predictions))
    write_json(copy.record, {**parse_json(source.record), **about})
    rng = np.random.default_rng(int(trial.model_key, 16))
    for pair in zip(cells_of_trial(first, store), cells_of_trial(trial, store), strict=True):
        source, copy = (StoredCell(store.cell(cell.key)) for cell in pair)
        for file in (*source.parts(), *source.seconds_parts()):
            write_table(copy.folder / file.relative_to(source.folder), read(file))
        for file in source.score_files():
            write_table(copy.score_file(file.name), redrawn(file, rng))
        write_json(copy.record, {**parse_json(source.record), **about})


@cache
def scores(file: Path) -> tuple[pa.Table, Floats, Ints]:
    """A long table, its values as (parts, units, targets), and where each row stands in them (3, rows)."""
    table = read(file)
    units, targets, parts = wide(table.to_pandas())
    names = sorted(parts)
    columns = (np.array(table[name].to_pylist()) for name in ("part", "unit", "target"))
    places = np.stack([np.searchsorted(*axis) for axis in zip((names, units, targets), columns, strict=True)])
    return table, np.stack([parts[name] for name in names]), places


def redrawn(file: Path, rng: np.random.Generator) -> pa.Table:
    """Scores with each unit having the numbers of a unit drawn at random."""
    table, values, (part, unit, target) = scores(file)
    drawn = rng.integers(0, values.shape[1], values.shape[1])
    column = pa.array(values[part, drawn[unit], target])
    return table.set_column(table.column_names.index("value"), "value", column)
