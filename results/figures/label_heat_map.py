"""How good every explainer is on each label, as a heat map whose numbers say what the colours say."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from assay.metrics.cell_data import Metric
from assay.results.columns import LabelRow, Row, SliceRow, from_table, method_of
from assay.results.figures.style import COLOURS, DARK, GREY, TITLE_PLACE, Drawing, render, style
from assay.results.figures.titles import shortened
from assay.results.figures.visual_encoding import DIRECTIONS, heading
from assay.results.minus import minus
from assay.results.panel_limit import PANEL_LIMIT, listed
from assay.results.records import Group, Method, grouped
from assay.results.statistics.labels import OF_LABEL
from assay.results.statistics.slices import LABEL
from assay.results.tables.layout import MISSING

NAME = "labels"
# In inches.
CELL, ROW = 0.36, 0.2
# So many letters are narrower than a cell.
FITTING = 5
BEST, WORST = COLOURS[0], "#FFFFFF"


@dataclass(frozen=True, slots=True)
class LabelValues:
    """The values of one metric in one group.

    labels: each with its number of texts. values: by method, one per label, NaN where missing.
    """

    group: Group
    labels: tuple[tuple[str, int], ...]
    values: Mapping[Method, tuple[float, ...]]


def label_heat_map(
    labels: pd.DataFrame, slices: pd.DataFrame, metric: Metric, controls: Set[str]
) -> Drawing | None:
    """A panel per group, of the tables by `by_label` and `slices`; None where no group has two labels.

    Of a task of several labels per text the values are of each label; of others those of the texts with this
    gold label. controls: the explainers that are none, and stand last.
    """
    of_labels = list(_of_labels(labels, metric))
    known = {one.group for one in of_labels}
    every = [*of_labels, *(one for one in _of_slices(slices, metric) if one.group not in known)]
    panels = [one for one in every if len(one.labels) > 1 and one.values]
    return _drawing(panels, metric, controls) if panels else None


def _of_labels(table: pd.DataFrame, metric: Metric) -> Iterable[LabelValues]:
    rows = _rows(LabelRow, table, {"metric": metric.name, "scope": OF_LABEL})
    for group, of_group in grouped(rows, lambda row: row.group).items():
        texts = {row.label: row.texts for row in of_group}
        yield _values(group, texts, {(method_of(row), row.label): row.value for row in of_group})


def _of_slices(table: pd.DataFrame, metric: Metric) -> Iterable[LabelValues]:
    rows = _rows(SliceRow, table, {"metric": metric.name, "dimension": LABEL})
    for group, of_group in grouped(rows, lambda row: row.group).items():
        texts: dict[str, int] = {}
        for row in of_group:
            texts[row.slice] = max(row.n_texts, texts.get(row.slice, 0))
        yield _values(group, texts, {(method_of(row), row.slice): row.value for row in of_group})


def _rows(row: type[Row], table: pd.DataFrame, wanted: Mapping[str, str]) -> list[Row]:
    """The rows that have the values wanted, by column."""
    if not len(table):
        return []
    kept = np.all([table[name] == value for name, value in wanted.items()], axis=0)
    return from_table(row, pd.DataFrame(table[kept]))


def _values(group: Group, texts: Mapping[str, int], found: Mapping[tuple[Method, str], float]) -> LabelValues:
    methods = dict.fromkeys(method for method, _ in found)
    by_method = {
        method: tuple(found.get((method, label), float("nan")) for label in texts) for method in methods
    }
    having = {method: values for method, values in by_method.items() if any(map(math.isfinite, values))}
    return LabelValues(group, tuple(texts.items()), having)


def _drawing(panels: Sequence[LabelValues], metric: Metric, controls: Set[str]) -> Drawing:
    name = f"{NAME}-{metric.name}"
    drawn = panels[:PANEL_LIMIT]
    methods = max((len(shortened(one.title, 34)) for panel in drawn for one in panel.values), default=0)
    letters = max(len(_label(*label)) for panel in drawn for label in panel.labels)
    heights = [ROW * len(panel.values) + 0.45 + 0.062 * letters for panel in drawn]
    across = 0.3 + 0.068 * methods + CELL * max(len(panel.labels) for panel in drawn) + 0.3
    with style(name):
        size = (max(across, 4.6), sum(heights) + 0.6)
        figure = Figure(figsize=size, layout="constrained")
        every = figure.subplots(len(drawn), 1, squeeze=False, height_ratios=heights)[:, 0].tolist()
        for axes, panel in zip(every, drawn, strict=True):
            _panel(axes, panel, metric, controls)
        key = [
            Patch(facecolor=_shade(1.0), edgecolor=GREY, linewidth=0.4, label="best of the panel"),
            Patch(facecolor=_shade(0.0), edgecolor=GREY, linewidth=0.4, label="worst"),
        ]
        figure.legend(handles=key, loc="outside lower left", ncols=2, columnspacing=1.2)
        groups = listed([panel.group.title for panel in panels])
        text = (
            f"{metric.title} ({DIRECTIONS[metric.direction]}) of every explainer on each label, for {groups}"
        )
        return render(figure, name, f"{metric.title}, label by label", text)


def _label(label: str, texts: int) -> str:
    return f"{shortened(label, 22)} ({texts})"


def _shade(share: float) -> tuple[float, float, float]:
    """White for the worst, blue for the best, with room for black letters."""
    low, high = np.array(to_rgb(WORST)), np.array(to_rgb(BEST))
    red, green, blue = low + 0.7 * share * (high - low)
    return float(red), float(green), float(blue)


def _panel(axes: Axes, panel: LabelValues, metric: Metric, controls: Set[str]) -> None:
    methods = sorted(panel.values, key=lambda method: method.explainer in controls)
    table = np.array([panel.values[method] for method in methods], dtype=np.float64)
    finite = table[np.isfinite(table)]
    low, high = float(finite.min()), float(finite.max())
    shares = (table - low) / (high - low) if high > low else np.full_like(table, 0.5)
    shares = shares if metric.direction == "higher" else 1 - shares
    decimals = max(0, min(3, 2 - math.floor(math.log10(max(abs(low), abs(high), 1e-9))) - 1))
    for row, column in np.ndindex(*table.shape):
        value = float(table[row, column])
        if not math.isfinite(value):
            axes.text(
                column, row, MISSING, ha="center", va="center", color=GREY, fontsize=6.5, in_layout=False
            )
            continue
        colour = _shade(float(shares[row, column]))
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=colour, linewidth=0))
        said = minus(f"{value:.{decimals}f}").replace("0.", ".", 1 if abs(value) < 1 else 0)
        # What fits into its cell reaches beyond no panel; measuring all would take the layout long.
        reaches = len(said) > FITTING
        axes.text(column, row, said, ha="center", va="center", color="black", fontsize=6.5, in_layout=reaches)
    candidates = sum(method.explainer not in controls for method in methods)
    if 0 < candidates < len(methods):
        axes.axhline(candidates - 0.5, color=DARK, linewidth=0.8)
    axes.set_xlim(-0.5, len(panel.labels) - 0.5)
    axes.set_ylim(len(methods) - 0.5, -0.5)
    names = [_label(*label) for label in panel.labels]
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    axes.set_yticks(range(len(methods)), [shortened(method.title, 34) for method in methods], fontsize=7.5)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(heading(panel.group, 60), y=TITLE_PLACE)
