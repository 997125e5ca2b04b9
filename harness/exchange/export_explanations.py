"""The explanations of an experiment as a folder that Hugging Face `datasets` and everything else can read."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
    contents: list[tuple[Constant, int]] = []
    with whole_folder(folder, mark=MARK, overwrite=overwrite) as scratch:
        (scratch / "data").mkdir()
        for trial in trials:
            planned = trial_cells(trial, experiment.store)
            for cell in planned.done(experiment.store) if planned else ():
                path = scratch / "data" / f"cell-{len(contents):05d}.parquet"
                constant = _constant(trial, cell)
                contents.append((constant, _write_cell(trial, cell, constant, experiment.store, path)))
        if not contents:
            raise InputError(
                f"nothing of experiment {experiment.name!r} is explained yet; run it first, with assay run"
            )
        (scratch / CARD).write_text(card(experiment.name, _command(experiment), contents), encoding="utf-8")
        write_json(
            scratch / MARK, {"command": _command(experiment), "versions": library_versions(), "layout": 1}
        )
    return sum(rows for _, rows in contents)


def _constant(trial: Trial, cell: Cell) -> Constant:
    return Constant(
        trial.task_name,
        trial.model_name,
        trial.kind,
        trial.seed,
        cell.method.explainer_name,
        cell.method.baseline_name or None,
        cell.explainer_seed,
    )


def _write_cell(trial: Trial, cell: Cell, constant: Constant, store: Store, path: Path) -> int:
    """One cell as one file; returns its rows."""
    rows = 0
    saw = _predictions(trial, store)
    examples = {example.id: example for example in trial.task.test}
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        of_cell = StoredCell(store.cell(cell.key))
        for part in of_cell.parts():
            stored = read_table(part)
            ids = stored["example_id"].to_pylist()
            own = {
                **{name: [value] * len(ids) for name, value in constant._asdict().items()},
                "id": ids,
                "texts": [list(examples[id].texts) for id in ids],
                "gold": [[trial.task.labels[label] for label in examples[id].labels] for id in ids],
                "offsets": _offsets(stored),
                "target_label": [trial.task.labels[target] for target in stored["target"].to_pylist()],
                "labels": [list(trial.task.labels)] * len(ids),
                "probabilities": [saw[id] for id in ids],
                "seconds": _seconds(of_cell.seconds_of(part), ids),
            }
            columns = [own[name] if name in own else stored[name] for name in SCHEMA.names]
            table = pa.table([_typed(*pair) for pair in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)
            writer.write_table(table)
            rows += len(ids)
    return rows


def _typed(column: Any, field: pa.Field) -> Any:
    return column.cast(field.type) if isinstance(column, pa.ChunkedArray) else pa.array(column, field.type)


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
    table = read_table(path, columns=["example_id", "seconds"])
    took = dict(zip(table["example_id"].to_pylist(), table["seconds"].to_pylist(), strict=True))
    return [took.get(id) for id in ids]


def _command(experiment: Experiment) -> str:
    return shlex.join(["assay", "run", *experiment.command])
