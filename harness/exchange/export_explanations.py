"""The explanations of an experiment as a folder that Hugging Face `datasets` and everything else can read."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from assay.harness.config.provenance import library_versions
from assay.harness.exchange.atomic import whole_folder
from assay.harness.exchange.dataset_card import CARD, SCHEMA, Constant, card
from assay.harness.storage.layout import StoredCell
from assay.harness.storage.store import Store, read_table, write_json
from assay.harness.trials.experiment import Experiment
from assay.harness.trials.plan import Cell, Trial
from assay.harness.trials.trial import read_predictions, stored_trial, trial_cells
from assay.tasks.errors import InputError

MARK = "assay-export.json"


def export_explanations(
    experiment: Experiment, trials: Sequence[Trial], folder: Path, *, overwrite: bool
) -> int:
    """Write every finished cell, a shard of texts in memory at a time; returns the number of explanations.

    Raises InputError when something else is there already, and when nothing is explained.
    """
    store, command = experiment.store, shlex.join(["assay", "run", *experiment.command])
    contents: list[tuple[Constant, int]] = []
    with whole_folder(folder, mark=MARK, overwrite=overwrite) as scratch:
        (scratch / "data").mkdir()
        for trial in trials:
            planned = trial_cells(trial, store)
            for cell in planned.done(store) if planned else ():
                path = scratch / "data" / f"cell-{len(contents):05d}.parquet"
                constant = _constant(trial, cell)
                contents.append((constant, _write_cell(trial, cell, constant, store, path)))
        if not contents:
            raise InputError(
                f"nothing of experiment {experiment.name!r} is explained yet; run it first, with assay run"
            )
        (scratch / CARD).write_text(card(experiment.name, command, contents), encoding="utf-8")
        write_json(scratch / MARK, {"command": command, "versions": library_versions(), "layout": 1})
    return sum(rows for _, rows in contents)


def _constant(trial: Trial, cell: Cell) -> Constant:
    return {
        "task": trial.task_name,
        "model": trial.model_name,
        "kind": trial.kind,
        "model_seed": trial.seed,
        "explainer": cell.method.explainer_name,
        "baseline": cell.method.baseline_name or None,
        "explainer_seed": cell.explainer_seed,
    }


def _write_cell(trial: Trial, cell: Cell, constant: Constant, store: Store, path: Path) -> int:
    """One cell as one file; returns its rows."""
    rows = 0
    labels, probabilities = trial.task.labels, _predictions(trial, store)
    examples = {example.id: example for example in trial.task.test}
    stored_cell = StoredCell(store.cell(cell.key))
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        for part in stored_cell.parts():
            stored = read_table(part)
            ids = stored["example_id"].to_pylist()
            columns = {
                **{name: stored[name] for name in stored.column_names},
                **{name: [value] * len(ids) for name, value in constant.items()},
                "id": ids,
                "texts": [examples[id].texts for id in ids],
                "gold": [[labels[label] for label in examples[id].labels] for id in ids],
                "offsets": _offsets(stored),
                "target_label": [labels[target] for target in stored["target"].to_pylist()],
                "labels": [labels] * len(ids),
                "probabilities": [probabilities[id] for id in ids],
                "seconds": _seconds(stored_cell.seconds_of(part), ids),
            }
            writer.write_table(pa.table(columns, schema=SCHEMA))
            rows += len(ids)
    return rows


def _predictions(trial: Trial, store: Store) -> dict[str, list[float]]:
    stored = stored_trial(trial, store)
    assert stored is not None, "a trial with finished cells has a model"
    ids, probabilities = read_predictions(stored)
    return dict(zip(ids, probabilities.tolist(), strict=True))


def _offsets(stored: pa.Table) -> list[list[list[int]]]:
    pairs = zip(stored["starts"].to_pylist(), stored["ends"].to_pylist(), strict=True)
    return [[list(span) for span in zip(starts, ends, strict=True)] for starts, ends in pairs]


def _seconds(path: Path, ids: Sequence[str]) -> list[float | None]:
    """The wall times of a shard; the file may be lost, because no key depends on it."""
    if not path.exists():
        return [None] * len(ids)
    table = read_table(path)
    seconds = dict(zip(table["example_id"].to_pylist(), table["seconds"].to_pylist(), strict=True))
    return [seconds.get(id) for id in ids]
