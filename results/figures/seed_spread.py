"""How far the seeds of models move every explainer's values."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from assay.metrics.cell_data import Metric
from assay.metrics.model_pairs import ModelPairMetric
from assay.results.figures.points import frame
from assay.results.figures.style import DARK, TITLE_PLACE, Drawing, render, style
from assay.results.figures.visual_encoding import (
    Plan,
    heading,
    logarithmic,
    plan,
    sign_key,
    wide_range,
    write_mark,
)
from assay.results.panel_limit import PANEL_LIMIT, listed
from assay.results.records import CellScores, Group, Method, Results, grouped
from assay.results.statistics.comparison import by_group_and_metric
from assay.results.statistics.estimates import Floats
from assay.results.tables.layout import Column, Grid, restricted

NAME = "seeds"


@dataclass(frozen=True, slots=True)
class Spread:
    """The values (S,) of one method by one metric, one for each of several model seeds."""

    method: Method
    values: Floats


def seed_spread(results: Results, grids: Sequence[Grid]) -> Drawing | None:
    """A row of panels per group, a panel per metric: a dot for each model seed, a stroke at their mean.

    None where no group has two seeds. Metrics of pairs of models have no value of a single seed.
    """
    shown = {column.name for grid in grids for column in grid.columns}
    single = [m for m in results.metrics if m.name in shown and not isinstance(m, ModelPairMetric)]
    alone = [restricted(grid, [metric.name for metric in single]) for grid in grids]
    cells = by_group_and_metric(results.cells)
    drawn: list[tuple[Grid, dict[str, list[Spread]]]] = []
    titles: list[str] = []
    for grid in alone:
        pairs = _spreads(cells, single, grid)
        # Of groups that are not drawn it is enough that there is something.
        some = list(pairs if len(drawn) < PANEL_LIMIT else islice(pairs, 1))
        if some:
            titles.append(grid.group.title)
        if some and len(drawn) < PANEL_LIMIT:
            known = {one.method for _, one in some}
            rows = tuple(row for row in grid.rows if row.method in known)
            by_name = grouped(some, lambda pair: pair[0]).items()
            spreads = {name: [one for _, one in of_metric] for name, of_metric in by_name}
            drawn.append((replace(grid, rows=rows), spreads))
    if not drawn:
        return None
    where = plan([grid for grid, _ in drawn], results.random)
    columns = {
        column.name: column for grid, spreads in drawn for column in grid.columns if column.name in spreads
    }
    marks = _marks(drawn)
    with style(NAME):
        size = (0.4 + where.margin + 1.75 * len(columns), len(drawn) * (where.inches + 0.95) + 0.55)
        figure = Figure(figsize=size, layout="constrained")
        every = figure.subplots(len(drawn), len(columns), squeeze=False, sharex="col")
        for (grid, spreads), line in zip(drawn, every, strict=True):
            for (name, column), axes in zip(columns.items(), line, strict=True):
                # One scale for all groups, because panels of a column share it.
                known = [one.values for _, of in drawn for one in of.get(name, [])]
                frame(axes, where, named=axes is line[0])
                _panel(axes, spreads.get(name, []), grid, column, where, marks, np.concatenate(known))
            line[0].set_ylabel(heading(grid.group, int(11 * (where.inches + 0.5))), fontweight="bold")
        figure.align_ylabels(every[:, 0])
        key = [
            *where.legend(),
            Line2D([], [], color=DARK, linewidth=1.4, label="from lowest to highest seed"),
            *sign_key(marks.values()),
        ]
        wide = max(1, min(len(key), int(size[0] / 2.4)))
        figure.legend(handles=key, loc="outside lower left", ncols=wide, columnspacing=1.2)
        groups = listed(titles)
        text = f"A dot per model seed for every explainer and metric, for {groups}"
        return render(figure, NAME, "How far model seeds spread", text)


def _spreads(
    cells: Mapping[tuple[Group, str], Sequence[CellScores]], metrics: Sequence[Metric], grid: Grid
) -> Iterator[tuple[str, Spread]]:
    """The spreads of a group, each with the name of its metric."""
    for metric in metrics:
        for spread in spreads_of(cells.get((grid.group, metric.name), []), metric, grid):
            yield metric.name, spread


def spreads_of(cells: Sequence[CellScores], metric: Metric, grid: Grid) -> Iterator[Spread]:
    """Each method of the grid with its values by model seed, means over explainer seeds, where there are two
    or more of them."""
    by_method = grouped(cells, lambda cell: cell.method)
    for method in dict.fromkeys(row.method for row in grid.rows):
        values: dict[str, list[float]] = {}
        for cell in by_method.get(method, []):
            if cell.units:
                everything = np.arange(len(cell.units), dtype=np.intp)[None]
                value = float(metric.summarise(dict(cell.parts), everything)[0])
                values.setdefault(cell.seed, []).append(value)
        known = list(filter(math.isfinite, (float(np.mean(runs)) for runs in values.values())))
        if len(known) > 1:
            yield Spread(method, np.array(known))


def _marks(
    drawn: Sequence[tuple[Grid, Mapping[str, Sequence[Spread]]]],
) -> dict[tuple[Group, str, Method], str]:
    """The signs of the values that are drawn, by group, metric and method."""
    return {
        (grid.group, name, one.method): entries[one.method].mark
        for grid, spreads in drawn
        for name, some in spreads.items()
        for entries in (grid.entries(name),)
        for one in some
    }


def _panel(
    axes: Axes,
    spreads: Sequence[Spread],
    grid: Grid,
    column: Column,
    where: Plan,
    marks: Mapping[tuple[Group, str, Method], str],
    every: Floats,
) -> None:
    """One panel. marks: by `_marks`. every: the values of all groups."""
    title = "\n".join(textwrap.wrap(column.heading, 20, break_on_hyphens=False))
    axes.set_title(title, fontsize=8.5, y=TITLE_PLACE)
    axes.tick_params(labelbottom=True)
    zero = logarithmic(axes, every.tolist()) if wide_range(every.tolist()) else 0.0
    strokes: dict[str, list[tuple[float, float, float]]] = {}
    dots: dict[tuple[str, str], list[tuple[float, float]]] = {}
    means: dict[str, list[tuple[float, float]]] = {}
    for one in spreads:
        values = np.maximum(one.values, zero) if zero else one.values
        height, colour = where.height(one.method, grid.rows), where.colour(one.method)
        low, high = float(values.min()), float(values.max())
        strokes.setdefault(colour, []).append((height, low, high))
        look = colour, where.marker(one.method)
        dots.setdefault(look, []).extend((value, height) for value in values.tolist())
        means.setdefault(colour, []).append((float(values.mean()), height))
        write_mark(axes, marks.get((grid.group, column.name, one.method), ""), (high, height))
    # One element for all of one look, as in `assay.results.figures.points`.
    for colour, ends in strokes.items():
        axes.hlines(*zip(*ends, strict=True), color=colour, linewidth=1.4)
    for (colour, marker), places in dots.items():
        axes.plot(*zip(*places, strict=True), marker, color=colour, markerfacecolor="white", markersize=3.5)
    for colour, places in means.items():
        axes.plot(*zip(*places, strict=True), "|", color=colour, markersize=8, markeredgewidth=1.6)
    if not zero:
        axes.margins(x=0.08)
