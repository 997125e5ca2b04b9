"""How macro-F1 falls while the tokens with the highest scores are taken away."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from assay.metrics.faithfulness import macro_f1_curve
from assay.results.figures.style import (
    COLOURS,
    DARK,
    GREY,
    LINES,
    Drawing,
    grid_lines,
    panels,
    render,
    series_look,
    style,
)
from assay.results.figures.visual_encoding import Plan, heading, plan, shortened
from assay.results.panel_limit import PANEL_LIMIT, listed
from assay.results.records import CellScores, Method, Results
from assay.results.statistics.comparison import by_group_and_metric
from assay.results.statistics.estimates import Floats
from assay.results.tables.layout import Grid, restricted

PANELS_PER_ROW = 2
# One for each control that is shipped, and one for *another annotator*.
CONTROL_LINES = (
    *((0, (4, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), (0, (9, 3))),
    *((0, (6, 2, 1, 2, 1, 2)), (0, (2, 4)), (0, (12, 2, 4, 2))),
)


def curves(results: Results, grids: Sequence[Grid], metric: str) -> Drawing | None:
    """A panel per group, a line per method: the mean over seeds. None if the metric keeps no decisions.

    Whose line falls early found tokens that the model needs.
    """
    cells = by_group_and_metric(cell for cell in results.cells if cell.metric == metric)
    of_grids = ((grid, lines_of(cells.get((grid.group, metric), []), grid, metric)) for grid in grids)
    having = [(grid, lines) for grid, lines in of_grids if lines]
    if not having:
        return None
    drawn = having[:PANEL_LIMIT]
    shown = [replace(grid, rows=tuple(row for row in grid.rows if row.method in of)) for grid, of in drawn]
    name, where = f"curves-{metric}", plan([restricted(grid, [metric]) for grid in shown], results.random)
    rows = math.ceil(len(drawn) / PANELS_PER_ROW)
    wide = min(len(drawn), PANELS_PER_ROW)
    key = _legend(where)
    with style(name):
        size = (3.6 * wide + 0.9 + where.margin, max(rows * 3.1, 0.18 * len(key) + 0.4))
        figure = Figure(figsize=size, layout="constrained")
        every = panels(figure, len(drawn), wide, sharex=True, sharey=True)
        for place, (axes, (grid, lines)) in enumerate(zip(every, drawn, strict=True)):
            leaders = {method for method, entry in grid.entries(metric).items() if entry.best}
            _panel(axes, lines, leaders, where)
            axes.set_title(heading(grid.group, 38))
            axes.tick_params(labelbottom=True)
            axes.set_xlabel("tokens taken away, highest scores first (%)")
            axes.set_ylabel("" if place % wide else "macro-F1")
        figure.legend(handles=key, loc="outside right upper", handlelength=3, labelspacing=0.4)
        groups = listed([grid.group.title for grid, _ in having])
        text = f"Macro-F1 against the share of tokens taken away, a line per explainer, for {groups}"
        return render(figure, name, "What happens when the highest tokens are taken away", text)


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


def _decided(cell: CellScores) -> bool:
    """Whether the cell holds the model's decision at every threshold."""
    return (
        bool(cell.units)
        and "gold" in cell.parts
        and any(part.startswith("predicted@") for part in cell.parts)
    )


def _panel(
    axes: Axes, lines: Mapping[Method, tuple[Floats, Floats]], leaders: set[Method], where: Plan
) -> None:
    grid_lines(axes, "both")
    axes.set_xlim(0, 100)
    axes.set_xticks(range(0, 101, 20))
    axes.set_ylim(0, 1.03)
    for place, (method, (x, y)) in enumerate(lines.items()):
        control = method.explainer in where.controls
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
        dashes = control_dashes(controls.index(method.explainer))
        return Line2D([], [], color=GREY, linestyle=dashes, linewidth=1.5)
    place = where.explainers.index(method.explainer)
    dashes = LINES[where.baselines.index(method.baseline) % len(LINES)] if method.baseline else "-"
    look = series_look(place, filled=place < len(COLOURS))
    return Line2D([], [], linestyle=dashes, markersize=4.5, linewidth=1.0, **look)


def control_dashes(place: int) -> tuple[float, tuple[float, ...]]:
    """The dashes of the control at a place; no two are alike."""
    again, place = divmod(place, len(CONTROL_LINES))
    # A control too many has the dashes of an earlier one, and three dots more for each time.
    return 0, (*CONTROL_LINES[place][1], *(1.0, 2.0) * (3 * again))


def _legend(where: Plan) -> list[Line2D]:
    """Explainers, then baselines if there are several, then what a thick line means."""
    key = []
    for name in where.explainers:
        key.append(_line(where, Method(name)))
        key[-1].set_label(where.label(name))
    if len(where.baselines) > 1:
        for place, baseline in enumerate(where.baselines):
            key.append(Line2D([], [], color=DARK, linewidth=1.0, linestyle=LINES[place % len(LINES)]))
            key[-1].set_label(f"baseline {shortened(baseline, 20)}")
    if where.compared:
        key.append(Line2D([], [], color=DARK, linewidth=2.2, label="not distinguishable\nfrom the best"))
    return [*key, *where.signs()]
