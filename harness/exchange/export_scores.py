"""All scores of an experiment as one tidy table, for whatever reads Parquet or CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq

from assay.harness.config.choice import choose
from assay.harness.exchange.atomic import whole_file
from assay.harness.reporting.collect import score_files
from assay.harness.reporting.score_files import ScoreFile
from assay.harness.storage.store import read_table
from assay.harness.trials.experiment import Experiment
from assay.harness.trials.plan import Trial
from assay.metrics.with_removal import WithRemoval
from assay.results.columns import Column
from assay.results.inert import inert_cell
from assay.tasks.errors import InputError

COLUMNS = (
    Column("task", pa.string(), "the task"),
    Column("model", pa.string(), "the model"),
    Column("kind", pa.string(), "`trained`, `untrained`, or `mixed` for a pair of both"),
    Column(
        "model_seed", pa.string(), "the model seed; `0-1` for a pair of models, `pooled` for several pairs"
    ),
    Column("explainer", pa.string(), "the explainer"),
    Column(
        "baseline", pa.string(), "what an absent token becomes; missing for an explainer without a baseline"
    ),
    Column("explainer_seed", pa.int64(), "the seed of the explainer's draws"),
    Column("metric", pa.string(), "the metric"),
    Column(
        "removal", pa.string(), "the operator that the metric removes tokens with; missing if it removes none"
    ),
    Column("direction", pa.string(), "`higher` or `lower`: which is better"),
    Column("unit", pa.string(), "an example id, or `id\\|id` for a pair of texts"),
    Column("target", pa.int32(), "the index of the class; missing where the value is not about one class"),
    Column("label", pa.string(), "the name of the class; missing likewise"),
    Column("part", pa.string(), "which ingredient of the metric the value is"),
    Column("value", pa.float64(), "the value; missing where it is undefined"),
)
SCHEMA = pa.schema([(column.name, column.type) for column in COLUMNS])


class Exported(NamedTuple):
    """What was written: rows, and of how many metrics of how many cells."""

    rows: int
    tables: int


def export_scores(
    experiment: Experiment, trials: Sequence[Trial], path: Path, *, overwrite: bool
) -> Exported:
    """Write every score that is on disk to a .parquet or a .csv, one metric of one cell in memory at a time.

    Raises InputError on another ending, on a file that is there already, unless `overwrite`, and when there
    are no scores.
    """
    if path.suffix not in (".parquet", ".csv"):
        raise InputError(f"--to is {str(path)!r}; expected a name that ends in .parquet or .csv")
    files = score_files(trials, experiment.store)
    if not files:
        raise InputError(
            f"nothing of experiment {experiment.name!r} is scored yet; run it first, with assay run"
        )
    labels = {trial.task_name: trial.task.labels for trial in trials}
    metrics = _metric_columns(trials)
    rows = 0
    with whole_file(path, overwrite=overwrite) as scratch, _writer(scratch, path.suffix) as writer:
        for file in files:
            table = _tidy(file, metrics[file.metric], labels[file.group.task])
            rows += len(table)
            writer.write_table(table if path.suffix == ".parquet" else harmless(table))
    return Exported(rows, len(files))


def _writer(path: Path, suffix: str) -> pq.ParquetWriter | csv.CSVWriter:
    if suffix == ".csv":
        return csv.CSVWriter(path, SCHEMA)
    return pq.ParquetWriter(path, SCHEMA, compression="zstd")


def _metric_columns(trials: Sequence[Trial]) -> dict[str, dict[str, str | None]]:
    """The columns that are constant for a metric, by the name that its scores are stored under."""
    columns = {}
    for chosen in (chosen for trial in trials for chosen in choose(trial.config).metrics):
        metric = chosen.metric
        name, removal = metric.name, None
        if isinstance(metric, WithRemoval):
            name, removal = metric.metric.name, metric.operator
        elif "removal" in metric.needs:
            removal = str(next(iter(trials[0].config.removal)))
        columns[metric.name] = {"metric": name, "removal": removal, "direction": metric.direction}
    return columns


def _tidy(file: ScoreFile, metric: Mapping[str, str | None], labels: Sequence[str]) -> pa.Table:
    """The stored table with a column for everything that is constant in it."""
    stored = read_table(file.path)
    # -1 stands for what is not about one label.
    numbers = stored["target"].to_numpy()
    targets = pa.array(numbers, pa.int32(), mask=numbers < 0)
    constant = {
        **file.group._asdict(),
        **file.method._asdict(),
        "baseline": file.method.baseline or None,
        "model_seed": file.seed,
        "explainer_seed": file.explainer_seed,
        **metric,
    }
    columns = {
        **{name: pa.repeat(value, len(stored)) for name, value in constant.items()},
        "unit": stored["unit"],
        "target": targets,
        "label": pa.array(labels, pa.string()).take(targets),
        "part": stored["part"],
        # NaN is a value that is not defined, which tables call missing.
        "value": pa.array(stored["value"].to_numpy(), pa.float64(), from_pandas=True),
    }
    return pa.table(columns, schema=SCHEMA)


def harmless(table: pa.Table) -> pa.Table:
    """The table with an apostrophe before every text that a spreadsheet would take for a formula.

    Numbers are left alone, even as texts: "-5" is no formula.
    """
    for at, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            coded = table.column(at).combine_chunks().dictionary_encode()
            plain = pa.array(map(inert_cell, coded.dictionary.to_pylist()), pa.string()).take(coded.indices)
            table = table.set_column(at, field, plain)
    return table
