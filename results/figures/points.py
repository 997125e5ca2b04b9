"""Dot plots with intervals: the overview of all metrics, and a figure per metric."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from assay.results.figures.style import (
    BAND,
    DARK,
    GREY,
    TITLE_PLACE,
    Drawing,
    grid_lines,
    panels,
    render,
    style,
)
from assay.results.figures.titles import shortened
from assay.results.figures.visual_encoding import (
    DIRECTIONS,
    Plan,
    heading,
    legend_dot,
    logarithmic,
    plan,
    sign_key,
    wide_range,
    write_mark,
)
from assay.results.panel_limit import PANEL_LIMIT, limit_sentence, listed
from assay.results.tables.layout import Column, Grid, restricted
from assay.tasks.counted import counted

PANELS_PER_ROW = 3
# Of a name.
LETTERS = 30


def overview(grids: Sequence[Grid], random: str) -> Drawing:
    """Small multiples: a row of panels per group, a panel per metric."""
    omitted, grids = limit_sentence(len(grids)), grids[:PANEL_LIMIT]
    name, where = "overview", plan(grids, random)
    columns = list(dict.fromkeys(column.name for grid in grids for column in grid.columns))
    values = {metric: logarithmic_values(grids, metric) for metric in columns}
    with style(name):
        height = len(grids) * (where.inches + 0.95)
        figure = _figure(0.4 + where.margin + 1.75 * len(columns), height, where, _marks(grids))
        every = figure.subplots(len(grids), len(columns), squeeze=False, sharex="col")
        for grid, line in zip(grids, every, strict=True):
            present = {column.name: column for column in grid.columns}
            for metric, axes in zip(columns, line, strict=True):
                if metric in present:
                    _points(axes, grid, present[metric], where, values[metric], named=axes is line[0])
                    axes.set_title(_wrap(present[metric].heading, 20), fontsize=8.5, y=TITLE_PLACE)
                    axes.tick_params(labelbottom=True)
                else:
                    _nothing(axes, where, named=axes is line[0])
            line[0].set_ylabel(heading(grid.group, int(11 * (where.inches + 0.5))), fontweight="bold")
        figure.align_ylabels(every[:, 0])
        explainers, metrics = counted(len(where.explainers), "explainer"), counted(len(columns), "metric")
        text = f"Dots with intervals for {explainers} on {metrics}.{omitted}"
        return render(figure, name, "All properties at a glance", text)


def by_metric(grids: Sequence[Grid], metric: str, random: str) -> Drawing | None:
    """One metric, a panel per group; None if no group has it."""
    alone = [restricted(grid, [metric]) for grid in grids]
    every = [(grid, column) for grid in alone for column in grid.columns]
    if not every:
        return None
    having = every[:PANEL_LIMIT]
    name, where = f"metric-{metric}", plan([grid for grid, _ in having], random)
    lines = math.ceil(len(having) / PANELS_PER_ROW)
    wide = math.ceil(len(having) / lines)
    values = logarithmic_values(grids, metric)
    with style(name):
        figure = _figure(
            max(4.6, where.margin + 2.7 * wide), lines * (where.inches + 1.0), where, _marks(alone)
        )
        for place, axes in enumerate(panels(figure, len(having), wide, sharex=True)):
            grid, column = having[place]
            _points(axes, grid, column, where, values, named=place % wide == 0)
            axes.set_title(heading(grid.group, 28), y=TITLE_PLACE)
            axes.tick_params(labelbottom=True)
            axes.set_xlabel(f"{_wrap(column.title, 40)}\n({DIRECTIONS[column.direction]})")
        title = having[0][1].title
        groups = listed([grid.group.title for grid, _ in every])
        return render(figure, name, title, f"{title} of every explainer, with intervals, for {groups}")


def logarithmic_values(grids: Sequence[Grid], metric: str) -> list[float]:
    """All values and interval ends of a metric if only a logarithmic axis shows them; else none."""
    entries = [entry for grid in grids for entry in grid.entries(metric).values()]
    ends = [end for entry in entries for end in (entry.low, entry.high)]
    every = list(filter(math.isfinite, [*(entry.value for entry in entries), *ends]))
    return every if wide_range(entry.value for entry in entries) and min(every) >= 0 else []


def _points(
    axes: Axes, grid: Grid, column: Column, where: Plan, values: Sequence[float], *, named: bool
) -> None:
    """One panel, with a logarithmic axis if it is given values. Filled: not distinguishable from the best."""
    frame(axes, where, named=named)
    zero = logarithmic(axes, values) if values else 0.0
    bars: dict[str, list[tuple[float, float, float]]] = {}
    dots: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
    for method, entry in grid.entries(column.name).items():
        if not math.isfinite(entry.value):
            continue
        value, low, high = (
            max(number, zero) if zero else number for number in (entry.value, entry.low, entry.high)
        )
        if method.explainer == where.random and math.isfinite(low):
            axes.axvspan(low, high, color=BAND, linewidth=0, zorder=0)
            axes.axvline(value, color=GREY, linewidth=0.9, linestyle=(0, (4, 3)), zorder=0.5)
        height, colour = where.height(method, grid.rows), where.colour(method)
        if math.isfinite(low) and math.isfinite(high):
            bars.setdefault(colour, []).append((height, low, high))
        look = colour, where.marker(method), colour if entry.best else "white"
        dots.setdefault(look, []).append((value, height))
        write_mark(axes, entry.mark, (value, height))
    # One element for all of one look: the time to draw grows with the number of elements.
    for colour, ends in bars.items():
        axes.hlines(*zip(*ends, strict=True), color=colour, linewidth=1.4)
    for (colour, marker, face), places in dots.items():
        across, up = zip(*places, strict=True)
        axes.plot(across, up, marker, color=colour, markerfacecolor=face, markersize=4.5)
    if not zero:
        axes.margins(x=0.08)


def frame(axes: Axes, where: Plan, *, named: bool) -> None:
    """A line per explainer, controls apart. named: whether their names stand beside it."""
    count = len(where.explainers)
    _name_lines(axes, [shortened(name, LETTERS) for name in where.explainers] if named else [""])
    axes.set_ylim(count - 0.45, -0.55)
    grid_lines(axes, "x")
    axes.tick_params(axis="y", length=0)
    candidates = count - len(where.controls)
    if 0 < candidates < count:
        axes.axhline(candidates - 0.5, color="#BBBBBB", linewidth=0.8)


def _name_lines(axes: Axes, names: Sequence[str]) -> None:
    """Each tick takes time; a single one without words keeps the same distance from the panel beside it."""
    axes.set_yticks(range(len(names)), names)


def _nothing(axes: Axes, where: Plan, *, named: bool) -> None:
    _name_lines(axes, where.explainers if named else [""])
    axes.set_ylim(len(where.explainers) - 0.45, -0.55)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelbottom=False)
    axes.text(
        0.5, 0.5, "not available", transform=axes.transAxes, ha="center", va="center", color=GREY, fontsize=8
    )


def _figure(width: float, height: float, where: Plan, marks: Iterable[str]) -> Figure:
    """A figure with room for panels of the size in inches, and the legend below them."""
    entries: list[Line2D | Patch] = [*where.legend()]
    if where.compared:
        entries.append(legend_dot("not distinguishable from the best", DARK, "o"))
        entries.append(legend_dot("worse, not tested, or a control", DARK, "o", "white"))
    if where.random in where.explainers:
        entries.append(Patch(color=BAND, label="level of a random explainer"))
    entries += sign_key(marks)
    columns = max(1, min(int(width / 2.8), len(entries)))
    rows = math.ceil(len(entries) / columns)
    figure = Figure(figsize=(width, height + 0.19 * rows + 0.15), layout="constrained")
    if entries:
        figure.legend(handles=entries, loc="outside lower left", ncols=columns, columnspacing=1.2)
    return figure


def _marks(grids: Sequence[Grid]) -> list[str]:
    return [entry.mark for grid in grids for row in grid.rows for entry in row.entries]


def _wrap(text: str, width: int) -> str:
    return "\n".join(textwrap.wrap(text, width, break_on_hyphens=False))
