"""What follows from the scores beyond the comparison: overall scores, agreement, stability and slices."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import pandas as pd

from assay.results.checks import Checks
from assay.results.figures.agreement import agreement_figures
from assay.results.figures.stability import stability_figure
from assay.results.figures.style import Drawing
from assay.results.inert import to_csv
from assay.results.parallel import ParallelMap, serial_map
from assay.results.property_metrics import first_per_property
from assay.results.records import Results
from assay.results.statistics.agreement import Agreement, agreement, agreement_markdown, agreement_table
from assay.results.statistics.baseline_sensitivity import (
    Sensitivity,
    sensitivity,
    sensitivity_table,
)
from assay.results.statistics.by_group import GroupResults
from assay.results.statistics.estimates import Bootstrap
from assay.results.statistics.overall import Overall, overall_table
from assay.results.statistics.rank_table import rank_table
from assay.results.statistics.stability import Stability, stability_table, steps_table
from assay.results.tables.baseline_sensitivity_layout import sensitivity_markdown, sensitivity_sections
from assay.results.tables.breakdown import SliceGrid, slice_grids
from assay.results.tables.layout import Grid, restricted
from assay.results.tables.overall_layout import overall_grids, overall_markdown
from assay.results.tables.sections import Section
from assay.results.tables.stability_layout import stability_markdown


@dataclass(frozen=True, slots=True, eq=False)
class SummaryTables:
    """Everything the sections of the page are made of; empty where nothing is known."""

    scores: list[Overall] = field(default_factory=list)
    overall: list[Grid] = field(default_factory=list)
    agreement: list[Agreement] = field(default_factory=list)
    agreement_figures: list[Drawing] = field(default_factory=list)
    stability: list[Stability] = field(default_factory=list)
    stability_figures: list[Drawing] = field(default_factory=list)
    ranks: pd.DataFrame = field(default_factory=pd.DataFrame)
    slices: pd.DataFrame = field(default_factory=pd.DataFrame)
    slice_grids: list[SliceGrid] = field(default_factory=list)
    sensitivity: list[Sensitivity] = field(default_factory=list)
    baselines: list[Section] = field(default_factory=list)

    @property
    def figures(self) -> list[Drawing]:
        """All drawings, in the order of the page."""
        return [*self.agreement_figures, *self.stability_figures]


def findings(
    results: Results,
    found: GroupResults,
    tables: list[Grid],
    checks: Checks,
    bootstrap: Bootstrap,
    parallel_map: ParallelMap = serial_map,
) -> SummaryTables:
    """All findings. found: by `by_group`, with advice. tables: by `split_grids`; slices take their digits.
    parallel_map: over what figures and baselines are.
    """
    scores, stable, sliced = found.overall, found.stability, found.slices
    agreed = agreement(found.comparison, results.metrics)
    first = [metric.name for metric in first_per_property(results.metrics)]
    of_stability = parallel_map([partial(stability_figure, stable, first)])
    of_agreement = parallel_map([partial(agreement_figures, agreed)])
    ranks = rank_table(results, alpha=bootstrap.alpha)
    of_slices = slice_grids(sliced, [restricted(grid, first) for grid in tables])
    sensitive = sensitivity(results, found.comparison, found.labels, bootstrap, parallel_map)
    return SummaryTables(
        scores=scores,
        overall=overall_grids(scores, checks),
        agreement=agreed,
        agreement_figures=next(of_agreement),
        stability=stable,
        stability_figures=[drawn for drawn in of_stability if drawn is not None],
        ranks=ranks,
        slices=sliced,
        slice_grids=of_slices,
        sensitivity=sensitive,
        baselines=sensitivity_sections(
            sensitive, found.baselines, results.negatives, results.metrics, bootstrap.alpha
        ),
    )


def summary_files(found: SummaryTables, bootstrap: Bootstrap) -> dict[str, bytes]:
    """The files beside the page: overall, agreement, stability, average ranks and
    slices as CSV, the first three in Markdown."""
    tables = {
        "overall": overall_table(found.scores),
        "agreement": agreement_table(found.agreement),
        "stability": stability_table(found.stability),
        "stability_texts": steps_table(found.stability),
        "ranks": found.ranks,
        "slices": found.slices,
    }
    words = {
        "overall": overall_markdown(found.overall, bootstrap),
        "agreement": agreement_markdown(found.agreement),
        "stability": stability_markdown(found.stability),
    }
    files = {f"{name}.csv": to_csv(table) for name, table in tables.items()}
    if found.sensitivity:
        files["baseline_sensitivity.csv"] = to_csv(sensitivity_table(found.sensitivity))
        words["baseline_sensitivity"] = sensitivity_markdown(found.baselines)
    return files | {f"{name}.md": text.encode() for name, text in words.items()}
