"""The comparison as a file for a paper or a program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from assay.harness.reporting.scored_results import scored_results
from assay.harness.trials.experiment import Experiment
from assay.harness.trials.plan import Trial
from assay.results.checks import packaged_checks
from assay.results.inert import inert, to_csv
from assay.results.property_metrics import six_properties
from assay.results.records import Results
from assay.results.statistics.comparison import compare
from assay.results.statistics.constant_methods import unstarred
from assay.results.statistics.estimates import Bootstrap
from assay.results.tables.bibliography import used_references
from assay.results.tables.html import html
from assay.results.tables.latex import latex
from assay.results.tables.layout import Grid, grids
from assay.results.tables.text import markdown
from assay.results.write import parquet
from assay.tasks.errors import InputError, did_you_mean

TEX, MARKDOWN, CSV, HTML, PARQUET = FORMATS = ("tex", "md", "csv", "html", "parquet")
TRANSPOSED = (TEX, MARKDOWN, HTML)


@dataclass(frozen=True, slots=True)
class Layout:
    """format: one of FORMATS. metrics: by name, in order; the first of each property if empty. transpose: a
    row per metric and a column per explainer.

    Raises InputError for a format that cannot be transposed.
    """

    format: str
    metrics: Sequence[str] = ()
    transpose: bool = False

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            endings = ", ".join(f".{one}" for one in FORMATS)
            raise InputError(f"a table ends in {endings}, not in .{self.format}; give --out such a name")
        if self.transpose and self.format not in TRANSPOSED:
            raise InputError(f"a table as .{self.format} cannot be transposed; choose .tex, .md or .html")


def table_file(experiment: Experiment, trials: Sequence[Trial], layout: Layout) -> tuple[bytes, bytes]:
    """The table, and the BibTeX of what it compares, which is empty but for LaTeX.

    Args:
        experiment: whose finished cells are shown.
        trials: those whose texts could be read.
        layout: how.

    Raises:
        InputError: an unknown metric, or nothing is scored.
    """
    with scored_results(experiment, trials) as scored:
        results, bootstrap = chosen(scored.results, layout.metrics), scored.bootstrap
    comparison = unstarred(compare(results, bootstrap), results)
    return written(results, comparison, bootstrap, layout)


def chosen(results: Results, names: Sequence[str]) -> Results:
    """The results of some metrics, in the order of their names; of the first of each property if empty."""
    by_name = {metric.name: metric for metric in results.metrics}
    for name in names:
        if name not in by_name:
            raise InputError(f"--metrics has {name!r}; {did_you_mean(name, by_name)}")
    metrics = [by_name[name] for name in dict.fromkeys(names)] or six_properties(results.metrics)
    kept = {metric.name for metric in metrics}
    return replace(results, metrics=metrics, cells=[cell for cell in results.cells if cell.metric in kept])


def written(
    results: Results, comparison: pd.DataFrame, bootstrap: Bootstrap, layout: Layout
) -> tuple[bytes, bytes]:
    """The comparison of these results as a file, and its BibTeX."""
    if layout.format == CSV:
        return to_csv(comparison), b""
    if layout.format == PARQUET:
        return parquet(comparison), b""
    shown = grids(comparison, results.metrics, results.removal, packaged_checks(), results.alike)
    tables: list[Grid] = [replace(grid, remarks=(*grid.remarks, *results.remarks)) for grid in shown]
    if layout.format == MARKDOWN:
        return inert(markdown(tables, bootstrap, transpose=layout.transpose)).encode(), b""
    if layout.format == HTML:
        return inert(html(tables, bootstrap, transpose=layout.transpose)).encode(), b""
    text = inert(latex(tables, bootstrap, transpose=layout.transpose))
    return text.encode(), used_references(results).encode()
