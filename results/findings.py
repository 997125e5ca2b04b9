"""What follows from the scores beyond the comparison: overall scores, agreement, stability and slices."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import pandas as pd

from assay.results.agreement import Agreement, agreement, agreement_markdown, agreement_table
from assay.results.by_group import ByGroup
from assay.results.checks import Checks
from assay.results.columns import csv
from assay.results.figure_agreement import agreement_figures
from assay.results.figure_stability import stability_figure
from assay.results.figure_style import Drawing
from assay.results.layout import Grid, restricted
from assay.results.overall import Overall, overall_table
from assay.results.overall_layout import overall_grids, overall_markdown
from assay.results.primary import first_of_each
from assay.results.ranks import rank_table
from assay.results.records import Results
from assay.results.slice_layout import SliceGrid, slice_grids
from assay.results.spread import Spread, in_turn
from assay.results.stability import Stability, stability_table, steps_table
from assay.results.stability_layout import stability_markdown
from assay.results.statistics import Bootstrap


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
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

    @property
    def figures(self) -> list[Drawing]:
        """All drawings, in the order of the page."""
        return [*self.agreement_figures, *self.stability_figures]


def findings(
    results: Results,
    found: ByGroup,
    tables: list[Grid],
    checks: Checks,
    bootstrap: Bootstrap,
    spread: Spread = in_turn,
) -> Findings:
    """All findings. found: by `by_group`. tables: by `split_grids`; slices take their digits. spread: over
    what the figures are."""
    scores, stable, sliced = found.overall, found.stability, found.slices
    agreed = agreement(found.comparison, results.metrics)
    first = [metric.name for metric in first_of_each(results.metrics)]
    of_stability = spread([partial(stability_figure, stable, first)])
    of_agreement = spread([partial(agreement_figures, agreed)])
    ranks = rank_table(results, alpha=bootstrap.alpha)
    of_slices = slice_grids(sliced, [restricted(grid, first) for grid in tables])
    return Findings(
        scores=scores,
        overall=overall_grids(scores, checks),
        agreement=agreed,
        agreement_figures=next(of_agreement),
        stability=stable,
        stability_figures=[drawn for drawn in of_stability if drawn is not None],
        ranks=ranks,
        slices=sliced,
        slice_grids=of_slices,
    )


def finding_files(found: Findings, bootstrap: Bootstrap) -> dict[str, bytes]:
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
    files = {f"{name}.csv": csv(table) for name, table in tables.items()}
    return files | {f"{name}.md": text.encode() for name, text in words.items()}
