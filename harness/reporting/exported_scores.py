"""An exported table of scores, read back to be compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from assay.harness.config.choice import choose
from assay.harness.config.compose import configurations, sweep
from assay.harness.config.offered import offered
from assay.harness.reporting.score_files import cell_scores
from assay.metrics.cell_data import CellMetric, Metric
from assay.metrics.with_removal import WithRemoval
from assay.results.records import Group, Method
from assay.results.versions.records import Version
from assay.tasks.errors import InputError, did_you_mean

TEXTS = ("task", "model", "kind", "model_seed", "explainer", "baseline", "metric", "removal", "unit", "part")
NUMBERS = ("explainer_seed", "target", "value")
CELL = ["task", "model", "kind", "explainer", "baseline", "metric", "removal", "model_seed", "explainer_seed"]


def exported(path: Path, name: str) -> Version:
    """The scores of a table that `assay export --to` wrote.

    The table has neither texts nor settings: metrics are taken with those of the shipped configuration.

    Args:
        path: a .csv or a .parquet.
        name: what the version is called.

    Raises:
        InputError: it is no such table, or has a metric that is unknown or has other parts.
    """
    table = _read(path)
    operators = table.groupby("metric", sort=False)["removal"].unique().to_dict()
    shipped, controls = _shipped(path, [str(metric) for metric in operators])
    metrics: dict[str, Metric] = {}
    removals: dict[str, str] = {}
    cells = []
    for keys, rows in table.groupby(CELL, sort=False):
        task, model, kind, explainer, baseline, metric, removal, seed, explainer_seed = map(
            str, cast(Any, keys)
        )
        found = shipped[metric]
        if removal != operators[metric][0]:
            # Marked, as in an experiment with several operators.
            found = cast(Metric, WithRemoval(cast(CellMetric, found), removal))
        metrics.setdefault(found.name, found)
        removals[found.name] = removal
        group, method = Group(task, model, kind), Method(explainer, baseline)
        long = pd.DataFrame(rows[["unit", "target", "part", "value"]])
        if long.duplicated(subset=["unit", "target", "part"]).any():
            raise InputError(
                f"{path}: {method.title} has two values of {metric} for one text; expected one export"
            )
        cell = cell_scores(long, group, method, found.name, seed, int(explainer_seed))
        try:
            found.summarise(dict(cell.parts), np.arange(len(cell.units), dtype=np.intp)[None])
        except (KeyError, ValueError, IndexError) as error:
            raise InputError(
                f"{path}: the scores of {metric} are not of its shipped settings ({error}); compare the "
                "experiments in their stores"
            ) from error
        cells.append(cell)
    return Version(name, cells, metrics, removals=removals, controls=controls)


def _read(path: Path) -> pd.DataFrame:
    try:
        table = (
            pd.read_parquet(path)
            if path.suffix == ".parquet"
            else pd.read_csv(path, dtype=dict.fromkeys(TEXTS, str), keep_default_na=False, na_values={
                column: [""] for column in (*NUMBERS, "baseline", "removal")
            })
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as a table: {' '.join(str(error).split())}") from error
    lacking = [column for column in (*TEXTS, *NUMBERS) if column not in table]
    if lacking:
        raise InputError(
            f"{path} has no column {lacking[0]!r}; expected a table that `assay export --to` wrote"
        )
    if table.empty:
        raise InputError(f"{path} has no scores")
    table[["baseline", "removal"]] = table[["baseline", "removal"]].fillna("")
    table["target"] = table["target"].fillna(-1).astype(np.int64)
    return table


def _shipped(path: Path, names: Sequence[str]) -> tuple[dict[str, Metric], frozenset[str]]:
    """The metrics of the shipped configuration, by name, and the explainers that are controls by it."""
    known = offered("metric")
    for name in names:
        if name not in known:
            raise InputError(f"{path} has scores of the metric {name!r}; {did_you_mean(name, known)}")
    (config, *_) = configurations(sweep([f"metric=[{','.join(names)}]"]))
    metrics = {chosen.metric.name: chosen.metric for chosen in choose(config).metrics}
    return metrics, frozenset(map(str, config.controls))
