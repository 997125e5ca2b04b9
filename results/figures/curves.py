"""How macro-F1 falls while the tokens with the highest scores are taken away."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from assay.metrics.faithfulness import macro_f1_curve
from assay.results.figures.style import (
    DARK,
    GREY,
    Drawing,
    dashes,
    grid_lines,
    panels,
    render,
    series_look,
    style,
)
from assay.results.figures.visual_encoding import Plan, heading, plan
from assay.results.panel_limit import PANEL_LIMIT, listed
from assay.results.records import CellScores, Method, Results
from assay.results.statistics.comparison import by_group_and_metric
from assay.results.statistics.estimates import Floats
from assay.results.tables.layout import Grid, restricted

PANELS_PER_ROW = 2
# More explainers than these in one panel nobody follows: the others have panels of their own.
TOGETHER = 12
BEHIND = "#DDDDDD"

Lines = Mapping[Method, tuple[Floats, Floats]]


@dataclass(frozen=True, slots=True)
class Panel:
    """The lines of a group in one panel: those of `explainers` in colour, the others pale behind them."""

    grid: Grid
    lines: Lines
    explainers: tuple[str, ...]


def curves(results: Results, grids: Sequence[Grid], metric: str) -> Drawing | None:
    """A panel per group, a line per method: the mean over seeds; of many explainers some in each of several
    panels. None if the metric keeps no decisions.

    Whose line falls early found tokens that the model needs.
    """
    cells = by_group_and_metric(cell for cell in results.cells if cell.metric == metric)
    having = [grid for grid in grids if _has_lines(cells.get((grid.group, metric), []), grid)]
    if not having:
        return None
    drawn = [(grid, lines_of(cells[grid.group, metric], grid, metric)) for grid in having[:PANEL_LIMIT]]
    shown = [replace(grid, rows=tuple(row for row in grid.rows if row.method in of)) for grid, of in drawn]
    name, where = f"curves-{metric}", plan([restricted(grid, [metric]) for grid in shown], results.random)
    parts = list(_parts([name for name in where.explainers if name not in where.controls]))
    found = [Panel(grid, lines, part) for grid, lines in drawn for part in parts]
    wide = len(parts) if len(parts) > 1 else min(len(drawn), PANELS_PER_ROW)
    with style(name):
        figure, every = _panels(where, parts, len(found), wide)
        for place, (axes, panel) in enumerate(zip(every, found, strict=True)):
            leaders = {method for method, entry in panel.grid.entries(metric).items() if entry.best}
            _panel(axes, panel, leaders, where)
            axes.set_title(heading(panel.grid.group, 38))
            axes.tick_params(labelbottom=True)
            axes.set_xlabel("tokens taken away, highest scores first (%)")
            axes.set_ylabel("" if place % wide else "macro-F1")
        groups = listed([grid.group.title for grid in having])
        text = f"Macro-F1 against the share of tokens taken away, a line per explainer, for {groups}"
        return render(figure, name, "What happens when the highest tokens are taken away", text)


def _parts(explainers: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """As few parts as hold TOGETHER at most, of about equal size; one if there are none."""
    count = math.ceil(len(explainers) / TOGETHER) or 1
    size = math.ceil(len(explainers) / count) or 1
    for start in range(0, max(1, len(explainers)), size):
        yield tuple(explainers[start : start + size])


def _panels(
    where: Plan, parts: Sequence[tuple[str, ...]], count: int, wide: int
) -> tuple[Figure, list[Axes]]:
    """So many panels, and their legend: beside them, or below each column the explainers in it."""
    rows, others = math.ceil(count / wide), _other_entries(where)
    if len(parts) == 1:
        key = [*(_entry(where, name) for name in where.explainers), *others]
        size = (3.6 * wide + 0.9 + where.margin, max(rows * 3.1, 0.18 * len(key) + 0.4))
        figure = Figure(figsize=size, layout="constrained")
        figure.legend(handles=key, loc="outside right upper", handlelength=3, labelspacing=0.4)
        return figure, panels(figure, count, wide, sharex=True, sharey=True)
    controls = [_entry(where, name) for name in where.explainers if name in where.controls]
    key = [*controls, *others, Line2D([], [], color=BEHIND, linewidth=1.5, label="in another panel")]
    heights = [*[3.1] * rows, 0.19 * len(parts[0]) + 0.1]
    across = max(3.6, 1.1 + where.margin) * wide
    below = 0.19 * math.ceil(len(key) / (2 * wide)) + 0.2
    figure = Figure(figsize=(across, sum(heights) + below), layout="constrained")
    every = figure.subplots(rows + 1, wide, squeeze=False, sharex=True, sharey=True, height_ratios=heights)
    for axes, part in zip(every[-1], parts, strict=True):
        axes.set_axis_off()
        named = [_entry(where, name) for name in part]
        axes.legend(handles=named, loc="upper left", handlelength=3, labelspacing=0.3)
    figure.legend(handles=key, loc="outside lower left", ncols=2 * wide, handlelength=3, columnspacing=1.2)
    return figure, every[:-1].ravel().tolist()


def lines_of(cells: Sequence[CellScores], grid: Grid, metric: str) -> dict[Method, tuple[Floats, Floats]]:
    """Thresholds in percent and the macro-F1 there, per method of the grid in its order.

    Mean over seeds of the mean over explainer seeds; runs with other thresholds than the first are left out.
    """
    found: dict[Method, dict[str, list[Floats]]] = {row.method: {} for row in grid.rows}
    steps: dict[Method, Floats] = {}
    for cell in cells:
        if cell.group == grid.group and cell.metric == metric and cell.method in found and _decided(cell):
            everything = np.arange(len(cell.units), dtype=np.intp)[None]
            thresholds, curve = macro_f1_curve(dict(cell.parts), everything)
            if np.array_equal(steps.setdefault(cell.method, thresholds), thresholds):
                found[cell.method].setdefault(cell.seed, []).append(curve[0])
    return {
        method: (steps[method], np.mean([np.mean(runs, axis=0) for runs in by_seed.values()], axis=0))
        for method, by_seed in found.items()
        if by_seed
    }


def _has_lines(cells: Sequence[CellScores], grid: Grid) -> bool:
    """Whether the cells of a group give a line to any method of the grid."""
    methods = {row.method for row in grid.rows}
    return any(cell.method in methods and _decided(cell) for cell in cells)


def _decided(cell: CellScores) -> bool:
    """Whether the cell holds the model's decision at every threshold."""
    return (
        bool(cell.units)
        and "gold" in cell.parts
        and any(part.startswith("predicted@") for part in cell.parts)
    )


def _panel(axes: Axes, panel: Panel, leaders: set[Method], where: Plan) -> None:
    grid_lines(axes, "both")
    axes.set_xlim(0, 100)
    axes.set_xticks(range(0, 101, 20))
    axes.set_ylim(0, 1.03)
    for place, (method, (x, y)) in enumerate(panel.lines.items()):
        control = method.explainer in where.controls
        if not control and method.explainer not in panel.explainers:
            axes.plot(x, y, color=BEHIND, linewidth=0.8, zorder=1.2)
            continue
        line = _line(where, method)
        line.set_data(x, y)
        line.set_linewidth(2.0 if method in leaders else 1.5 if control else 1.0)
        line.set_zorder(1.5 if control else 2 + (method in leaders))
        # Markers of different lines stand at different thresholds.
        line.set_markevery((place % 3, 3))
        axes.add_line(line)


def _line(where: Plan, method: Method) -> Line2D:
    """Colour and marker by explainer, dashes by baseline; controls are grey and have no markers."""
    if method.explainer in where.controls:
        controls = [name for name in where.explainers if name in where.controls]
        # A solid grey line is none of them.
        drawn = dashes(1 + controls.index(method.explainer))
        return Line2D([], [], color=GREY, linestyle=drawn, linewidth=1.5)
    look = series_look(where.explainers.index(method.explainer))
    place = where.baselines.index(method.baseline) if method.baseline else 0
    return Line2D([], [], linestyle=dashes(place), markersize=4.5, linewidth=1.0, **look)


def _entry(where: Plan, explainer: str) -> Line2D:
    """The explainer in the legend, with its dashes where it has one baseline only."""
    line = _line(where, Method(explainer))
    line.set_label(where.label(explainer))
    return line


def _other_entries(where: Plan) -> list[Line2D]:
    """Baselines if there are several, then what a thick line means, and signs."""
    key = []
    if len(where.baselines) > 1:
        for place, baseline in enumerate(where.baselines):
            key.append(Line2D([], [], color=DARK, linewidth=1.0, linestyle=dashes(place)))
            key[-1].set_label(where.baseline_label(baseline, signs=True))
    if where.compared:
        key.append(Line2D([], [], color=DARK, linewidth=2.2, label="not distinguishable from the best"))
    return [*key, *where.signs()]
