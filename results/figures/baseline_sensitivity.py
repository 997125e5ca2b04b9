"""How an explainer's attributions and its rating move with the baseline."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from assay.metrics.cell_data import Metric
from assay.results.figures.agreement import shade
from assay.results.figures.style import COLOURS, DARK, GREY, Drawing, grid_lines, render, style
from assay.results.figures.titles import shortened
from assay.results.figures.visual_encoding import DIRECTIONS
from assay.results.panel_limit import PANEL_LIMIT, listed
from assay.results.statistics.agreement import two_digits
from assay.results.statistics.baseline_sensitivity import COMPLETENESS, FAITHFULNESS, Sensitivity
from assay.results.statistics.estimates import Floats

NAME = "baseline_sensitivity"
# In inches.
CELL, SIDE = 0.34, 1.5


@dataclass(frozen=True, slots=True, eq=False)
class BaselineEffect:
    """What the choice among B baselines does to one explainer of one group.

    title: of group and explainer. baselines: their names. correlation: (B, B) mean rank correlation of the
    attributions of the same texts. gap: (B,) completeness gap, NaN where undefined. faithfulness: (B, 3)
    value, low and high by the metric.
    """

    title: str
    baselines: tuple[str, ...]
    correlation: Floats
    gap: Floats
    faithfulness: Floats


def baseline_effects(
    found: Sequence[Sensitivity], metrics: Sequence[Metric]
) -> tuple[list[BaselineEffect], str]:
    """The effects on all explained classes together, and the name of the metric of faithfulness beside them:
    the first that is configured, "" if none is."""
    names = [metric.name for metric in metrics if metric.property == FAITHFULNESS][:1]
    gaps = [metric.name for metric in metrics if metric.name.partition("[")[0] == COMPLETENESS][:1]
    effects = [
        BaselineEffect(
            f"{one.group.title}\n{one.explainer}",
            one.baselines,
            one.agreement,
            _levels(one, gaps)[:, 0],
            _levels(one, names),
        )
        for one in found
        if not one.label
    ]
    return effects, "".join(names)


def _levels(one: Sensitivity, names: Sequence[str]) -> Floats:
    """(B, 3) value, low and high of each baseline by a metric, NaN where there is none."""
    of_metric = {name: level for metric in names for name, level in one.levels.get(metric, {}).items()}
    return np.array([of_metric.get(name, (math.nan,) * 3) for name in one.baselines], dtype=np.float64)


def sensitivity_figure(found: Sequence[Sensitivity], metrics: Sequence[Metric]) -> Drawing | None:
    """`baseline_figure` of what `assay.results.statistics.baseline_sensitivity` found."""
    effects, name = baseline_effects(found, metrics)
    of_name = [metric for metric in metrics if metric.name == name]
    titles = [metric.title for metric in of_name] or ["faithfulness"]
    return baseline_figure(effects, titles[0], *(metric.direction for metric in of_name))


def baseline_figure(
    effects: Sequence[BaselineEffect], metric: str = "faithfulness", direction: str = ""
) -> Drawing | None:
    """A row per explainer: the matrix of rank correlations, the completeness gap, and a metric per baseline;
    None where no explainer has two baselines.

    metric, direction: title of the metric, and which values of it are better.
    """
    found = [effect for effect in effects if len(effect.baselines) > 1]
    if not found:
        return None
    drawn = found[:PANEL_LIMIT]
    most = max(len(effect.baselines) for effect in drawn)
    wide = 1 if len(drawn) <= 3 else 2
    down = math.ceil(len(drawn) / wide)
    rows = [drawn[row * wide : (row + 1) * wide] for row in range(down)]
    heights = [CELL * max(3, *(len(effect.baselines) for effect in row)) + 1.0 for row in rows]
    names = 0.35 + 0.075 * max(len(shortened(name, 20)) for effect in drawn for name in effect.baselines)
    has_gap = any(np.isfinite(effect.gap).any() for effect in drawn)
    # Of the matrix, and of the two panels of dots.
    widths = [CELL * max(3, most), *([SIDE] if has_gap else []), SIDE]
    with style(NAME):
        size = (wide * (names + sum(widths) + 0.3 * len(widths)) + 0.4, sum(heights) + 0.1)
        figure = Figure(figsize=size, layout="constrained")
        ratios: dict[str, Any] = {"height_ratios": heights, "width_ratios": widths * wide}
        every = figure.subplots(down, len(widths) * wide, squeeze=False, **ratios)
        better = f"\n({DIRECTIONS[direction]})" if direction in DIRECTIONS else ""
        parts = every.reshape(down * wide, len(widths))
        for line, effect in zip(parts, drawn, strict=False):
            _matrix(line[0], effect)
            if has_gap:
                _dots(line[1], effect, effect.gap[:, None], "completeness gap")
            _dots(line[-1], effect, effect.faithfulness, shortened(metric, 32) + better)
        for unused in parts[len(drawn) :].ravel():
            unused.set_axis_off()
        shown = listed([effect.title.replace("\n", ": ") for effect in found], "; ")
        text = (
            f"Rank correlation between the attributions of every two baselines, and what each gets: {shown}"
        )
        return render(figure, NAME, "What the choice of baseline changes", text)


def _matrix(axes: Axes, effect: BaselineEffect) -> None:
    count = len(effect.baselines)
    names = [shortened(name, 20) for name in effect.baselines]
    for row, column in np.ndindex(count, count):
        value = float(effect.correlation[row, column])
        if math.isfinite(value):
            box = Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=shade(value), linewidth=0)
            axes.add_patch(box)
        said = two_digits(value) if math.isfinite(value) else "–"
        # Narrower than its cell, so it reaches beyond no panel; measuring it takes the layout long.
        axes.text(column, row, said, ha="center", va="center", fontsize=6.5, in_layout=False)
    axes.set_xlim(-0.5, count - 0.5)
    axes.set_ylim(count - 0.5, -0.5)
    axes.set_xticks(range(count), names, rotation=45, ha="right", rotation_mode="anchor", fontsize=7.5)
    axes.set_yticks(range(count), names, fontsize=7.5)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(effect.title, fontsize=8.5, color=DARK)


def _dots(axes: Axes, effect: BaselineEffect, values: Floats, title: str) -> None:
    """A dot per baseline, on the line of its row in the matrix; values: (B, 1), or (B, 3) with interval."""
    count = len(effect.baselines)
    axes.set_ylim(count - 0.5, -0.5)
    axes.set_yticks(range(count), [])
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(title, fontsize=8)
    if not np.isfinite(values[:, 0]).any():
        axes.set_xticks([])
        axes.text(0.5, 0.5, "not available", transform=axes.transAxes, ha="center", color=GREY, fontsize=8)
        return
    grid_lines(axes, "x")
    for place, row in enumerate(values):
        if len(row) == 3 and np.isfinite(row).all():
            axes.hlines(place, row[1], row[2], color=COLOURS[0], linewidth=1.4)
        if math.isfinite(row[0]):
            axes.plot([row[0]], [place], "o", color=COLOURS[0], markersize=4.5)
    axes.margins(x=0.15)
    axes.locator_params(axis="x", nbins=4)
