"""The explanations of an experiment as a folder that Hugging Face `datasets` and everything else can read."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from assay.explainers.explanation_columns import ABOUT, COSTS, OPTIONAL, TYPES, meant
from assay.harness.config.provenance import library_versions
from assay.harness.exchange.atomic import whole_folder
from assay.harness.reporting.missing import group_of
from assay.harness.storage.layout import StoredCell
from assay.harness.storage.store import Store, read_table, write_json
from assay.harness.trials.experiment import Experiment
from assay.harness.trials.plan import Cell, Trial
from assay.harness.trials.trial import read_predictions, stored_trial, trial_cells
from assay.tasks.errors import InputError

MARK = "assay-export.json"
CARD = "README.md"
_SHARED = ("tokens", "segments", "word_ids", "scores", "standard_error", "target", "output_space")
_SHARED += ("value_input", "value_baseline", *COSTS)
# What is the same in all rows of a cell, by the names of its columns.
Constant = Mapping[str, str | int | None]
# Column, type, and what the card says of it: those of a stored explanation, and those that only exports have.
COLUMNS: Sequence[tuple[str, pa.DataType, str]] = (
    ("id", pa.string(), ABOUT["example_id"]),
    ("texts", pa.list_(pa.string()), "its text, or the two texts of a pair"),
    ("gold", pa.list_(pa.string()), "its labels"),
    ("group", pa.string(), "what the text hangs together with, such as its document, null if nothing"),
    *((name, TYPES[name], ABOUT[name]) for name in _SHARED),
    *((name, type, ABOUT[name]) for name, type in OPTIONAL.items()),
    (
        "offsets",
        pa.list_(pa.list_(pa.int32())),
        "the characters [start, end) of each token in its text; [0, 0] for special tokens",
    ),
    ("target_label", pa.string(), "the name of the target"),
    ("labels", pa.list_(pa.string()), "the names of all classes"),
    ("probabilities", pa.list_(pa.float64()), "what the model gives each of them"),
    ("task", pa.string(), "where the texts are from"),
    ("model", pa.string(), "what is explained"),
    ("kind", pa.string(), "trained, or untrained"),
    ("model_seed", pa.int64(), "the seed it was trained with"),
    ("explainer", pa.string(), "what explains it"),
    ("baseline", pa.string(), "what absent means to the explainer, null if nothing"),
    ("baseline_policy", pa.string(), "what an absent token becomes, null if nothing"),
    ("explainer_seed", pa.int64(), "the seed of its draws"),
    ("seconds", pa.float64(), "wall time, for all targets of the text together"),
)
SCHEMA = pa.schema([(name, type) for name, type, _ in COLUMNS])


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
        (scratch / CARD).write_text(_card(experiment.name, command, contents), encoding="utf-8")
        write_json(scratch / MARK, {"command": command, "versions": library_versions(), "layout": 1})
    return sum(rows for _, rows in contents)


def _constant(trial: Trial, cell: Cell) -> Constant:
    return {
        **group_of(trial)._asdict(),
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
    policy = cell.method.baseline.policy if cell.method.baseline else None
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        for part in stored_cell.parts():
            stored = read_table(part)
            ids = stored["example_id"].to_pylist()
            columns = {
                # Stored tables lack them where all are 0, or where there are none.
                **{name: [meant(name)] * len(ids) for name in OPTIONAL},
                **{name: stored[name] for name in stored.column_names},
                **{name: [value] * len(ids) for name, value in constant.items()},
                "baseline_policy": [policy] * len(ids),
                "id": ids,
                "texts": [examples[id].texts for id in ids],
                "gold": [[labels[label] for label in examples[id].labels] for id in ids],
                "group": [examples[id].group for id in ids],
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


def _card(experiment: str, command: str, contents: Sequence[tuple[Constant, int]]) -> str:
    """The folder's page. contents: every cell with its number of explanations, in the order of the files."""
    environment = Environment(
        loader=PackageLoader("assay.harness.exchange", ""),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"yaml": yaml.safe_dump, "type": _type, "cell": _cell}
    return environment.get_template("dataset_card.j2").render(
        experiment=experiment,
        command=command.replace("`", "'"),
        total=sum(rows for _, rows in contents),
        columns=COLUMNS,
        contents=contents,
    )


def _type(type: pa.DataType) -> str:
    return str(type).replace("element: ", "").replace("item: ", "")


def _cell(value: object) -> str:
    return "–" if value is None else str(value).replace("|", "\\|").replace("\n", " ")
